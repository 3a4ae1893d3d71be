"""The files that wait for a worker, in the order in which they are to be taken.

Comes in: tickets with what is left of their files, and with the worker that holds a file open which
another would have to decode again. Goes out, for a worker: its own files first, then the longest
remaining, then the oldest. Taking a batch costs what the batch has, not what waits: thousands do
where there are many workers.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import merge

_Key = tuple[float, int]
"""Seconds left, negative, and the ticket."""


class Ready:
    """Tickets in lines, one for each worker that holds files and one for all that are free."""

    def __init__(self) -> None:
        self._lines: dict[str, list[_Key]] = {"": []}
        self._where: dict[int, tuple[str, _Key]] = {}

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, ticket: int) -> bool:
        return ticket in self._where

    def add(self, ticket: int, left_s: float, owner: str = "") -> None:
        """Let a ticket wait; with an owner, others should not take it without need."""
        self.discard(ticket)
        key = (-left_s, ticket)
        insort(self._lines.setdefault(owner, []), key)
        self._where[ticket] = owner, key

    def discard(self, ticket: int) -> None:
        """Take a ticket out, if it waits."""
        if ticket not in self._where:
            return
        owner, key = self._where.pop(ticket)
        line = self._lines[owner]
        del line[bisect_left(line, key)]
        if owner and not line:
            del self._lines[owner]

    def free(self, owner: str) -> None:
        """Let everybody have the tickets of a worker."""
        for left_s, ticket in self._lines.pop(owner, []) if owner else ():
            del self._where[ticket]
            self.add(ticket, -left_s)

    def for_worker(self, worker: str, *, foreign: bool) -> Iterator[int]:
        """Tickets as this worker is to take them; `foreign`: those of other workers, too."""
        own = self._lines.get(worker, []) if worker else []
        others = [
            line
            for owner, line in self._lines.items()
            if not owner or (foreign and owner != worker)
        ]
        for line in (own, merge(*others)):
            for _, ticket in line:
                yield ticket
