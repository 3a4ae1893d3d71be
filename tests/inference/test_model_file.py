"""Models that are Python objects, and what a found model is."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from raypipe.errors import ModelError
from raypipe.inference.zoo import find_model, load_lane_model
from tests.poison import MAGIC

HANG = Path(__file__).parents[2] / "models" / "hang.tflite"

RUN = """
import numpy as np
from raypipe.inference.zoo import find_model, load_lane_model
model = load_lane_model(find_model({spec!r}), 4)
sound = np.zeros((1, 1024), np.float32)
model.process([sound], [model.new_state(1)])
print("fine", flush=True)
sound[0, 700] = {sample!r}
model.process([sound], [model.new_state(1)])
print("fine again", flush=True)
"""


def wrong_object(lanes: int) -> object:
    return lanes


def test_model_file_survives_pickle() -> None:
    model = find_model("delay")
    assert pickle.loads(pickle.dumps(model)) == model


def test_python_model_offers_what_a_graph_offers() -> None:
    model = find_model("python:tests.poison:killer")
    lanes = load_lane_model(model, 7)
    assert (lanes.lanes, lanes.card) == (7, find_model("passthrough").card)
    sound = np.random.default_rng(0).uniform(-1, 1, (2, 1024)).astype(np.float32)
    (out,), _ = lanes.process([sound], [lanes.new_state(2)])
    assert np.array_equal(out, sound)


def test_python_models_of_one_module_differ_in_their_sha256() -> None:
    killer = find_model("python:tests.poison:killer").sha256
    assert killer == find_model("python:tests.poison:killer").sha256
    assert killer != find_model("python:tests.poison:hanger").sha256


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("python:", "wanted python:package.module:factory"),
        ("python:tests.poison", "wanted python:package.module:factory"),
        ("python:tests.nothing:killer", "Python finds no module tests.nothing"),
        ("python:tests.poison:nobody", "tests.poison has no function 'nobody'"),
        (f"python:{__name__}:wrong_object", "gave int, wanted an object with card, lanes"),
    ],
)
def test_python_model_s_faults_are_named(spec: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        find_model(spec)


def test_killer_kills_its_process_on_the_magic_sample() -> None:
    code = RUN.format(spec="python:tests.poison:killer", sample=float(MAGIC))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -9
    assert done.stdout == "fine\n"


@pytest.mark.parametrize("spec", ["python:tests.poison:hanger", str(HANG)])
def test_hangers_do_not_come_back_from_the_magic_sample(spec: str) -> None:
    code = RUN.format(spec=spec, sample=float(MAGIC))
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=3)
    assert caught.value.stdout == b"fine\n"


def test_stepping_a_model_loads_neither_tensorflow_nor_torch() -> None:
    code = RUN.format(spec="recurrent", sample=0.5) + (
        "import sys\n"
        "print([m for m in ('tensorflow', 'keras', 'torch', 'ray', 'flatbuffers') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "fine\nfine again\n[]\n"
