"""States cross the driver sealed: as bytes that it keeps and passes on, and never looks into.

Comes in: batches and their results, in a worker's process. Goes out: the same, with each segment's
state as one run of bytes instead of a dozen small arrays. Opening and sealing them is the workers'
work, of whom there are many; the driver is alone, and holds a state for every open file.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import cast

from raypipe.types import BatchResult, FrameBatch, State, Stepped

PROTOCOL = 5


def unsealed(batch: FrameBatch) -> FrameBatch:
    """A batch as a worker takes it."""
    segments = (
        replace(s, state=pickle.loads(s.state)) if isinstance(s.state, bytes) else s  # noqa: S301
        for s in batch.segments
    )
    return replace(batch, segments=tuple(segments))


def sealed(result: BatchResult) -> BatchResult:
    """A result as it goes to the driver, which hands states on as they are, whatever their type."""
    answers = (
        replace(a, state=cast(State, pickle.dumps(a.state, PROTOCOL)))
        if isinstance(a, Stepped) and a.state is not None
        else a
        for a in result.answers
    )
    return replace(result, answers=tuple(answers))
