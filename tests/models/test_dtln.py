"""DTLN's graphs against two other computations: numpy in double precision, the authors' own pair.

The first needs no weights from outside: it fills the graphs with seeded noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from models.dtln.definition import EPSILON
from models.frames import FRAMES_IN_A_CALL
from raypipe.inference.dtln import HOP, UNITS, build
from raypipe.inference.dtln_weights import BINS, FRAME, prepare, read_trained
from raypipe.inference.graph import Graph, frames_in_a_call
from raypipe.inference.model_file import ModelFile
from raypipe.inference.pull import SKELETON
from raypipe.inference.zoo import find_model, load_lane_model, verify
from tests.conftest import SHARED

FEATURES = 256
LANES = 3
SAME_DB = 100
"""Float32 against double: 1e-6 per step, and the LSTMs forget."""
REFERENCE_DB = 60
"""What is promised of the float32 model against its authors' script."""
VARIANTS = ("dtln", "dtln-int8")


def noise_weights() -> dict[str, np.ndarray]:
    """Weights as if trained, with which every part of the network matters."""
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.kernel": (FEATURES, FRAME),
        "decoder.kernel": (FRAME, FEATURES),
        "norm.gain": (FEATURES,),
        "norm.offset": (FEATURES,),
        "dense_1.kernel": (BINS, UNITS),
        "dense_1.bias": (BINS,),
        "dense_2.kernel": (FEATURES, UNITS),
        "dense_2.bias": (FEATURES,),
    }
    for number, inputs in enumerate((BINS, UNITS, FEATURES, UNITS), 1):
        shapes[f"lstm_{number}.kernel"] = (4 * UNITS, inputs)
        shapes[f"lstm_{number}.recurrent"] = (4 * UNITS, UNITS)
        shapes[f"lstm_{number}.bias"] = (4 * UNITS,)
    return {
        name: rng.normal(0, 1.5 / np.sqrt(shape[-1]), shape).astype(np.float32)
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def noise_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelFile]:
    folder = tmp_path_factory.mktemp("models")
    for name, content in build(SKELETON.read_bytes(), prepare(noise_weights())).items():
        (folder / f"{name}.tflite").write_bytes(content)
    return {name: find_model(str(folder / f"{name}.tflite")) for name in VARIANTS}


@pytest.fixture
def published() -> Path:
    folder = SHARED / "models" / "dtln"
    if not folder.is_dir():
        pytest.skip("DTLN's published weights are not beside this checkout")
    return folder


def sound(lanes: int = LANES, hops: int = 150) -> np.ndarray:
    """Noise bursts over quieter noise, each lane at another level."""
    rng = np.random.default_rng(1)
    bursts = np.repeat(rng.uniform(0.01, 1, (lanes, hops // 10)), 10 * HOP, axis=1)
    levels = np.logspace(-2, -0.5, lanes)[:, None]
    return (levels * bursts * rng.uniform(-1, 1, bursts.shape)).astype(np.float32)


def run(model: ModelFile, x: np.ndarray) -> np.ndarray:
    lanes = load_lane_model(model, 8)
    return lanes.process([x], [lanes.new_state(len(x))])[0][0]


def agreement_db(reference: np.ndarray, found: np.ndarray) -> float:
    """Of the lane that agrees least."""
    wanted = reference.astype(np.float64)
    return float(np.min(10 * np.log10(np.sum(wanted**2, 1) / np.sum((found - wanted) ** 2, 1))))


class Lstm:
    """One LSTM in double precision."""

    def __init__(self, weights: dict[str, np.ndarray], name: str) -> None:
        parts = ("kernel", "recurrent", "bias")
        self.w, self.u, self.b = (weights[f"{name}.{part}"].astype(float) for part in parts)
        self.h = self.c = np.zeros(UNITS)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        enter, keep, fresh, leave = np.split(self.w @ x + self.u @ self.h + self.b, 4)
        self.c = sigmoid(keep) * self.c + sigmoid(enter) * np.tanh(fresh)
        self.h = sigmoid(leave) * np.tanh(self.c)
        return self.h


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def in_double(weights: dict[str, np.ndarray], line: np.ndarray) -> np.ndarray:
    """The network as its paper has it, on one lane."""
    first, second, third, fourth = (Lstm(weights, f"lstm_{n}") for n in (1, 2, 3, 4))

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return sigmoid(weights[f"{name}.kernel"].astype(float) @ x + weights[f"{name}.bias"])

    heard = np.concatenate([np.zeros(FRAME - HOP), line.astype(float)])
    said = np.zeros_like(heard)
    for start in range(0, len(line), HOP):
        spectrum = np.fft.rfft(heard[start : start + FRAME])
        mask = dense("dense_1", second(first(np.abs(spectrum))))
        features = weights["encoder.kernel"].astype(float) @ np.fft.irfft(spectrum * mask)
        normed = (features - features.mean()) / np.sqrt(features.var() + EPSILON)
        normed = normed * weights["norm.gain"] + weights["norm.offset"]
        kept = features * dense("dense_2", fourth(third(normed)))
        said[start : start + FRAME] += weights["decoder.kernel"].astype(float) @ kept
    return said[: len(line)]


def test_graphs_compute_what_the_paper_says(noise_models: dict[str, ModelFile]) -> None:
    x = sound()
    wanted = np.stack([in_double(noise_weights(), line) for line in x])
    assert agreement_db(wanted, run(noise_models["dtln"], x)) > SAME_DB
    assert 10 < agreement_db(wanted, run(noise_models["dtln-int8"], x)) < SAME_DB


@pytest.mark.parametrize("name", VARIANTS)
def test_model_keeps_what_lanes_need(noise_models: dict[str, ModelFile], name: str) -> None:
    assert [check for check in verify(noise_models[name]) if not check.ok] == []


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("lanes", [1, 5, 14])
def test_several_frames_in_a_call_give_the_bits_of_single_ones(
    noise_models: dict[str, ModelFile], name: str, lanes: int
) -> None:
    model = noise_models[name]
    path = Path(model.path)
    assert frames_in_a_call(path, model.card) == FRAMES_IN_A_CALL
    most = FRAMES_IN_A_CALL[-1]
    for stage, size in ((0, BINS), (1, 2 * BINS)):
        x = np.random.default_rng(2).normal(0, 3, (lanes, 2 * most, size)).astype(np.float32)
        x = np.abs(x) if stage == 0 else x
        given = []
        for frames in FRAMES_IN_A_CALL:
            graph = Graph(path, model.card, lanes, stage, frames)
            # Building it has stepped it once, and left a state.
            graph.put_state(blank(graph, lanes), 0, lanes)
            steps = []
            for start in range(0, 2 * most, frames):
                np.copyto(graph.taken(), x[:, start : start + frames])
                graph.invoke()
                steps.append(graph.given().copy())
                graph.carry_state()
            given.append(np.concatenate(steps, axis=1))
        assert given[0].tobytes() == given[1].tobytes()
        assert np.std(given[0]) > 0


def blank(graph: Graph, lanes: int) -> dict[str, np.ndarray]:
    shapes = graph.state_shapes()
    return {name: np.zeros((lanes, *shape), dtype) for name, (shape, dtype) in shapes.items()}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("frames", FRAMES_IN_A_CALL)
def test_xnnpack_takes_each_graph_as_one_piece(
    noise_models: dict[str, ModelFile], name: str, frames: int
) -> None:
    for stage in (0, 1):
        graph = Graph(Path(noise_models[name].path), noise_models[name].card, 5, stage, frames)
        kinds = [node["op_name"] for node in graph._interpreter._get_ops_details()]
        assert kinds.count("DELEGATE") == 1, "LiteRT runs some operators itself, which is slow"


def official(folder: Path, line: np.ndarray) -> np.ndarray:
    """The authors' graphs in the loop that their script describes, on one lane."""

    def load(name: str) -> tuple[Interpreter, list[int], list[int], np.ndarray]:
        graph = Interpreter(str(folder / name), num_threads=1)
        graph.allocate_tensors()
        # The state has four axes, the sound three.
        ins = sorted(graph.get_input_details(), key=lambda d: len(d["shape"]))
        outs = sorted(graph.get_output_details(), key=lambda d: len(d["shape"]))
        state = np.zeros(ins[1]["shape"], np.float32)
        return graph, [d["index"] for d in ins], [d["index"] for d in outs], state

    def step(loaded: list[Any], x: np.ndarray) -> np.ndarray:
        graph, ins, outs, state = loaded
        graph.set_tensor(ins[0], x.astype(np.float32).reshape(1, 1, -1))
        graph.set_tensor(ins[1], state)
        graph.invoke()
        loaded[3] = graph.get_tensor(outs[1])
        return graph.get_tensor(outs[0]).reshape(-1)

    first, second = list(load("model_1.tflite")), list(load("model_2.tflite"))
    heard = np.concatenate([np.zeros(FRAME - HOP, np.float32), line])
    said = np.zeros_like(heard)
    for start in range(0, len(line), HOP):
        spectrum = np.fft.rfft(heard[start : start + FRAME])
        masked = spectrum * step(first, np.abs(spectrum))
        said[start : start + FRAME] += step(second, np.fft.irfft(masked))
    return said[: len(line)]


def test_float32_sounds_as_its_authors_graphs_do(published: Path, tmp_path: Path) -> None:
    contents = {n: (published / n).read_bytes() for n in ("model_1.tflite", "model_2.tflite")}
    made = build(SKELETON.read_bytes(), prepare(read_trained(contents)))
    (tmp_path / "dtln.tflite").write_bytes(made["dtln"])
    x = sound()
    wanted = np.stack([official(published, line) for line in x])
    found = run(find_model(str(tmp_path / "dtln.tflite")), x)
    assert agreement_db(wanted, found) > REFERENCE_DB
    frames = wanted.reshape(LANES, -1, HOP)
    loud = np.std(frames, axis=2) > 1e-3 * np.std(wanted, axis=1, keepdims=True)
    misses = (
        np.std(found.reshape(frames.shape) - frames, axis=2)[loud] / np.std(frames, axis=2)[loud]
    )
    assert 20 * np.log10(misses.max()) < -REFERENCE_DB


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_maker_gives_the_graph_that_is_shipped_and_the_bytes_that_pull_gives(
    published: Path,
) -> None:
    pytest.importorskip("tensorflow")
    pytest.importorskip("h5py")
    from models.dtln.make import make_skeleton
    from models.dtln.make import read_trained as read_h5

    trained = read_h5(published / "model.h5")
    contents = {n: (published / n).read_bytes() for n in ("model_1.tflite", "model_2.tflite")}
    pulled = read_trained(contents)
    assert all(trained[name].tobytes() == pulled[name].tobytes() for name in pulled)
    skeleton = make_skeleton(prepare(trained))
    assert skeleton == SKELETON.read_bytes()
    shipped = SKELETON.read_bytes()
    assert build(skeleton, prepare(trained)) == build(shipped, prepare(pulled))
