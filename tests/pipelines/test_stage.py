"""States of several stages in one, and apart again."""

from __future__ import annotations

import numpy as np

from raypipe.dsp.resample import Resample
from raypipe.pipelines.stage import Stage, join_states, part_of
from raypipe.types import State

ONE: State = {"a": np.zeros((2, 1)), "a.b": np.ones((2, 3))}
OTHER: State = {"a": np.full((2, 0), 2.0)}


def test_states_come_apart_as_they_were_joined() -> None:
    joined = join_states(first=ONE, second=OTHER, third={})
    for name, state in (("first", ONE), ("second", OTHER), ("third", {})):
        part = part_of(joined, name)
        assert part.keys() == state.keys()
        assert all(part[key] is state[key] for key in state)


def test_states_can_be_joined_again_and_again() -> None:
    inner = join_states(x=ONE, y=OTHER)
    outer = join_states(chain=inner, z=OTHER)
    assert part_of(part_of(outer, "chain"), "x").keys() == ONE.keys()
    assert len(outer) == len(ONE) + 2 * len(OTHER)


def test_a_name_that_begins_like_another_is_another() -> None:
    joined = join_states(level=ONE, level_in=OTHER)
    assert part_of(joined, "level").keys() == ONE.keys()
    assert part_of(joined, "level_in").keys() == OTHER.keys()
    assert part_of(joined, "lev") == {}


def test_a_resampler_is_a_stage() -> None:
    stage: Stage = Resample(8000, 16_000)
    state = stage.reset(2)
    sound, state = stage.process(np.ones((2, 8000), np.float32), state)
    rest = stage.flush(state)
    assert sound.shape[1] + rest.shape[1] == 16_000
    assert stage.latency == 0
