"""What was sealed and opened again is the same to the bit."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np

from raypipe.execution.sealed import sealed, unsealed
from raypipe.types import AudioFile, BatchResult, FrameBatch, Refused, Segment, SoundInfo, Stepped

FILE = AudioFile("a", "a", "a", 0, 0)
INFO = SoundInfo(16_000, 1, None, "WAV", "PCM_16")


def test_a_state_comes_back_as_it_was_and_all_else_is_left_alone() -> None:
    memory = np.random.default_rng(0).standard_normal((3, 7)).astype(np.float32)
    state = {"rows": memory[1:2], "counts": np.array([[1, 2]], np.int64), "none": memory[:0]}
    answers = (
        Stepped(1, INFO, 5, False, state), Stepped(2, INFO, 5, True, None), Refused(3, "no"),
    )  # fmt: skip
    result = sealed(BatchResult(4, answers, {"step": 1.0}, 2.0, 3.0, 5))
    assert replace(result, answers=answers) == BatchResult(4, answers, {"step": 1.0}, 2.0, 3.0, 5)
    assert result.answers[1:] == answers[1:]
    first = result.answers[0]
    assert isinstance(first, Stepped) and isinstance(first.state, bytes)
    assert len(first.state) < 1000, "a view takes nothing along of what it is a view of"
    segments = (Segment(1, FILE, 5, 0, INFO, first.state), Segment(2, FILE, 0, 0))
    batch = pickle.loads(pickle.dumps(FrameBatch(9, segments, 1.5)))
    opened = unsealed(batch)
    assert replace(opened, segments=segments) == FrameBatch(9, segments, 1.5)
    assert opened.segments[1] == segments[1]
    assert opened.segments[0].state is not None
    assert list(opened.segments[0].state) == list(state)
    for name, array in opened.segments[0].state.items():
        assert array.dtype == state[name].dtype
        assert np.array_equal(array, state[name])


def test_a_state_that_was_never_sealed_is_taken_as_it_is() -> None:
    state = {"a": np.zeros((1, 2))}
    batch = FrameBatch(1, (Segment(1, FILE, 5, 0, INFO, state),), 1.0)
    assert unsealed(batch).segments[0].state is state
