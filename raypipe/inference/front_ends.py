"""What stands between sound and graphs: the front ends that a card can name.

Comes in: lanes of sound, the graphs of one width, the lanes' state. Goes out: the
sound that they make of it. Everything is done for all rows and many steps at once;
only the graphs step one after the other.

``waveform``    frame = hop, nothing in between
``stft-mask``   frames under a root-Hann window -> rfft -> graph: magnitudes to mask ->
                masked spectrum -> irfft, window -> overlap-add
``dtln``        frames -> rfft -> graph 1: magnitudes to mask -> irfft -> graph 2: frames
                to frames -> overlap-add

References
----------
N. L. Westhausen, B. T. Meyer, Dual-signal transformation LSTM network for real-time
noise suppression, Interspeech 2020.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from raypipe.inference.card import ModelCard
from raypipe.inference.stack import Stack
from raypipe.types import State

Steps = NDArray[np.float32]
"""A lane's sound: ``(steps, hop)``."""

Shapes = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
"""Shape without the lane, and dtype, of each state array by name."""

WAVEFORM_SAMPLES = 1 << 18
"""Samples laid out for stepping at a time: 1 MB, so that they stay in a core's own cache."""

SPECTRAL_FRAMES = 1024
"""Frames transformed at a time: 2 MB of spectrum."""

TOGETHER = 16
"""Frames come to a multiple of this for a transform. The FFT takes several at once in a vector
register, what is left over one by one with other instructions; no frame must depend on which."""


PAST, TAIL = "line.past", "line.tail"
"""States of a spectral front end: ``frame - hop`` samples that were heard, and as many of the
output to which later frames will be added."""


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

        for first in range(start, stop, size):
            last = min(first + size, stop)
            for place, lane in enumerate(ins):
                frames[: last - first, place] = lane[first:last]
            stack.run(0, state, row, rows, last - first, feed, drain)
            for place, lane in enumerate(outs):
                lane[first:last] = sound[: last - first, place]


class Spectral:
    """A mask on the spectrum, perhaps a second graph on the masked frames, overlap-add.

    The output is late by ``frame - hop`` samples.
    """

    def __init__(self, card: ModelCard) -> None:
        # Takes 0.3 s to load, and only models with a spectrum need it.
        from scipy.fft import irfft, rfft

        self._rfft, self._irfft = rfft, irfft
        self._frame, self._hop = card.frame, card.hop
        self._kept = card.frame - card.hop
        self._two = card.second is not None
        self._window = root_hann(card.frame, card.hop)
        line: tuple[tuple[int, ...], np.dtype[Any]] = ((self._kept,), np.dtype(np.float32))
        self.state_shapes: Shapes = {PAST: line, TAIL: line}

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
        size = _padded(max(1, SPECTRAL_FRAMES // len(ins)), len(ins))
        for first in range(start, stop, size):
            last = min(first + size, stop)
            self._some(stack, ins, outs, state, row, first, last)

    def _some(
        self,
        stack: Stack,
        ins: Sequence[Steps],
        outs: Sequence[Steps],
        state: State,
        row: int,
        first: int,
        last: int,
    ) -> None:
        rows, hop, kept, steps = len(ins), self._hop, self._kept, last - first
        mine = slice(row, row + rows)
        padded = _padded(steps, rows)
        heard = np.zeros((rows, kept + padded * hop), np.float32)
        heard[:, :kept] = state[PAST][mine]
        for place, lane in enumerate(ins):
            heard[place, kept : kept + steps * hop] = lane[first:last].reshape(-1)
        state[PAST][mine] = heard[:, steps * hop : steps * hop + kept]
        frames = sliding_window_view(heard, self._frame, axis=1)[:, ::hop]
        if not self._two:
            frames = frames * self._window

        spectrum = self._rfft(frames)
        magnitude = np.abs(spectrum)

        def mask(tensor: NDArray[Any], step: int) -> None:
            spectrum[:, step : step + tensor.shape[1]] *= tensor

        stack.run(0, state, row, rows, steps, _hand_over(magnitude), mask)
        masked = self._irfft(spectrum, self._frame)

        said = np.zeros((rows, kept + steps * hop), np.float32)
        said[:, :kept] = state[TAIL][mine]

        def overlap(tensor: NDArray[Any], step: int) -> None:
            # One frame after the other: additions must keep the order of time.
            for number in range(tensor.shape[1]):
                begin = (step + number) * hop
                said[:, begin : begin + self._frame] += tensor[:, number]

        if self._two:
            stack.run(1, state, row, rows, steps, _hand_over(masked), overlap)
        else:
            overlap(masked[:, :steps] * self._window, 0)
        state[TAIL][mine] = said[:, steps * hop :]
        for place, lane in enumerate(outs):
            lane[first:last] = said[place, : steps * hop].reshape(-1, hop)


FRONT_ENDS: dict[str, Callable[[ModelCard], FrontEnd]] = {
    "waveform": Waveform,
    "stft-mask": Spectral,
    "dtln": Spectral,
}


def root_hann(frame: int, hop: int) -> NDArray[np.float32]:
    """The window that, put on a frame before and after, gives the input back by overlap-add.

    Parameters
    ----------
    frame, hop : int
        In samples; `hop` is at most half of `frame` and divides it.
    """
    hann = np.sin(np.pi * np.arange(frame) / frame) ** 2
    return np.sqrt(hann * 2 * hop / frame).astype(np.float32)


def _padded(steps: int, rows: int) -> int:
    """Steps, at least so many, with which all rows' frames fill whole registers."""
    unit = TOGETHER // math.gcd(TOGETHER, rows)
    return -(-steps // unit) * unit


def _hand_over(frames: NDArray[np.float32]) -> Callable[[NDArray[Any], int], None]:
    def feed(tensor: NDArray[Any], step: int) -> None:
        np.copyto(tensor, frames[:, step : step + tensor.shape[1]])

    return feed
