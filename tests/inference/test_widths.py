"""Widths: how lanes are cut into them, and that rows do not depend on them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raypipe.errors import ModelError
from raypipe.inference import widths
from raypipe.inference.graph import Graph
from raypipe.inference.widths import CALL_COST, LADDER, Widths, cut_into, probe_frames
from raypipe.inference.zoo import SHIPPED, find_model


@given(st.integers(0, 64), st.sets(st.sampled_from(LADDER), min_size=1))
def test_cut_holds_all_lanes_and_no_width_too_many(lanes: int, ladder: set[int]) -> None:
    cut = cut_into(lanes, tuple(sorted(ladder)))
    assert sum(cut) >= lanes
    assert not cut or sum(cut) - min(cut) < lanes
    assert list(cut) == sorted(cut, reverse=True)


@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 7, 9, 13])
def test_cut_is_the_cheapest_of_all(lanes: int) -> None:
    def cost(cut: tuple[int, ...]) -> int:
        return sum(cut) + CALL_COST * len(cut)

    every = (
        cut
        for count in range(1, lanes + 1)
        for cut in itertools.combinations_with_replacement(LADDER, count)
        if sum(cut) >= lanes
    )
    assert cost(cut_into(lanes, LADDER)) == min(map(cost, every))


def test_probe_rows_are_the_same_in_any_number() -> None:
    assert np.array_equal(probe_frames(3, 8), probe_frames(64, 8)[:, :3])


@pytest.mark.parametrize("name", ["recurrent", "benchmark"])
def test_each_width_of_the_ladder_gives_the_same_bits_here(name: str) -> None:
    found = Widths(SHIPPED / f"{name}.tflite", find_model(name).card, 64)
    for lanes in range(1, 65):
        found.cut(lanes)
    assert found.trusted() == LADDER


def test_width_that_gives_other_bits_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    true_answers = widths._answers

    def off_by_a_bit(stack: widths.Stack, *args: object, **more: object) -> object:
        answers = true_answers(stack, *args, **more)  # type: ignore[arg-type]
        if stack.width in (1, 5):
            answers[-1, -1] = np.nextafter(answers[-1, -1], np.float32(9))
        return answers

    monkeypatch.setattr(widths, "_answers", off_by_a_bit)
    found = Widths(SHIPPED / "recurrent.tflite", find_model("recurrent").card, 4)
    assert [(stack.width, rows) for stack, rows in found.cut(3)] == [(16, 3)]
    assert [(stack.width, rows) for stack, rows in found.cut(1)] == [(16, 1)]
    assert found.trusted() == (16,)


def test_graph_whose_rows_look_at_each_other_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    true_invoke = Graph.invoke

    def leak(self: Graph) -> None:
        true_invoke(self)
        self.given()[:] += self.given().mean(axis=0, keepdims=True)

    monkeypatch.setattr(Graph, "invoke", leak)
    path = Path(SHIPPED / "recurrent.tflite")
    with pytest.raises(ModelError, match="depends on its neighbours in the batch"):
        Widths(path, find_model("recurrent").card, 4)
