"""Means with the range in which they would fall again, by the bootstrap.

Comes in: a value for each pair, and to which group (its noise recording) the pair belongs.
Goes out: the mean and its 95 % interval. Groups are drawn, not pairs, as pairs that share a
noise are no independent witnesses.

Reference: B. Efron and R. Tibshirani, "An introduction to the bootstrap", 1993, chapters 6
and 13 (percentile interval).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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


def interval(values: ArrayLike, groups: Sequence[str], seed: int = 7) -> Interval | None:
    """The mean of the values and its 95 % interval; None where there are none.

    Parameters
    ----------
    values : array_like, shape (n,)
        NaN counts as not there.
    groups : sequence of str, length n
        What is drawn together.
    seed : int
        Of the draws.
    """
    found = np.asarray(values, np.float64)
    there = np.isfinite(found)
    if not there.any():
        return None
    _, place = np.unique(np.asarray(groups)[there], return_inverse=True)
    sums, counts = np.bincount(place, found[there]), np.bincount(place)
    drawn = np.random.default_rng(seed).integers(0, len(counts), (DRAWS, len(counts)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return Interval(float(found[there].mean()), float(low), float(high), int(there.sum()))
