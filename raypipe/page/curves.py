"""Lines of a page: the outline of a waveform, levels and noise floor over time.

Comes in: samples. Goes out: values for each column of a picture, and these as
the path of an SVG whose box is `BOX_WIDTH` by `BOX_HEIGHT`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.types import Samples

BOX_WIDTH, BOX_HEIGHT = 1000, 200
COLUMNS = 500

LEVEL_S = 0.05
"""Length of the stretches of which levels are taken."""
FLOOR_WINDOW_S = 3.0
"""The noise floor at a moment is that of so much time around it."""
FLOOR_SHARE = 10
"""Per cent of the stretches there that do not exceed it."""

LOWEST_DB = -120.0
"""Quieter ones, digital silence too, stand at this."""


def outline(sound: Samples) -> NDArray[np.float32]:
    """Lowest and highest sample of each column, of all channels; ``(2, columns)``."""
    samples = sound.shape[1]
    columns = min(COLUMNS, samples)
    starts = np.arange(columns) * samples // columns
    low = np.minimum.reduceat(sound.min(axis=0), starts)
    high = np.maximum.reduceat(sound.max(axis=0), starts)
    return np.stack([low, high])


def levels_db(sound: Samples, rate_hz: int) -> NDArray[Any]:
    """Level of each `LEVEL_S`, mean of all channels, in dBFS (a sine of full scale: -3.01)."""
    block = max(1, round(LEVEL_S * rate_hz))
    power = np.mean(np.square(sound, dtype=np.float64), axis=0)
    starts = np.arange(0, len(power), block)
    counts = np.diff([*starts, len(power)])
    mean = np.add.reduceat(power, starts) / counts
    decibels: NDArray[Any] = 10 * np.log10(np.maximum(mean, 10 ** (LOWEST_DB / 10)))
    return decibels


def floor_db(levels: NDArray[Any]) -> NDArray[Any]:
    """Noise floor at each of these levels: what few of those around it do not exceed."""
    reach = round(FLOOR_WINDOW_S / LEVEL_S / 2)
    return np.array(
        [
            np.percentile(levels[max(0, at - reach) : at + reach + 1], FLOOR_SHARE)
            for at in range(len(levels))
        ]
    )


def outline_path(low_high: NDArray[np.float32], full: float, share: float = 1.0) -> str:
    """A closed shape; samples of `-full` to `full` fill the box, or this share of its width."""
    columns = low_high.shape[1]
    x = (np.arange(columns) + 0.5) * share * BOX_WIDTH / columns
    if columns == 1:  # one sample alone would have no width
        x, low_high = np.array([0.0, share * BOX_WIDTH]), np.repeat(low_high, 2, axis=1)
    y = BOX_HEIGHT / 2 * (1 - np.clip(low_high / full, -1, 1))
    there = _points(x, y[1])
    back = _points(x[::-1], y[0][::-1])
    return f"M{there}L{back}Z"


def line_path(
    levels: NDArray[Any], bottom_db: float, top_db: float, there_s: float, seconds: float
) -> str:
    """A line, each level in the middle of its `LEVEL_S`.

    `bottom_db` to `top_db` and `seconds` fill the box; the sound ends at `there_s`.
    """
    edges = np.minimum(np.arange(len(levels) + 1) * LEVEL_S, there_s)
    times_s = np.concatenate([[0.0], (edges[:-1] + edges[1:]) / 2, [there_s]])
    levels = np.concatenate([levels[:1], levels, levels[-1:]])
    y = BOX_HEIGHT * (top_db - np.clip(levels, bottom_db, top_db)) / (top_db - bottom_db)
    return f"M{_points(BOX_WIDTH * times_s / seconds, y)}"


def _points(x: NDArray[Any], y: NDArray[Any]) -> str:
    return "L".join(f"{_short(a)} {_short(b)}" for a, b in zip(x, y, strict=True))


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
