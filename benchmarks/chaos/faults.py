"""What goes wrong in a round, and when: drawn from a seed, before the round begins.

A moment is told in published files, not in seconds, so that a slow machine meets the same faults at
the same places of the work.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.nodes import NOTICED_S

PROCESSES = ("worker", "collector")
"""One process of the run is killed."""
LOSSES = ("raylet", "power", "cut", "outage")
"""A node is lost: Ray's process there killed; all processes and the link; cut off for good; cut off
until the others have given it up, then back."""
DRIVERS = ("driver", "sigterm")
"""The driver is killed, or told to end; then the command is given again."""
NETWORK = ("blink", "join")
"""A node is cut off for less than it takes to be given up; a new node joins."""
BUCKET = ("503", "slow", "broken")
"""The bucket refuses, dawdles, breaks connections off, for a while."""

KINDS = (*PROCESSES, *LOSSES, *DRIVERS, *NETWORK)
FEWEST, MOST = 2, 4
LATEST = 0.8
"""Faults happen before this share of the files is published."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong."""

    kind: str
    after: int
    """Once so many files are published ..."""
    delay_s: float
    """... and then so long."""
    lasting_s: float
    """Of what passes by itself."""
    pick: int
    """Chooses the node and the process among those that are there."""


def draw(chance: random.Random, files: int, *, bucket: bool = False) -> list[Fault]:
    """The faults of one round, in their order.

    Never are more nodes lost than joined but one, so that a cluster of two can end its work.
    """
    count = chance.randint(FEWEST, MOST)
    moments = sorted(chance.randrange(0, max(1, int(files * LATEST))) for _ in range(count))
    faults: list[Fault] = []
    for moment in moments:
        kind = chance.choice(_possible(faults, bucket))
        lasting_s = chance.uniform(0.3, 0.3 * NOTICED_S)
        if kind == "outage":
            lasting_s = chance.uniform(1.5, 2.0) * NOTICED_S
        elif kind in BUCKET:
            lasting_s = chance.uniform(0.5, 4.0)
        faults.append(
            Fault(kind, moment, chance.uniform(0, 0.3), lasting_s, chance.randrange(1 << 16))
        )
    return faults


def _possible(faults: Sequence[Fault], bucket: bool) -> tuple[str, ...]:
    kinds = [fault.kind for fault in faults]
    lost = sum(kind in LOSSES for kind in kinds) - kinds.count("join")
    possible = KINDS if lost < 1 else tuple(kind for kind in KINDS if kind not in LOSSES)
    # Every second fault is the bucket's own where there is one.
    return possible + BUCKET * (len(possible) // len(BUCKET)) if bucket else possible
