"""Shipped models that keep an account of what they step, no faster than they are told to.

Named as ``python:benchmarks.chaos.paced:recurrent``. What a worker has stepped cannot be asked of
it once it is killed, so it is written down, before each call, in a file of its own:

    PACED_LOG=FOLDER              FOLDER/<network namespace>-<process>-<time>
                                    one line a call: monotonic seconds, seconds of sound, all lanes
    PACED_X_REAL_TIME=30          a call takes at least its seconds of sound over this

The second makes a run last, and leaves the cores to the nodes' own processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from raypipe.inference.card import ModelCard
from raypipe.inference.lanes import LaneModel
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.types import State

LOG, PACE = "PACED_LOG", "PACED_X_REAL_TIME"


class Paced:
    """A model with an account and a pace."""

    def __init__(self, name: str, lanes: int) -> None:
        self._inner: LaneModel = load_lane_model(find_model(name), lanes)
        self.card: ModelCard = self._inner.card
        self.lanes = lanes
        self._rate_hz = self.card.rate_hz or 16_000
        self._pace = float(os.environ.get(PACE, "inf"))
        self._log: Path | None = None
        if folder := os.environ.get(LOG):
            here = Path("/proc/self/ns/net").stat().st_ino
            self._log = Path(folder, f"{here}-{os.getpid()}-{time.monotonic_ns()}")

    def new_state(self, lanes: int) -> State:
        """See `LaneModel`."""
        return self._inner.new_state(lanes)

    def process(
        self, blocks: Sequence[NDArray[np.float32]], states: Sequence[State]
    ) -> tuple[list[NDArray[np.float32]], list[State]]:
        """Step every block, written down beforehand."""
        sound_s = sum(block.size for block in blocks) / self._rate_hz
        begin_s = time.monotonic()
        if self._log is not None:
            with self._log.open("a") as log:
                log.write(f"{begin_s} {sound_s}\n")
        made = self._inner.process(blocks, states)
        time.sleep(max(0.0, begin_s + sound_s / self._pace - time.monotonic()))
        return made


def recurrent(lanes: int) -> Paced:
    """The shipped model whose every sample depends on all before it."""
    return Paced("recurrent", lanes)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a model, as written down."""

    namespace: int
    process: int
    at_s: float
    """Monotonic clock, which all namespaces share."""
    sound_s: float


def calls(folder: Path) -> Iterator[Call]:
    """All calls that are written down in a folder."""
    for path in sorted(folder.iterdir()):
        namespace, process, _ = path.name.split("-")
        for line in path.read_text().splitlines():
            at_s, _, sound_s = line.partition(" ")
            if sound_s:
                yield Call(int(namespace), int(process), float(at_s), float(sound_s))
