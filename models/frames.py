"""Several frames in one call of a graph: apart, so that each takes up the last one's state, and
together again, so that matrix kernels get them all at once. Axis 1 holds the frames."""

from __future__ import annotations

from typing import Any

FRAMES_IN_A_CALL = (1, 12)
"""Twelve fill the tiles of matrix kernels well, whether these take 4, 5, 6 or 7 rows (12, 15, 12
and 14 are computed), and can be split by 4 and 3, which XNNPACK takes."""

MOST_PARTS = 4
"""Into which XNNPACK splits, or of which it joins, a tensor."""


def split_frames(x: Any, frames: int) -> list[Any]:
    """``(lanes, frames, n)`` frame by frame, ``(lanes, 1, n)`` each."""
    import tensorflow as tf

    if frames == 1:
        return [x]
    parts = next(n for n in range(MOST_PARTS, 0, -1) if frames % n == 0)
    return [
        one for some in tf.split(x, parts, axis=1) for one in split_frames(some, frames // parts)
    ]


def join_frames(frames: list[Any]) -> Any:
    """What `split_frames` gave, in one tensor again."""
    import tensorflow as tf

    while len(frames) > 1:
        groups = [frames[i : i + MOST_PARTS] for i in range(0, len(frames), MOST_PARTS)]
        frames = [tf.concat(group, axis=1) if len(group) > 1 else group[0] for group in groups]
    return frames[0]
