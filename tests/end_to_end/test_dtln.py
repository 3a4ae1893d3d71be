"""A real denoiser through the whole machine: the sound of its authors' own loop, always the same.

The weights are not part of the project; without them these tests are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from ai_edge_litert.interpreter import Interpreter

import raypipe
from raypipe.inference.pull import pull
from raypipe.inference.zoo import find_model, verify
from tests.conftest import SHARED

WEIGHTS = SHARED / "models" / "dtln"
FRAME, HOP, RATE_HZ = 512, 128, 16_000
LATE = FRAME - HOP
Array = np.ndarray


@pytest.fixture(scope="module", autouse=True)
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    if not (WEIGHTS / "model_1.tflite").is_file():
        pytest.skip("the weights of DTLN are not beside this checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYPIPE_MODELS", str(tmp_path_factory.mktemp("models")))
        pull("dtln", WEIGHTS)
        yield


def reference(sound: Array) -> Array:
    """One file through the authors' two graphs, frame after frame, as published: 24 ms late."""
    graphs = [Interpreter(str(WEIGHTS / f"model_{n}.tflite"), num_threads=1) for n in (1, 2)]
    tensors = []
    for graph in graphs:
        graph.allocate_tensors()
        ins, outs = graph.get_input_details(), graph.get_output_details()
        tensors.append([[d["index"] for d in details] for details in (ins, outs)])
    states = [np.zeros(g.get_input_details()[1]["shape"], np.float32) for g in graphs]

    def step(number: int, block: Array) -> Array:
        graph, ((block_in, state_in), (block_out, state_out)) = graphs[number], tensors[number]
        graph.set_tensor(block_in, block.reshape(1, 1, -1).astype(np.float32))
        graph.set_tensor(state_in, states[number])
        graph.invoke()
        states[number] = graph.get_tensor(state_out)
        return graph.get_tensor(block_out).reshape(-1)

    heard, said = np.zeros(FRAME, np.float32), np.zeros(FRAME, np.float32)
    out = []
    for begin in range(0, len(sound) - HOP + 1, HOP):
        heard = np.concatenate([heard[HOP:], sound[begin : begin + HOP]])
        spectrum = np.fft.rfft(heard)
        masked = np.fft.irfft(spectrum * step(0, np.abs(spectrum)), FRAME)
        said = np.concatenate([said[HOP:], np.zeros(HOP, np.float32)]) + step(1, masked)
        out.append(said[:HOP])
    return np.concatenate(out)


def noisy(seed: int, seconds: float, channels: int = 1) -> Array:
    """Something between speech and a machine: gliding harmonics in syllables, and noise."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * 0.7 * time_s + seed)) / RATE_HZ
    voice = sum(np.cos(n * phase) / n for n in range(1, 20)) * (np.sin(9 * time_s) > -0.3)
    sound = 0.1 * voice + 0.05 * rng.standard_normal((channels, len(time_s)))
    return sound.astype(np.float32)


def signal_to_difference_db(wanted: Array, found: Array) -> float:
    return float(10 * np.log10(np.sum(wanted**2) / np.sum((wanted - found) ** 2)))


def test_float32_has_the_sound_of_the_authors_loop(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(3):
        sound = noisy(seed, 3.0 + 0.3 * seed)[0]
        sf.write(tmp_path / f"in/{seed}.wav", sound, RATE_HZ, "FLOAT")
    raypipe.enhance(tmp_path / "in", tmp_path / "out", model="dtln")
    for seed in range(3):
        sound = sf.read(tmp_path / f"in/{seed}.wav", dtype="float32")[0]
        found = sf.read(tmp_path / f"out/{seed}.wav", dtype="float32")[0]
        assert len(found) == len(sound)
        wanted = reference(np.concatenate([sound, np.zeros(2 * FRAME, np.float32)]))[LATE:]
        assert signal_to_difference_db(wanted[: len(sound)], found) > 100
        assert signal_to_difference_db(wanted[1 : len(sound) + 1], found) < 40, "one sample off"


@pytest.mark.parametrize("model", ["dtln", "dtln-int8"])
def test_lanes_workers_and_cuts_change_no_bit(
    model: str, tmp_path: Path, ray_cluster: None
) -> None:
    (tmp_path / "in").mkdir()
    for seed in range(9):
        sound = noisy(seed, 0.05 + 0.6 * seed, 1 + seed % 2).T
        rate_hz = 44_100 if seed == 4 else RATE_HZ
        sf.write(tmp_path / f"in/{seed}.wav", sound, rate_hz, "PCM_16")
    ways = {
        "inline": {"executor": "inline"},
        "lanes 1": {"executor": "inline", "lanes": 1},
        "lanes 8": {"executor": "inline", "lanes": 8},
        "short segments": {"executor": "inline", "lanes": 64, "segment_s": 0.37},
        "1 worker": {"executor": "ray", "workers": 1, "lanes": 64},
        "2 workers": {"executor": "ray", "workers": 2, "lanes": 8, "segment_s": 1.0},
    }
    found = {}
    for name, settings in ways.items():
        out = tmp_path / name
        report = raypipe.enhance(tmp_path / "in", out, model=model, **settings)  # type: ignore[arg-type]
        assert report.totals.done == 9
        found[name] = [path.read_bytes() for path in sorted(out.glob("*.wav"))]
    assert all(files == found["inline"] for files in found.values())


def test_int8_takes_away_what_float32_takes_away(tmp_path: Path) -> None:
    sf.write(tmp_path / "in.wav", noisy(1, 6.0)[0], RATE_HZ, "FLOAT")
    for model in ("dtln", "dtln-int8"):
        raypipe.enhance(tmp_path / "in.wav", tmp_path / f"{model}.wav", model=model)
    heard, whole, small = (
        sf.read(tmp_path / f"{name}.wav", dtype="float32")[0]
        for name in ("in", "dtln", "dtln-int8")
    )
    assert np.mean(whole**2) < 0.9 * np.mean(heard**2)
    assert signal_to_difference_db(whole, small) > 20


@pytest.mark.parametrize("model", ["dtln", "dtln-int8"])
def test_both_keep_what_models_promise(model: str) -> None:
    checks = verify(find_model(model))
    assert [check for check in checks if not check.ok] == []
