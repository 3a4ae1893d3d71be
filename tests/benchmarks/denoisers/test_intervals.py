"""Bootstrap intervals: they hold the mean as often as they say, and know what belongs together."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.denoisers.intervals import Interval, interval


def test_the_range_is_that_of_the_normal_distribution_for_many_values() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 900)
    found = interval(values, [str(n) for n in range(900)], np.zeros(900))
    assert found is not None
    assert found.mean == pytest.approx(values.mean())
    # 1.96 standard errors on each side; the bootstrap's own chance is a few percent of them.
    assert found.high - found.mean == pytest.approx(1.96 * 2 / 30, rel=0.1)
    assert found.mean - found.low == pytest.approx(1.96 * 2 / 30, rel=0.1)


def test_it_holds_the_truth_about_as_often_as_it_says() -> None:
    chance = np.random.default_rng(2)
    held = 0
    for _ in range(200):
        found = interval(chance.normal(size=60), [str(n) for n in range(60)], np.zeros(60))
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 180 <= held <= 200  # 190 were wanted; 180 is three standard deviations away


def test_values_of_one_group_are_drawn_together() -> None:
    values = np.repeat(np.random.default_rng(3).normal(size=20), 10)
    alone = interval(values, [str(n) for n in range(200)], np.zeros(200))
    together = interval(values, [str(n // 10) for n in range(200)], np.zeros(200))
    assert alone is not None and together is not None
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_what_is_missing_does_not_count() -> None:
    two = interval([1.0, 3.0], ["a", "b"], [0, 0])
    assert interval([1.0, np.nan, 3.0], ["a", "a", "b"], [0, 0, 0]) == two
    assert interval([np.nan], ["a"], [0]) is None
    assert interval([], [], []) is None


def test_what_was_chosen_is_no_chance() -> None:
    """30 recordings with six pairs each, at levels that chance gave them; levels are 10 apart."""
    chance, held, widths = np.random.default_rng(4), 0, []
    levels = np.arange(180) % 6
    groups = [str(n) for n in chance.permutation(np.arange(180) % 30)]
    for _ in range(200):
        own = chance.normal(size=30)[np.array(groups, int)]
        found = interval(10.0 * levels + own + chance.normal(size=180), groups, levels)
        assert found is not None
        held += found.low <= 25 <= found.high
        widths.append(found.high - found.low)
    assert 178 <= held <= 200
    # 3.9 standard errors: of 30 recordings, and of 180 pairs; the levels' 17 add nothing.
    assert np.mean(widths) == pytest.approx(3.92 * np.sqrt(1 / 30 + 1 / 180), rel=0.15)


def test_levels_count_alike_however_many_values_they_have() -> None:
    found = interval([0.0, 0.0, 0.0, 6.0], ["a", "b", "c", "d"], [1, 1, 1, 2])
    assert found is not None and found.mean == 3.0


def test_ranges_that_touch_are_not_apart() -> None:
    one, two, three = (Interval(0, low, low + 1, 9) for low in (0, 1, 1.5))
    assert not one.apart_from(two)
    assert one.apart_from(three) and three.apart_from(one)
