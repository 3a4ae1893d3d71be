"""Means with the range in which they would fall again, by the bootstrap.

Comes in: a value for each pair, to which group (its noise recording) the pair belongs, and its
level (its SNR). Goes out: the mean and its 95 % interval. Groups are drawn, not pairs, as pairs
that share a noise are no independent witnesses. Levels were chosen, not found: each draw's mean
is that of its levels' means, or a draw with more of the loud noises would pass for chance.

References
----------
B. Efron and R. Tibshirani, "An introduction to the bootstrap", 1993, chapters 6 and 13
(percentile interval). D. Holt and T. M. F. Smith, "Post stratification", JRSS A 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Table = NDArray[np.float64]

DRAWS = 5000
SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its range."""

    mean: float
    low: float
    high: float
    count: int
    """Values that were there."""

    def apart_from(self, other: Interval) -> bool:
        """True where the two ranges have nothing in common."""
        return self.low > other.high or self.high < other.low


def interval(
    values: ArrayLike, groups: Sequence[str], levels: ArrayLike, seed: int = 7
) -> Interval | None:
    """The mean of the values and its 95 % interval; None where there are none.

    Parameters
    ----------
    values : array_like, shape (n,)
        NaN counts as not there.
    groups : sequence of str, length n
        What is drawn together.
    levels : array_like, shape (n,)
        All levels count alike in the mean.
    seed : int
        Of the draws.
    """
    found = np.asarray(values, np.float64)
    there = np.isfinite(found)
    if not there.any():
        return None
    names, group = np.unique(np.asarray(groups)[there], return_inverse=True)
    steps, level = np.unique(np.asarray(levels)[there], return_inverse=True)
    sums, counts = np.zeros((2, len(names), len(steps)))
    np.add.at(sums, (group, level), found[there])
    np.add.at(counts, (group, level), 1)
    drawn = np.random.default_rng(seed).integers(0, len(names), (DRAWS, len(names)))
    means = _mean(sums[drawn].sum(1), counts[drawn].sum(1))
    low, high = np.quantile(means, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    mean = float(_mean(sums.sum(0), counts.sum(0)))
    return Interval(mean, float(low), float(high), int(there.sum()))


def _mean(sums: Table, counts: Table) -> Table:
    """Over the last axis, of the levels that are there."""
    there = counts > 0
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=there)
    total: Table = means.sum(-1) / there.sum(-1)
    return total
