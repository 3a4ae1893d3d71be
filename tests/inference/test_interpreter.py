"""One graph of a fixed width."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from raypipe.errors import ModelError
from raypipe.inference.card import Tensors
from raypipe.inference.graph import Graph
from raypipe.inference.interpreter import TensorNames
from raypipe.inference.zoo import SHIPPED, find_model

PATH = SHIPPED / "recurrent.tflite"
CARD = find_model("recurrent").card


def test_tensors_are_found_by_their_names() -> None:
    names = TensorNames(PATH)
    assert sorted(names.inputs) == ["frame", "gru", "last", "sum"]
    assert sorted(names.outputs) == ["gru_out", "last_out", "out", "sum_out"]


def test_unknown_tensor_is_named_with_those_that_are_there() -> None:
    card = replace(CARD, tensors=Tensors("sound", "out", CARD.tensors.state))
    with pytest.raises(
        ModelError, match="has no input tensor 'sound'; it has frame, gru, last, sum"
    ):
        Graph(PATH, card, 4)


def test_input_that_the_card_leaves_out_is_named() -> None:
    state = {"gru": "gru_out", "sum": "sum_out"}
    with pytest.raises(ModelError, match="the card says nothing of input 'last'"):
        Graph(PATH, replace(CARD, tensors=Tensors("frame", "out", state)), 4)


def test_wrong_frame_is_named_with_both_shapes() -> None:
    with pytest.raises(ModelError, match=r"'frame': found shape \(4, 128\), wanted \(4, 64\)"):
        Graph(PATH, replace(CARD, frame=64, hop=64), 4)


def test_swapped_state_is_noticed() -> None:
    state = {"gru": "sum_out", "sum": "gru_out", "last": "last_out"}
    with pytest.raises(ModelError, match="tensor 'gru' and 'sum_out': found shape"):
        Graph(PATH, replace(CARD, tensors=Tensors("frame", "out", state)), 4)


def test_broken_file_is_a_model_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(PATH.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"broken\.tflite: LiteRT cannot load it"):
        Graph(path, CARD, 4)


def test_state_goes_in_and_comes_out_by_row() -> None:
    graph = Graph(PATH, CARD, 4)
    rng = np.random.default_rng(0)
    shapes = graph.state_shapes()
    state = {n: rng.normal(size=(6, *s)).astype(d) for n, (s, d) in shapes.items()}
    taken = {name: array.copy() for name, array in state.items()}
    graph.put_state(state, 2, 3)
    for array in taken.values():
        array[2:5] = 0
    graph.get_state(taken, 2, 3)
    assert all(np.array_equal(taken[name], state[name]) for name in state)


def test_nothing_is_written_to_the_terminal() -> None:
    code = (
        "from raypipe.inference.zoo import find_model, load_lane_model\n"
        "model = load_lane_model(find_model('recurrent'), 4)\n"
        "import sys; sys.stderr.write('still heard')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "still heard")
