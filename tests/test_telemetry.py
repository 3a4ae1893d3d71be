"""Seconds that add up, and estimates that stay sensible."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raypipe.telemetry import Progress, Stopwatch, add_up, resident_bytes

NUMBERS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2**40).map(float))


def test_a_stopwatch_adds_the_time_of_each_part() -> None:
    clock = Stopwatch()
    for _ in range(3):
        with clock("one"):
            time.sleep(0.01)
    with clock("two"):
        pass
    assert set(clock.busy_s) == {"one", "two"}
    assert 0.03 <= clock.busy_s["one"] < 0.5
    assert 0 <= clock.busy_s["two"] < 0.01


def test_time_counts_even_where_the_work_fails() -> None:
    clock = Stopwatch()
    with pytest.raises(ZeroDivisionError), clock("one"):
        time.sleep(0.01)
        print(1 // 0)
    assert clock.busy_s["one"] >= 0.01


def test_what_is_taken_is_not_given_again() -> None:
    clock = Stopwatch()
    with clock("one"):
        pass
    taken = clock.take()
    assert set(taken) == {"one"}
    assert clock.take() == {}
    with clock("two"):
        pass
    assert set(taken) == {"one"}, "what was taken does not go on counting"


@given(st.lists(NUMBERS, max_size=5))
def test_sums_are_those_of_all_parts(parts: list[dict[str, float]]) -> None:
    total = add_up(parts)
    assert set(total) == {name for part in parts for name in part}
    for name, seconds in total.items():
        assert seconds == sum(part.get(name, 0.0) for part in parts)


def test_sums_leave_what_they_add_up_alone() -> None:
    one, two = {"a": 1.0}, {"a": 2.0}
    assert add_up((one, two)) == {"a": 3.0}
    assert (one, two) == ({"a": 1.0}, {"a": 2.0})


def test_memory_that_is_used_is_counted() -> None:
    before = resident_bytes()
    if not before:
        pytest.skip("this system does not tell")
    block = np.ones(64 << 17)  # 64 MiB
    assert 60 << 20 <= resident_bytes() - before <= 100 << 20
    assert block[0] == 1


def test_nothing_is_estimated_from_nothing() -> None:
    progress = Progress(listed=10, total_bytes=1000)
    assert (progress.total_s, progress.x_real_time, progress.left_s) == (None, 0.0, None)


def test_the_time_left_follows_from_what_was_opened() -> None:
    progress = Progress(
        audio_s=50.0, known_s=100.0, opened_bytes=1000, total_bytes=4000, working_s=5.0
    )
    assert progress.total_s == 400.0
    assert progress.x_real_time == 10.0
    assert progress.left_s == 35.0


def test_less_than_nothing_is_never_left() -> None:
    progress = Progress(
        audio_s=50.0, known_s=10.0, opened_bytes=1000, total_bytes=1000, working_s=5.0
    )
    assert (progress.total_s, progress.left_s) == (50.0, 0.0)
