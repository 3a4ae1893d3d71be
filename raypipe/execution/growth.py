"""When a worker's memory has grown so much that a new one had better take its place.

Comes in: the resident memory that comes with every batch. Goes out: yes or no.
What leaks may be a decoder's or a model's code, which raypipe cannot mend; a night's
run should not end with the machine out of memory because of it.
"""

from __future__ import annotations

SETTLED_BATCHES = 10
"""Batches until a worker has built all widths of its model and seen its usual work: some seconds.
No worker is replaced sooner, so replacing (a second or two) costs little even where much leaks."""

GROWN = 1.5
"""A worker may take so many times the memory that it had settled at ..."""

SPARE_BYTES = 512 << 20
"""... and as much as two batches of a higher rate or more channels need on top."""


class Growth:
    """One worker's memory."""

    def __init__(self) -> None:
        self._level_bytes = 0
        self._batches = 0

    def too_much(self, rss_bytes: int) -> bool:
        """Take in what came with a batch; True once the worker should go."""
        self._batches += 1
        if self._batches <= SETTLED_BATCHES:
            self._level_bytes = max(self._level_bytes, rss_bytes)
            return False
        return rss_bytes > GROWN * self._level_bytes + SPARE_BYTES
