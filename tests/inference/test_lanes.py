"""Lanes: the bits of a lane depend on its own sound and state alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raypipe.errors import ModelError
from raypipe.inference.graph import Graph
from raypipe.inference.lanes import GraphLanes, LaneModel, stretches
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.types import State
from tests.inference.models_for_tests import write_copy_model

Array = np.ndarray


@cache
def loaded(name: str, lanes: int) -> LaneModel:
    return load_lane_model(find_model(name), lanes)


def noise(seed: int, channels: int, hops: int, hop: int) -> Array:
    sound = np.random.default_rng(seed).uniform(-1, 1, (channels, hops * hop))
    return sound.astype(np.float32)


@cache
def plainly(name: str, seed: int, channels: int, hops: int) -> tuple[Array, State]:
    """A file's sound and last state by a loop over frames of one row each."""
    model = find_model(name)
    card = model.card
    sound = noise(seed, channels, hops, card.hop)
    out = np.empty_like(sound)
    graph = Graph(Path(model.path), card, 1)
    ends = {n: np.zeros((channels, *s), d) for n, (s, d) in graph.state_shapes().items()}
    for channel in range(channels):
        for step in range(hops):
            here = slice(step * card.hop, (step + 1) * card.hop)
            graph.put_state(ends, channel, 1)
            graph.taken()[:] = sound[channel, here]
            graph.invoke()
            out[channel, here] = graph.given()[0]
            graph.carry_state()
            graph.get_state(ends, channel, 1)
    return out, ends


def same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


files = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9)), max_size=40)


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.sampled_from(["recurrent", "benchmark"]), st.sampled_from([1, 7, 64]), files)
def test_files_together_give_the_bits_of_a_plain_loop(
    name: str, lanes: int, shapes: list[tuple[int, int]]
) -> None:
    model = loaded(name, lanes)
    seeds = [17 * c + n for c, n in shapes]
    blocks = [noise(s, c, n, model.card.hop) for s, (c, n) in zip(seeds, shapes, strict=True)]
    sounds, states = model.process(blocks, [model.new_state(c) for c, _ in shapes])
    for seed, shape, sound, state in zip(seeds, shapes, sounds, states, strict=True):
        wanted, ends = plainly(name, seed, *shape)
        assert same(sound, wanted)
        assert all(same(state[n], ends[n]) for n in ends)


@settings(max_examples=25, deadline=None, print_blob=True)
@given(
    st.sampled_from(["recurrent", "delay"]),
    st.lists(st.integers(0, 20), max_size=4),
    st.sampled_from([1, 16, 64]),
)
def test_any_cut_into_segments_gives_the_bits_of_the_whole(
    name: str, cuts: list[int], lanes: int
) -> None:
    model = loaded(name, lanes)
    sound = noise(5, 2, 20, model.card.hop)
    (whole,), (end,) = model.process([sound], [model.new_state(2)])
    state, parts = model.new_state(2), []
    edges = [0, *sorted(cuts), 20]
    for start, stop in itertools.pairwise(edges):
        segment = sound[:, start * model.card.hop : stop * model.card.hop]
        (part,), (state,) = model.process([segment], [state])
        parts.append(part)
    assert same(np.concatenate(parts, axis=1), whole)
    assert all(same(state[name], end[name]) for name in end)


@pytest.mark.parametrize("width", range(1, 65))
@pytest.mark.parametrize("name", ["recurrent", "benchmark"])
def test_row_of_any_width_gives_the_bits_of_width_one(name: str, width: int) -> None:
    model = loaded(name, 64)
    sound = np.concatenate([noise(i, 1, 3, model.card.hop) for i in range(width)])
    (out,), _ = model.process([sound], [model.new_state(width)])
    for row in {0, width // 2, width - 1}:
        assert same(out[row : row + 1], plainly(name, row, 1, 3)[0])


@pytest.mark.parametrize("poison", [np.nan, np.inf, 3e38, 1e-42])
def test_neighbours_change_nothing(poison: float) -> None:
    model = loaded("benchmark", 64)
    hop = model.card.hop
    for row in (0, 3, 10, 19):
        sound = np.full((20, 4 * hop), poison, np.float32)
        sound[row] = noise(8, 1, 4, hop)
        (out,), (end,) = model.process([sound], [model.new_state(20)])
        wanted, ends = plainly("benchmark", 8, 1, 4)
        assert same(out[row : row + 1], wanted)
        assert all(same(end[n][row : row + 1], ends[n]) for n in ends)


def test_what_a_lane_left_behind_does_not_reach_the_next_call() -> None:
    model = loaded("recurrent", 16)
    sound = np.full((5, 4 * 128), np.nan, np.float32)
    model.process([sound], [model.new_state(5)])
    (out,), _ = model.process([noise(2, 3, 4, 128)], [model.new_state(3)])
    assert same(out, plainly("recurrent", 2, 3, 4)[0])


def test_what_comes_in_is_not_touched_and_what_goes_out_is_new() -> None:
    model = loaded("recurrent", 16)
    blocks = [noise(i, 2, 3, 128) for i in range(3)]
    states = [model.process([b], [model.new_state(2)])[1][0] for b in blocks]
    kept = [b.copy() for b in blocks], [{n: a.copy() for n, a in s.items()} for s in states]
    for array in (*blocks, *(a for s in states for a in s.values())):
        array.flags.writeable = False
    sounds, ends = model.process(blocks, states)
    assert all(same(a, b) for a, b in zip(blocks, kept[0], strict=True))
    for state, before, end in zip(states, kept[1], ends, strict=True):
        assert all(same(state[n], before[n]) for n in before)
        assert not any(np.shares_memory(state[n], end[n]) for n in end)
        assert all(a.flags.owndata for a in end.values())
    assert not any(np.shares_memory(a, b) for a, b in zip(blocks, sounds, strict=True))


@pytest.mark.parametrize("view", ["strided", "fortran", "sliced"])
def test_memory_layout_of_a_block_changes_nothing(view: str) -> None:
    model = loaded("recurrent", 4)
    sound = noise(1, 2, 6, 128)
    given_as = {
        "strided": np.repeat(sound, 2, axis=1)[:, ::2],
        "fortran": np.asfortranarray(sound),
        "sliced": np.pad(sound, ((1, 1), (7, 9)))[1:-1, 7:-9],
    }[view]
    assert same(given_as, sound)
    (out,), _ = model.process([given_as], [model.new_state(2)])
    assert same(out, plainly("recurrent", 1, 2, 6)[0])


def test_passthrough_keeps_every_bit() -> None:
    model = loaded("passthrough", 64)
    bits = np.random.default_rng(0).integers(0, 2**32, (9, 2 * 512), np.uint32)
    bits[0, :8] = [0x80000000, 1, 0x80000001, 0x007FFFFF, 0x7F800000, 0xFF800000, 0x7FC00123,
                   0x7F800001]  # fmt: skip
    sound = bits.view(np.float32)
    (out,), _ = model.process([sound], [model.new_state(9)])
    assert np.array_equal(out.view(np.uint32), bits)


def test_delay_gives_every_bit_late() -> None:
    model = loaded("delay", 4)
    sound = noise(3, 3, 11, model.card.hop)
    (out,), (end,) = model.process([sound], [model.new_state(3)])
    late = model.card.latency
    assert late % model.card.hop != 0
    assert not out[:, :late].any()
    assert same(np.concatenate([out[:, late:], end["line"]], axis=1), sound)


def test_no_blocks_and_empty_blocks_are_fine() -> None:
    model = loaded("recurrent", 4)
    assert model.process([], []) == ([], [])
    blocks = [np.zeros((2, 0), np.float32), np.zeros((0, 256), np.float32)]
    sounds, states = model.process(blocks, [model.new_state(2), model.new_state(0)])
    assert [s.shape for s in sounds] == [(2, 0), (0, 256)]
    assert [s["gru"].shape for s in states] == [(2, 24), (0, 24)]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.zeros((1, 127), np.float32), r"found a block of float32 \(1, 127\), wanted float32"),
        (np.zeros((1, 128)), r"found a block of float64 \(1, 128\)"),
        (np.zeros(128, np.float32), r"found a block of float32 \(128,\)"),
        (np.zeros((2, 128), np.float32), r"state 'sum': found float32 \(1, 1\), wanted float32"),
    ],
)
def test_block_that_does_not_fit_is_named(block: Array, message: str) -> None:
    model = loaded("recurrent", 4)
    with pytest.raises(ModelError, match=message):
        model.process([block], [model.new_state(1)])


def test_missing_state_is_named() -> None:
    model = loaded("recurrent", 4)
    with pytest.raises(ModelError, match="state 'sum': found none"):
        model.process([np.zeros((1, 128), np.float32)], [{}])


def test_no_lanes_is_an_error() -> None:
    with pytest.raises(ModelError, match="found 0 lanes, wanted at least 1"):
        load_lane_model(find_model("recurrent"), 0)


def test_graph_with_one_fixed_lane_steps_each_lane_alone(tmp_path: Path) -> None:
    path = write_copy_model(tmp_path / "fixed.tflite", shape=(1, 64))
    model = GraphLanes(path, find_model(str(path), 8000).card, 16)
    sound = noise(0, 5, 3, 64)
    (out,), _ = model.process([sound], [model.new_state(5)])
    assert same(out, sound)


@given(st.lists(st.integers(0, 12), max_size=12))
def test_stretches_tile_every_lane_once(steps: list[int]) -> None:
    steps = sorted(steps, reverse=True)
    reached = [0] * len(steps)
    for start, stop, active in stretches(steps):
        assert start < stop
        for lane in range(active):
            assert reached[lane] == start
            reached[lane] = stop
    assert reached == steps


def test_many_rounds_give_what_one_gives() -> None:
    card = find_model("recurrent").card
    blocks = [noise(i, 1, 1 + i % 4, card.hop) for i in range(130)]
    model = loaded("recurrent", 7)
    sounds, _ = model.process(blocks, [model.new_state(1) for _ in blocks])
    for i, sound in enumerate(sounds):
        assert same(sound, plainly("recurrent", i, 1, 1 + i % 4)[0])


def test_card_may_name_the_same_model_otherwise() -> None:
    model = find_model("passthrough")
    assert GraphLanes(Path(model.path), replace(model.card, name="other"), 1).card.name == "other"
