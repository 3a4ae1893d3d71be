"""Models that do harm on a magic sample, for tests of what survives it.

Named as ``python:tests.poison:killer`` and ``python:tests.poison:hanger``; both
are the shipped passthrough until a sample is `MAGIC`. `MAGIC` has 24 significant
bits below 2^-3, so only files of float samples can hold it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from raypipe.inference.card import ModelCard
from raypipe.inference.lanes import LaneModel
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.types import State

MAGIC = np.float32(0.123456789)


class Poisoned:
    """The passthrough, with something that happens on `MAGIC`."""

    def __init__(self, lanes: int, harm: Callable[[], None]) -> None:
        self._inner: LaneModel = load_lane_model(find_model("passthrough"), lanes)
        self._harm = harm
        self.card: ModelCard = self._inner.card
        self.lanes = lanes

    def new_state(self, lanes: int) -> State:
        return self._inner.new_state(lanes)

    def process(
        self, blocks: Sequence[NDArray[np.float32]], states: Sequence[State]
    ) -> tuple[list[NDArray[np.float32]], list[State]]:
        if any((block == MAGIC).any() for block in blocks):
            self._harm()
        return self._inner.process(blocks, states)


def killer(lanes: int) -> Poisoned:
    """Ends its process at once, as a crash in native code would."""
    return Poisoned(lanes, lambda: os.kill(os.getpid(), signal.SIGKILL))


def hanger(lanes: int) -> Poisoned:
    """Does not come back."""
    return Poisoned(lanes, _hang)


def _hang() -> None:
    while True:
        time.sleep(1)


def buggy(lanes: int) -> Poisoned:
    """Has a programming error."""
    return Poisoned(lanes, lambda: print(1 // 0))
