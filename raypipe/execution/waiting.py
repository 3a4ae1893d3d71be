"""Workers that Ray finds no place for: counted on for a while, then spoken of, at last given up.

Comes in: the pool's seats. Goes out: how many workers may be counted on, one warning while some
wait, and the run's end where none at all has had a place for long.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from raypipe.errors import RaypipeError
from raypipe.execution.nodes import Nodes
from raypipe.execution.seat import Seat

PLACE_S = 900.0
"""Longest time for which no worker at all finds a place: a cloud's new machine takes minutes."""

SOON_S = 10.0
"""A worker that has waited longer for a CPU is not counted on, and spoken of."""

log = logging.getLogger(__name__)


def expected(seats: Sequence[Seat]) -> int:
    """Workers that are at work or may be soon; at least one."""
    recent_s = time.monotonic() - SOON_S
    return max(1, sum(s.arriving is None or s.since_s > recent_s for s in seats))


class Waiting:
    """A pool's workers that have no node yet.

    Parameters
    ----------
    memory_bytes : int
        What each of them asks for beside a CPU; 0: nothing.
    nodes : Nodes or None
        The cluster's nodes; None for a Ray of our own.
    """

    def __init__(self, memory_bytes: int, nodes: Nodes | None) -> None:
        self._memory_bytes, self._nodes = memory_bytes, nodes
        self._told = False
        self._idle_since_s = time.monotonic()

    def look(self, seats: Sequence[Seat], wanted: int) -> None:
        """Speak of workers that wait for a CPU; give up where none has had one for long.

        Raises
        ------
        RaypipeError
            Once no worker has found a place in `PLACE_S`.
        """
        now_s = time.monotonic()
        waiting = [s for s in seats if s.arriving is not None]
        if len(waiting) < len(seats) or not waiting:
            self._idle_since_s = now_s
        overdue = sum(now_s > s.since_s + SOON_S for s in waiting)
        if not overdue:
            self._told = False
            return
        if now_s > self._idle_since_s + PLACE_S:
            asked = self._asked(overdue, wanted)
            raise RaypipeError(f"no worker found a place in {PLACE_S:g} s: {asked}")
        if not self._told:
            self._told = True
            log.warning("waiting for room: %s", self._asked(overdue, wanted))

    def _asked(self, count: int, wanted: int) -> str:
        each = "1 CPU"
        if self._memory_bytes:
            each += f" and {self._memory_bytes / 1e9:.1f} GB"
        there = f"; the cluster has {self._nodes}" if self._nodes is not None else ""
        return f"{count} of {wanted} workers ({each} each) have no node yet{there}"
