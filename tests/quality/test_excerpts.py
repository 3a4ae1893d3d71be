"""Excerpts: short sounds whole, long ones evenly."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from raypipe.quality.excerpts import spread


@given(st.integers(0, 10**7), st.integers(1, 10**6), st.integers(1, 50))
def test_they_lie_inside_in_order_and_side_by_side(total: int, length: int, most: int) -> None:
    whole = length + length // 2
    found = spread(total, whole, length, most)
    if total <= whole:
        assert found == [(0, total)]
        return
    assert 1 <= len(found) <= most
    assert all(stop - start == length for start, stop in found)
    assert found[0][0] == 0
    assert found[-1][1] <= total
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    assert found[-1][1] == total or len(found) == 1
