"""The shipped denoiser through the whole machine: always the same, and where it belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import raypipe
from raypipe.inference.zoo import find_model, load_lane_model

MODELS = ("denoise-48k", "denoise-48k-int8")
RATES_HZ = (48_000, 16_000, 44_100)
Array = np.ndarray


def voice(seed: int, seconds: float, channels: int = 1, rate_hz: int = 48_000) -> Array:
    """Gliding harmonics in syllables, and noise: ``(channels, samples)``."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * 0.7 * time_s + seed)) / rate_hz
    tones = sum(np.cos(n * phase) / n for n in range(1, 40)) * (np.sin(9 * time_s) > -0.3)
    sound = 0.1 * tones + 0.02 * rng.standard_normal((channels, len(time_s)))
    return sound.astype(np.float32)


def arrives_after(heard: Array, said: Array) -> int:
    """Samples by which `said` is late, by cross-correlation."""
    size = 1 << (2 * len(heard)).bit_length()
    product = np.fft.rfft(said, size) * np.conj(np.fft.rfft(heard, size))
    found = int(np.argmax(np.fft.irfft(product, size)))
    return found if found < size // 2 else found - size


@pytest.mark.parametrize("model", MODELS)
def test_latency_is_the_cards(model: str) -> None:
    lanes = load_lane_model(find_model(model), 4)
    sound = voice(1, 3.0)
    (said,), _ = lanes.process([sound], [lanes.new_state(1)])
    assert arrives_after(sound[0], said[0]) == lanes.card.latency == 1440


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000, 96_000])
def test_output_lies_where_the_input_does(rate_hz: int) -> None:
    sound = voice(2, 2.0, rate_hz=rate_hz)[0]
    assert arrives_after(sound, raypipe.Enhancer(MODELS[0]).process(sound, rate_hz)) == 0


@pytest.mark.parametrize("settings", [{}, {"mix": 0.7}, {"atten_limit_db": 12}], ids=str)
def test_lanes_and_cuts_change_no_bit(settings: dict[str, float], tmp_path: Path) -> None:
    write_inputs(tmp_path / "in")
    ways: dict[str, dict[str, object]] = {
        "as it is": {},
        "lanes 1": {"lanes": 1, "segment_s": 0.37},
        "lanes 7": {"lanes": 7},
        "lanes 64": {"lanes": 64, "segment_s": 0.37},
    }
    run_all_ways(tmp_path, {w: {"executor": "inline", **s, **settings} for w, s in ways.items()})


@pytest.mark.ray
@pytest.mark.parametrize("model", MODELS)
def test_workers_change_no_bit(model: str, tmp_path: Path, ray_cluster: None) -> None:
    write_inputs(tmp_path / "in")
    ways: dict[str, dict[str, object]] = {
        "inline": {"executor": "inline", "lanes": 7},
        "1 worker": {"executor": "ray", "workers": 1, "lanes": 64},
        "2 workers": {"executor": "ray", "workers": 2, "lanes": 7, "segment_s": 0.37},
    }
    run_all_ways(tmp_path, {w: {"model": model, "mix": 0.9, **s} for w, s in ways.items()})


def write_inputs(folder: Path) -> None:
    """Six files: three rates, one and two channels, odd lengths."""
    folder.mkdir()
    for seed in range(6):
        rate_hz = RATES_HZ[seed % 3]
        sound = voice(seed, 0.05 + 0.31 * seed, 1 + seed % 2, rate_hz)
        sf.write(folder / f"{seed}.wav", sound.T, rate_hz, "PCM_16")


def run_all_ways(folder: Path, ways: dict[str, dict[str, object]]) -> None:
    found = {}
    for way, settings in ways.items():
        out = folder / way
        report = raypipe.enhance(folder / "in", out, **{"model": MODELS[0], **settings})
        assert report.totals.done == 6
        found[way] = [path.read_bytes() for path in sorted(out.glob("*.wav"))]
    first, *others = found.values()
    assert all(files == first for files in others)
    heard = [path.read_bytes() for path in sorted((folder / "in").glob("*.wav"))]
    assert all(one != other for one, other in zip(first, heard, strict=True))
