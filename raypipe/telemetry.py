"""Counters and timers of a run's speed that add up over workers.

A `Stopwatch` collects seconds by part of the work on one process; `add_up`
merges what several collected. Sound quality is not measured here.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass


class Stopwatch:
    """Seconds by name, of this process."""

    def __init__(self) -> None:
        self.busy_s: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Add the time spent inside the ``with`` block to `part`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent_s = time.perf_counter() - begin
            self.busy_s[part] = self.busy_s.get(part, 0.0) + spent_s

    def take(self) -> dict[str, float]:
        """Give what was collected and start again from nothing."""
        taken, self.busy_s = self.busy_s, {}
        return taken


def add_up(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Sum of several stopwatches' seconds, by name."""
    total: dict[str, float] = {}
    for part in parts:
        for name, spent_s in part.items():
            total[name] = total.get(name, 0.0) + spent_s
    return total


def resident_bytes() -> int:
    """Resident memory of this process in bytes; 0 where the system does not tell.

    Memory that is shared, in which Ray's object store lies, is left out: a process that reads and
    writes there has touched all of it some day, and owns none of it.
    """
    try:
        with open("/proc/self/status", "rb") as status:
            parts = [line.split() for line in status if line.startswith((b"RssAnon", b"RssFile"))]
        return sum(int(part[1]) for part in parts) * 1024
    except (OSError, ValueError, IndexError):
        return 0


@dataclass(slots=True)
class Progress:
    """How far a run is; what a progress bar shows."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    listed: int = 0
    """Files listed so far."""
    all_listed: bool = False
    audio_s: float = 0.0
    """Seconds of audio stepped."""
    known_s: float = 0.0
    """Seconds of audio in the files that were opened."""
    opened_bytes: int = 0
    """Bytes of the files that were opened."""
    total_bytes: int = 0
    """Bytes of all the files that are to be done, as far as they are listed."""
    working_s: float = 0.0
    """Seconds since the first worker was ready."""

    @property
    def total_s(self) -> float | None:
        """Estimate of all audio, from the seconds a byte of the files opened so far."""
        if not self.opened_bytes:
            return None
        return max(self.audio_s, self.known_s * self.total_bytes / self.opened_bytes)

    @property
    def x_real_time(self) -> float:
        """Audio over wall time, after start-up."""
        return self.audio_s / self.working_s if self.working_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Estimate of the wall time still needed."""
        total_s, speed = self.total_s, self.x_real_time
        return (total_s - self.audio_s) / speed if total_s is not None and speed else None
