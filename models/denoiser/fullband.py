"""Above 8 kHz: is speech kept there, and is noise taken away as much as below?

Comes in: weights, the held-out full-band recordings and noise. Goes out: for each SNR how much
of the speech's energy from 8 to 20 kHz is left in voiced and in fricative frames, and by how much
noise falls below and above 8 kHz while nobody speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from models.denoiser.data import load
from models.denoiser.mixing import active_rms
from models.denoiser.network import FRAME, HOP, RATE_HZ
from models.denoiser.noises import recorded
from models.denoiser.shapes import HZ, SAMPLES, gain
from models.denoiser.validation import by_weights
from raypipe.inference.front_ends import root_hann

SNRS_DB = (5, 10, 15, 20, 40)
LEVEL_DB = -26.0
ALONE = RATE_HZ
"""Samples of noise alone before the speech."""
SETTLED = RATE_HZ // 2
"""Samples after which noise is measured."""
FLOOR_DB = 12.0
"""Above its quietest frames, in the upper band, a recording speaks there."""

Sound = NDArray[np.float32]


def bands_db(sound: Sound) -> dict[str, NDArray[np.float64]]:
    """Power of each frame in three bands, not yet as dB."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * root_hann(FRAME, HOP)
    power = np.abs(rfft(frames)).astype(np.float64) ** 2
    edges = {"low": (100, 4000), "middle": (4000, 8000), "high": (8000, 20_000)}
    bin_hz = RATE_HZ / FRAME
    return {
        name: power[:, round(low / bin_hz) : round(high / bin_hz)].sum(axis=1)
        for name, (low, high) in edges.items()
    }


def measure(denoise: Callable[[Sound], Sound], speech: list[Sound], noises: list[Sound]) -> str:
    """A table: one line for each SNR."""
    lines = ["SNR  voiced above 8 kHz  fricative above 8 kHz  noise below 8 kHz  noise above"]
    for snr_db in SNRS_DB:
        kept: dict[str, list[float]] = {"voiced": [], "fricative": [], "below": [], "above": []}
        for number, voice in enumerate(speech):
            for noise in noises[number :: len(speech)]:
                _one(denoise, voice, noise, snr_db, kept)
        means = [float(np.median(kept[name])) for name in kept]
        lines.append(f"{snr_db:3d}  " + "  ".join(f"{value:+.1f} dB" for value in means))
    return "\n".join(lines)


def _one(
    denoise: Callable[[Sound], Sound],
    voice: Sound,
    noise: Sound,
    snr_db: float,
    kept: dict[str, list[float]],
) -> None:
    clean = np.zeros(ALONE + len(voice), np.float32)
    clean[ALONE:] = voice * 10 ** (LEVEL_DB / 20) / active_rms(voice)
    added = np.resize(noise, len(clean)) * 10 ** ((LEVEL_DB - snr_db) / 20)
    given = denoise((clean + added)[None])[0]
    wanted, heard, left = bands_db(clean), bands_db(added), bands_db(given)
    speaks = np.arange(len(wanted["high"])) * HOP > ALONE
    quiet = np.percentile(wanted["high"][speaks], 10)
    speaks &= wanted["high"] > quiet * 10 ** (FLOOR_DB / 10)
    # Where noise is louder there than the voice, no energy of the voice can be told.
    speaks &= wanted["high"] > 3 * heard["high"]
    hisses = wanted["middle"] > wanted["low"]
    for name, frames in (("voiced", speaks & ~hisses), ("fricative", speaks & hisses)):
        if frames.sum() >= 3:
            kept[name].append(_db(left["high"][frames].sum() / wanted["high"][frames].sum()))
    alone = slice(SETTLED // HOP, (ALONE - FRAME) // HOP)
    low = [bands["low"][alone].sum() + bands["middle"][alone].sum() for bands in (left, heard)]
    kept["below"].append(_db(low[0] / low[1]))
    kept["above"].append(_db(left["high"][alone].sum() / heard["high"][alone].sum()))


def _db(ratio: float) -> float:
    return float(10 * np.log10(ratio + 1e-12))


@click.command()
@click.argument("weights", type=click.Path(exists=True, path_type=Path))
@click.option("--audio", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--cache", type=click.Path(path_type=Path), required=True)
def main(weights: Path, audio: Path, cache: Path) -> None:
    """Measure WEIGHTS on the held-out recordings."""
    from scipy.fft import irfft

    library = load(audio, cache, "test")
    speech: list[Sound] = [
        clip.samples * np.float32(1 / 32768) for clip in library.speech["fullband-48k"]
    ]
    noises = []
    for number in range(24):
        spectrum = recorded(np.random.default_rng([8, number]), library)
        # As loud above 8 kHz, bin for bin, as from 4 to 8 kHz: so that there is something to take.
        level = [
            np.sqrt(np.mean(np.abs(spectrum[(low < HZ) & (high > HZ)]) ** 2))
            for low, high in ((4000, 8000), (8000, 20_000))
        ]
        spectrum *= np.where(HZ > 8000, level[0] / (level[1] + 1e-9), 1).astype(np.float32)
        sound = irfft(
            spectrum * gain(np.asarray(-6 * np.log2(np.maximum(HZ, 8000) / 8000), np.float32)),
            SAMPLES,
        )
        noises.append((sound / (np.sqrt(np.mean(sound**2)) + 1e-9)).astype(np.float32))
    click.echo(measure(by_weights(weights), speech, noises))


if __name__ == "__main__":
    main()
