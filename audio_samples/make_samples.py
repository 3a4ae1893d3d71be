"""Makes the recordings in this folder: speech by espeak-ng, noise by a seeded generator.

Comes in: nothing but the sentences below. Goes out: the files that README.md
lists, beside this script. Needs the program espeak-ng, and soundfile, soxr and
numpy. The OGG file gets another serial number each time, all else the same bytes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent

PEAK = 0.5
"""Of the speech: 6 dB below full scale."""


def speak(words: str, voice: str, words_per_minute: int, rate_hz: int) -> NDArray[np.float32]:
    """One sentence, ``(samples,)`` at `rate_hz`."""
    program = shutil.which("espeak-ng")
    if program is None:
        sys.exit("espeak-ng is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(
            [program, "-v", voice, "-s", str(words_per_minute), "-w", str(path), words], check=True
        )
        sound, made_hz = soundfile.read(path, dtype="float32")
    sound = soxr.resample(sound, made_hz, rate_hz)
    plain: NDArray[np.float32] = (sound * (PEAK / np.abs(sound).max())).astype(np.float32)
    return plain


def noise(samples: int, seed: int, rms: float, slope: float = 0.5) -> NDArray[np.float32]:
    """Noise whose amplitude falls with frequency to the power of `slope` (0.5: pink)."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** slope
    spectrum[0] = 0
    sound = np.fft.irfft(spectrum, samples)
    return np.asarray(sound * (rms / np.sqrt(np.mean(sound**2))), np.float32)


def with_noise(speech: NDArray[np.float32], seed: int, rms: float) -> NDArray[np.float32]:
    """The sentence with noise under it."""
    return speech + noise(len(speech), seed, rms)


def write(
    name: str, sound: NDArray[np.float32], rate_hz: int, subtype: str, tags: dict[str, str]
) -> None:
    """Write one file; `sound` is ``(samples,)`` or ``(channels, samples)``."""
    path = HERE / name
    path.parent.mkdir(exist_ok=True)
    channels = 1 if sound.ndim == 1 else len(sound)
    with soundfile.SoundFile(path, "w", rate_hz, channels, subtype=subtype) as file:
        for tag, text in tags.items():
            setattr(file, tag, text)
        file.write(sound.T)


def main() -> None:
    """Make them all."""
    raw = with_noise(
        speak(
            "Many recordings go in, and as many come out.",
            "en-gb",
            160,
            48_000,
        ),
        1,
        0.02,
    )
    samples = np.round(raw * 32767).astype("<i2")
    (HERE / "audio_file_48k.raw").write_bytes(samples.tobytes())

    kitchen = with_noise(speak("The kettle is on, would you like some tea?", "en-us", 170, 16_000),
                         2, 0.015)  # fmt: skip
    write("kitchen_16k.wav", kitchen, 16_000, "PCM_16", {})

    left = speak("Two people, one on the left,", "en-gb", 180, 44_100)
    right = speak("and one on the right.", "en-us", 180, 44_100)
    talk = np.zeros((2, len(left) + len(right)), np.float32)
    talk[0, : len(left)] = left
    talk[1, len(left) :] = right
    talk += np.stack([noise(talk.shape[1], seed, 0.004) for seed in (3, 4)])
    tags = {"title": "Left and right", "artist": "espeak-ng", "comment": "Synthetic speech"}
    write("talk_44k_stereo.flac", talk, 44_100, "PCM_16", tags)

    voice = speak("A quiet street at night.", "en-gb-x-rp", 150, 48_000)
    street = np.stack([noise(len(voice), seed, 0.03, 1.0) for seed in (5, 6)])
    write(
        "street_48k_stereo.wav",
        street + voice * np.array([[0.7], [0.5]], np.float32),
        48_000,
        "PCM_24",
        {},
    )

    call = with_noise(speak("You have reached the archive.", "en-us", 165, 22_050), 7, 0.01)
    write("call_22k.ogg", call, 22_050, "VORBIS", {"title": "The archive", "artist": "espeak-ng"})

    podcast = with_noise(speak("Welcome back to the programme.", "en-gb", 155, 44_100), 8, 0.008)
    write("podcast_44k.mp3", podcast, 44_100, "MPEG_LAYER_III", {"title": "Welcome back"})

    field = with_noise(speak("Wind in the trees.", "en-gb-scotland", 150, 32_000), 9, 0.05)
    write("field notes/trees_32k.aiff", field, 32_000, "PCM_16", {})


if __name__ == "__main__":
    main()
