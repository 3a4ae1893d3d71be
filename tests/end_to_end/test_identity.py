"""What a model leaves as it is comes out as it went in: every format, length, worker count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

import raypipe
from raypipe.audio.target import target_for
from raypipe.inference.zoo import find_model
from raypipe.types import SoundInfo

HOP = find_model("passthrough").card.hop
LENGTHS = (0, 1, HOP - 1, HOP, HOP + 1, 30_000)
CHANNELS = (1, 2, 6)
RATE_HZ = 16_000
LOSSY = ("VORBIS", "OPUS", "MPEG_LAYER", "ADPCM", "GSM", "G72", "NMS", "DWVW", "DPCM", "VOX")
SUFFIXES = {"WAVEX": ".wav", "RF64": ".rf64", "NIST": ".sph", "IRCAM": ".ircam", "MAT4": ".mat",
            "MAT5": ".mat5", "MPC2K": ".mpc2k"}  # fmt: skip


def lossless_kinds() -> Iterator[tuple[str, str, int]]:
    """Container, subtype, channels that raypipe keeps, as its own tables say."""
    for container in sf.available_formats():
        for subtype in sf.available_subtypes(container):
            if any(word in subtype for word in LOSSY) or container == "RAW":
                continue
            for channels in CHANNELS:
                info = SoundInfo(RATE_HZ, channels, 1000, container, subtype)
                try:
                    target, _ = target_for(
                        info, "keep", SUFFIXES.get(container, f".{container.lower()}")
                    )
                except raypipe.RaypipeError:
                    continue
                if (target.container, target.subtype) == (container, subtype):
                    yield container, subtype, channels


def make(folder: Path) -> dict[str, tuple[str, str]]:
    """Files of every kind and length; container and subtype by name."""
    random = np.random.default_rng(7)
    kinds = {}
    for container, subtype, channels in lossless_kinds():
        for length in LENGTHS:
            suffix = SUFFIXES.get(container, f".{container.lower()}")
            name = f"{container}-{subtype}-{channels}-{length}{suffix}"
            if subtype in ("FLOAT", "DOUBLE"):
                sound: np.ndarray[Any, Any] = random.standard_normal((length, channels))
                if subtype == "FLOAT":
                    sound = sound.astype(np.float32)
            else:  # every bit of the integers that the subtype holds
                sound = random.integers(-(2**31), 2**31, (length, channels), np.int32)
            try:
                sf.write(folder / name, sound, RATE_HZ, subtype, format=container)
                sf.read(folder / name)
            except (sf.LibsndfileError, RuntimeError, ValueError):
                (folder / name).unlink(missing_ok=True)  # libsndfile itself cannot, at this length
                continue
            kinds[name] = container, subtype
    return kinds


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[str, str]]]:
    folder = tmp_path_factory.mktemp("kinds")
    return folder, make(folder)


def samples(path: Path) -> np.ndarray[Any, Any]:
    """Every bit that the file holds."""
    found = sf.info(path)
    dtype = {"DOUBLE": "float64", "FLOAT": "float32"}.get(found.subtype, "int32")
    return sf.read(path, dtype=dtype, always_2d=True)[0]


def check(folder: Path, out: Path, kinds: dict[str, tuple[str, str]]) -> None:
    for name, (container, subtype) in kinds.items():
        before, after = sf.info(folder / name), sf.info(out / name)
        assert (after.format, after.subtype) == (container, subtype), name
        assert (after.samplerate, after.channels) == (before.samplerate, before.channels), name
        assert np.array_equal(samples(folder / name), samples(out / name)), name


def test_there_is_something_to_show(inputs: tuple[Path, dict[str, tuple[str, str]]]) -> None:
    kinds = set(inputs[1].values())
    assert {("WAV", "PCM_16"), ("FLAC", "PCM_24"), ("WAV", "DOUBLE"), ("W64", "PCM_32")} <= kinds
    assert len(kinds) >= 40
    assert len(inputs[1]) >= 600


@pytest.mark.parametrize("model", ["passthrough", "delay"])
def test_inline_gives_every_sample_back(
    inputs: tuple[Path, dict[str, tuple[str, str]]], tmp_path: Path, model: str
) -> None:
    folder, kinds = inputs
    report = raypipe.enhance(
        folder, tmp_path, model=model, executor="inline", include=("*",), segment_s=1
    )
    assert (report.totals.done, report.totals.files) == (len(kinds), len(kinds))
    check(folder, tmp_path, kinds)


@pytest.mark.ray
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_ray_gives_every_sample_back(
    inputs: tuple[Path, dict[str, tuple[str, str]]],
    tmp_path: Path,
    workers: int,
    ray_cluster: None,
) -> None:
    folder, kinds = inputs
    report = raypipe.enhance(
        folder, tmp_path, executor="ray", workers=workers, include=("*",), segment_s=1
    )
    assert (report.totals.done, report.totals.files) == (len(kinds), len(kinds))
    check(folder, tmp_path, kinds)


@pytest.mark.parametrize(
    ("suffix", "container", "subtype", "rate_hz"),
    [
        (".ogg", "OGG", "VORBIS", 44_100),
        (".opus", "OGG", "OPUS", 48_000),
        (".mp3", "MP3", "MPEG_LAYER_III", 44_100),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_formats_keep_length_rate_channels_and_place(
    tmp_path: Path, suffix: str, container: str, subtype: str, rate_hz: int, channels: int
) -> None:
    random = np.random.default_rng(3)
    for length in (rate_hz // 3, rate_hz * 3 + 17):
        sound = 0.2 * random.standard_normal((length, channels))
        sound = np.apply_along_axis(lambda c: np.convolve(c, np.ones(8) / 8, "same"), 0, sound)
        source = tmp_path / f"in{length}{suffix}"
        sf.write(source, sound, rate_hz, subtype, format=container)
        output = tmp_path / f"out{length}{suffix}"
        raypipe.enhance(source, output, executor="inline", segment_s=1)
        before, after = sf.read(source, always_2d=True)[0], sf.read(output, always_2d=True)[0]
        found = sf.info(output)
        assert (found.format, found.subtype) == (container, subtype)
        assert (found.samplerate, found.channels) == (rate_hz, channels)
        assert len(before) == len(after)
        for channel in range(channels):
            assert lag_of(before[:, channel], after[:, channel]) == 0


def lag_of(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> int:
    """Lag at the peak of the cross-correlation."""
    size = 2 ** int(np.ceil(np.log2(len(a) + len(b))))
    product = np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size))
    peak = int(np.argmax(np.fft.irfft(product, size)))
    return peak if peak < size // 2 else peak - size
