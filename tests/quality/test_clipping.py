"""Runs at full scale, counted plainly and as the meter does."""

from __future__ import annotations

from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raypipe.quality.clipping import RUN, ClippedRuns

levels = st.lists(st.sampled_from([0.0, 1.0, -1.0, 0.9999, 1.7, 0.99996]), min_size=0, max_size=40)


@given(levels, levels, st.lists(st.integers(0, 40), max_size=5))
def test_any_cutting_counts_what_a_plain_count_does(
    left: list[float], right: list[float], cuts: list[int]
) -> None:
    size = min(len(left), len(right))
    sound = np.array([left[:size], right[:size]], np.float32).reshape(2, size)
    runs = ClippedRuns(2)
    for part in np.split(sound, sorted(min(cut, size) for cut in cuts), axis=1):
        runs.add(part)
    runs.finish()
    lengths = [
        len(list(group))
        for row in sound
        for at_top, group in groupby(row, lambda x: abs(x) >= 0.99994)
        if at_top
    ]
    assert runs.samples == sum(n for n in lengths if n >= RUN)
    assert runs.runs == sum(n >= RUN for n in lengths)


def test_both_ends_of_16_bit_are_full_scale_and_one_peak_is_no_damage() -> None:
    runs = ClippedRuns(1)
    runs.add(np.array([[32767, 32767, 32767, 0, -32768, -32768, -32768, 0, 32767]]) / 32768)
    runs.finish()
    assert (runs.samples, runs.runs) == (6, 2)
