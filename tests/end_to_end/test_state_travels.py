"""A recurrent model's output is one and the same, however the work was cut, mixed and shared out.

The reference is a plain loop in this file: one lane, one frame at a time, over the bare graph.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

import raypipe
from raypipe.inference.zoo import find_model

ai_edge_litert = pytest.importorskip("ai_edge_litert.interpreter")

MODEL = find_model("recurrent")
RATE_HZ = MODEL.card.rate_hz or 16_000
SECONDS = (0.0, 0.01, 0.7, 3.2, 9.13, 37.77)


def plain_loop(sound: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the graph makes of one channel, with nothing of raypipe in between but the card."""
    card = MODEL.card
    interpreter = ai_edge_litert.Interpreter(MODEL.path, num_threads=1)
    runner = interpreter.get_signature_runner()
    details = runner.get_input_details()
    state = {
        name: np.zeros([1, *details[name]["shape"][1:]], np.float32) for name in card.tensors.state
    }
    total = len(sound) + card.latency
    padded = np.zeros(-(-total // card.hop) * card.hop, np.float32)
    padded[: len(sound)] = sound
    out = []
    for start in range(0, len(padded), card.hop):
        frame = padded[np.newaxis, start : start + card.frame]
        answer = runner(**{card.tensors.input: frame}, **state)
        state = {name: answer[after] for name, after in card.tensors.state.items()}
        out.append(answer[card.tensors.output][0])
    line = np.concatenate([np.zeros(0, np.float32), *out])
    return line[card.latency : total]


def make_inputs(folder: Path, others: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(11)
    for number, seconds in enumerate(SECONDS):
        channels = 1 + number % 2
        sound = 0.1 * random.standard_normal((round(seconds * RATE_HZ), channels))
        sf.write(folder / f"file{number}.wav", sound, RATE_HZ, "FLOAT")
    sf.write(folder / "other_rate.wav", 0.1 * random.standard_normal((100_003, 2)), 44_100, "FLOAT")
    sf.write(folder / "telephone.flac", 0.1 * random.standard_normal(20_011), 8_000)
    for number in range(others):
        sound = 0.1 * random.standard_normal(round(random.uniform(0.1, 4) * RATE_HZ))
        sf.write(folder / f"z{number}.wav", sound, RATE_HZ)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state") / "in"
    make_inputs(folder)
    return folder


def digests(out: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in names}


def run(folder: Path, out: Path, **settings: Any) -> dict[str, str]:
    report = raypipe.enhance(folder, out, model="recurrent", **settings)
    assert report.totals.failed == 0, [f for f in report.files if f["outcome"] == "failed"]
    names = [f"file{n}.wav" for n in range(len(SECONDS))] + ["other_rate.wav", "telephone.flac"]
    return digests(out, names)


@pytest.fixture(scope="module")
def wanted(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("wanted")
    return run(inputs, out, executor="inline", lanes=1, segment_s=30)


def test_it_equals_a_plain_loop(inputs: Path, tmp_path: Path) -> None:
    run(inputs, tmp_path, executor="inline", lanes=64, segment_s=1)
    for number in range(len(SECONDS)):
        before = sf.read(inputs / f"file{number}.wav", dtype="float32", always_2d=True)[0]
        after = sf.read(tmp_path / f"file{number}.wav", dtype="float32", always_2d=True)[0]
        assert after.shape == before.shape
        for channel in range(before.shape[1]):
            assert np.array_equal(after[:, channel], plain_loop(before[:, channel]))


def test_its_output_does_depend_on_all_of_its_past(inputs: Path) -> None:
    """Else the tests beside this one would show nothing."""
    sound = sf.read(inputs / "file5.wav", dtype="float32", always_2d=True)[0][:, 0]
    changed = sound.copy()
    changed[: MODEL.card.hop] += 0.5
    tail = slice(len(sound) // 10, None)
    assert not np.array_equal(plain_loop(sound)[tail], plain_loop(changed)[tail])


@pytest.mark.parametrize("lanes", [1, 7, 64])
@pytest.mark.parametrize("segment_s", [1, 30, 0.37])
def test_lanes_and_segments_change_nothing(
    inputs: Path, wanted: dict[str, str], tmp_path: Path, lanes: int, segment_s: float
) -> None:
    assert run(inputs, tmp_path, executor="inline", lanes=lanes, segment_s=segment_s) == wanted


@pytest.mark.ray
@pytest.mark.parametrize(("workers", "lanes", "segment_s"), [(1, 64, 1), (2, 7, 1), (3, 7, 30)])
def test_workers_change_nothing(
    inputs: Path,
    wanted: dict[str, str],
    tmp_path: Path,
    workers: int,
    lanes: int,
    segment_s: float,
    ray_cluster: None,
) -> None:
    settings = {"workers": workers, "lanes": lanes, "segment_s": segment_s}
    assert run(inputs, tmp_path, executor="ray", **settings) == wanted


@pytest.mark.ray
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_company_changes_nothing(
    wanted: dict[str, str], tmp_path: Path, executor: str, ray_cluster: None
) -> None:
    make_inputs(tmp_path / "in", others=200)
    workers = 2 if executor == "ray" else None
    got = run(tmp_path / "in", tmp_path / "out", executor=executor, workers=workers, segment_s=2)
    assert got == wanted


def test_a_file_alone_is_the_same(inputs: Path, wanted: dict[str, str], tmp_path: Path) -> None:
    for name, digest in wanted.items():
        raypipe.enhance(inputs / name, tmp_path / name, model="recurrent")
        assert digests(tmp_path, [name]) == {name: digest}
