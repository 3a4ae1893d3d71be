"""The recurrent model, slowed down, so that a run lasts while nodes come and go."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raypipe.inference.card import ModelCard
from raypipe.inference.lanes import LaneModel
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.types import State

CALL_S = 0.25


class Slow:
    def __init__(self, lanes: int) -> None:
        self._inner: LaneModel = load_lane_model(find_model("recurrent"), lanes)
        self.card: ModelCard = self._inner.card
        self.lanes = lanes

    def new_state(self, lanes: int) -> State:
        return self._inner.new_state(lanes)

    def process(
        self, blocks: Sequence[NDArray[np.float32]], states: Sequence[State]
    ) -> tuple[list[NDArray[np.float32]], list[State]]:
        time.sleep(CALL_S)
        return self._inner.process(blocks, states)


class Leaky(Slow):
    """Keeps 16 MiB more with each call."""

    def __init__(self, lanes: int) -> None:
        super().__init__(lanes)
        self._kept: list[NDArray[np.float32]] = []

    def process(
        self, blocks: Sequence[NDArray[np.float32]], states: Sequence[State]
    ) -> tuple[list[NDArray[np.float32]], list[State]]:
        self._kept.append(np.ones(4 << 20, np.float32))
        return self._inner.process(blocks, states)
