"""How long a batch may take before its worker is taken to hang.

Comes in: batches before they are sent, results once they are back. Goes out: seconds. Pure: no
clock. The time follows from the sound in a batch and the slowest pace that was measured so far.
"""

from __future__ import annotations

from raypipe.storage import is_address
from raypipe.types import BatchResult, FrameBatch, Segment, Stepped

PATIENCE_S = 60.0
"""Grace of every batch: slow disks, a busy machine, the first call of a cold worker."""

STORE_PATIENCE_S = 600.0
"""As much again where it is read from a store: a throttled one, whose every call is tried for a
minute, must not look like a file that hangs its worker."""

UNMEASURED_PACE = 2.0
"""Seconds that a second of one lane may take while no batch has come back yet ..."""

SLOWER_THAN_MEASURED = 20.0
"""... and how many times the slowest pace so far it may take from then on ..."""

SLOWEST_DECODING_X_REAL_TIME = 20.0
"""... with as much again as what must be decoded to get to its start takes at this speed."""


class Deadlines:
    """The times that batches of one run may take.

    Parameters
    ----------
    asked_s : float or None
        Seconds that each may take; None: from what it holds.
    """

    def __init__(self, asked_s: float | None) -> None:
        self._asked_s = asked_s
        self._pace_s: float | None = None

    def timeout_s(self, batch: FrameBatch) -> float:
        """Seconds that this batch may take."""
        if self._asked_s is not None:
            return self._asked_s
        sound_s = sum(_lane_seconds(segment, batch.segment_s) for segment in batch.segments)
        again_s = sum(
            s.start / s.info.rate_hz for s in batch.segments if s.info and s.info.sequential
        )
        far = any(is_address(segment.file.path) for segment in batch.segments)
        patience_s = PATIENCE_S + (STORE_PATIENCE_S if far else 0.0)
        return patience_s + sound_s * self._slowest() + again_s / SLOWEST_DECODING_X_REAL_TIME

    def _slowest(self) -> float:
        """Seconds that a second of one lane may take."""
        return UNMEASURED_PACE if self._pace_s is None else SLOWER_THAN_MEASURED * self._pace_s

    def learn(self, result: BatchResult) -> None:
        """Keep the slowest pace of a batch, for the deadlines of those to come."""
        lane_s = sum(
            answer.read / answer.info.rate_hz * answer.info.channels
            for answer in result.answers
            if isinstance(answer, Stepped)
        )
        if lane_s >= 1:
            self._pace_s = max(self._pace_s or 0.0, sum(result.busy_s.values()) / lane_s)


def _lane_seconds(segment: Segment, segment_s: float) -> float:
    """Sound in a segment, as far as it is known before it is read, times its lanes."""
    info = segment.info
    if info is None:
        return segment_s
    left_s = segment_s if info.frames is None else (info.frames - segment.start) / info.rate_hz
    return info.channels * max(1.0, min(segment_s, left_s))
