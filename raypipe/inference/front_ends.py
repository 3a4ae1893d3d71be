"""What stands between sound and graphs: the front ends that a card can name.

Comes in: lanes of sound, the graphs of one width, the lanes' state. Goes out: the
sound that they make of it. Everything is done for all rows and many steps at once;
only the graphs step one after the other.

``waveform``    frame = hop, nothing in between: here
``stft-mask``   a mask on the spectrum: `raypipe.inference.spectral`
``dtln``        the same, then a second graph: there, too
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from raypipe.inference.card import ModelCard
from raypipe.inference.spectral import Shapes, Spectral, Steps, root_hann
from raypipe.inference.stack import Stack
from raypipe.types import State

__all__ = ["FRONT_ENDS", "FrontEnd", "Waveform", "root_hann"]

WAVEFORM_SAMPLES = 1 << 18
"""Samples laid out for stepping at a time: 1 MB, so that they stay in a core's own cache."""


class FrontEnd(Protocol):
    """What each of them can do."""

    state_shapes: Shapes
    """What it remembers of a lane, beside the graphs."""

    def step(
        self,
        stack: Stack,
        ins: Sequence[Steps],
        outs: Sequence[Steps],
        state: State,
        row: int,
        start: int,
        stop: int,
    ) -> None:
        """Step lanes.

        Parameters
        ----------
        stack : Stack
            At least as wide as there are lanes.
        ins, outs : sequence of array
            Each lane's sound, and where to write what becomes of it.
        state : State
            Of all lanes, graphs' and front end's; read and put back.
        row : int
            The first lane's row in `state`.
        start, stop : int
            Steps to take.
        """


class Waveform:
    """Sound goes into the graph as it is."""

    def __init__(self, card: ModelCard) -> None:
        self.state_shapes: Shapes = {}
        self._hop = card.hop
        self._laid_in = np.empty(0, np.float32)
        self._laid_out = np.empty(0, np.float32)

    def step(
        self,
        stack: Stack,
        ins: Sequence[Steps],
        outs: Sequence[Steps],
        state: State,
        row: int,
        start: int,
        stop: int,
    ) -> None:
        """See `FrontEnd.step`."""
        rows, hop = len(ins), self._hop
        size = max(1, WAVEFORM_SAMPLES // (rows * hop))
        if self._laid_in.size < size * rows * hop:
            self._laid_in = np.empty(size * rows * hop, np.float32)
            self._laid_out = np.empty_like(self._laid_in)
        frames = self._laid_in[: size * rows * hop].reshape(size, rows, hop)
        sound = self._laid_out[: size * rows * hop].reshape(size, rows, hop)

        def feed(tensor: NDArray[Any], step: int) -> None:
            np.copyto(tensor, frames[step])

        def drain(tensor: NDArray[Any], step: int) -> None:
            np.copyto(sound[step], tensor)

        stack.put_state(state, row, rows)
        for first in range(start, stop, size):
            last = min(first + size, stop)
            for place, lane in enumerate(ins):
                frames[: last - first, place] = lane[first:last]
            stack.run(0, last - first, feed, drain)
            for place, lane in enumerate(outs):
                lane[first:last] = sound[: last - first, place]
        stack.get_state(state, row, rows)


FRONT_ENDS: dict[str, Callable[[ModelCard], FrontEnd]] = {
    "waveform": Waveform,
    "stft-mask": Spectral,
    "dtln": Spectral,
}
