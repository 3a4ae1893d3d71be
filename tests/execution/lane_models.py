"""Models for the tests of this room, named as ``python:tests.execution.lane_models:...``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.types import State
from tests.poison import MAGIC, Poisoned


class Spoiled(Poisoned):
    """The passthrough, which makes `value` of `MAGIC`."""

    def __init__(self, lanes: int, value: float) -> None:
        super().__init__(lanes, lambda: None)
        self._value = value

    def process(
        self, blocks: Sequence[NDArray[np.float32]], states: Sequence[State]
    ) -> tuple[list[NDArray[np.float32]], list[State]]:
        sounds, ends = super().process(blocks, states)
        spoiled = [np.where(sound == MAGIC, np.float32(self._value), sound) for sound in sounds]
        return spoiled, ends


def nan_maker(lanes: int) -> Spoiled:
    return Spoiled(lanes, np.nan)


def infinity_maker(lanes: int) -> Spoiled:
    return Spoiled(lanes, -np.inf)


def unloadable(lanes: int) -> Spoiled:
    """Gives its card to whoever looks it up (one lane), and cannot be loaded for work."""
    if lanes == 1:
        return Spoiled(lanes, 0.0)
    raise ModelError("unloadable: found no weights, wanted some")
