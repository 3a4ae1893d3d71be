"""What stands between sound and graphs: the front ends that a card can name.

Comes in: lanes of sound, the graphs of one width, the lanes' state. Goes out: the
sound that they make of it. Everything is done for all rows and many steps at once;
only the graphs step one after the other.

``waveform``    frame = hop, nothing in between
``stft-mask``   frames under a root-Hann window -> rfft -> graph: magnitudes to mask ->
                masked spectrum -> irfft, window -> overlap-add
``dtln``        frames -> rfft -> graph 1: magnitudes to mask -> masked spectrum -> graph 2:
                spectra, real and imaginary parts by turns, to frames -> overlap-add

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
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from raypipe.inference.card import ModelCard
from raypipe.inference.stack import Hand, Stack
from raypipe.types import State

Steps = NDArray[np.float32]
"""A lane's sound: ``(steps, hop)``."""

Lines = NDArray[np.float32]
"""Several lanes' sound: ``(rows, samples)``."""

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

        stack.put_state(state, row, rows)
        for first in range(start, stop, size):
            last = min(first + size, stop)
            for place, lane in enumerate(ins):
                frames[: last - first, place] = lane[first:last]
            stack.run(0, last - first, feed, drain)
            for place, lane in enumerate(outs):
                lane[first:last] = sound[: last - first, place]
        stack.get_state(state, row, rows)


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
        rows, hop, kept = len(ins), self._hop, self._kept
        mine = slice(row, row + rows)
        size = _padded(max(1, SPECTRAL_FRAMES // rows), rows)
        heard = np.zeros((rows, kept + size * hop), np.float32)
        said = np.empty_like(heard)
        heard[:, :kept], said[:, :kept] = state[PAST][mine], state[TAIL][mine]
        stack.put_state(state, row, rows)
        for first in range(start, stop, size):
            last = min(first + size, stop)
            length = (last - first) * hop
            for place, lane in enumerate(ins):
                heard[place, kept : kept + length] = lane[first:last].reshape(-1)
            said[:, kept:] = 0
            self._some(stack, heard, said, last - first)
            for place, lane in enumerate(outs):
                lane[first:last] = said[place, :length].reshape(-1, hop)
            heard[:, :kept] = heard[:, length : length + kept]
            said[:, :kept] = said[:, length : length + kept]
        stack.get_state(state, row, rows)
        state[PAST][mine], state[TAIL][mine] = heard[:, :kept], said[:, :kept]

    def _some(self, stack: Stack, heard: Lines, said: Lines, steps: int) -> None:
        """Add to `said` what becomes of `heard`; both begin ``frame - hop`` before step 0."""
        rows, hop, frame = len(heard), self._hop, self._frame
        shape = rows, _padded(steps, rows), frame
        strides = heard.strides[0], hop * heard.itemsize, heard.itemsize
        frames = as_strided(heard, shape, strides, writeable=False)
        spectrum = self._rfft(frames if self._two else frames * self._window)
        magnitude = np.abs(spectrum)
        stack.run(0, steps, _from(magnitude), _into(magnitude))
        spectrum *= magnitude

        def overlap(tensor: NDArray[Any], step: int) -> None:
            # One frame after the other: additions must keep the order of time.
            for number in range(tensor.shape[1]):
                begin = (step + number) * hop
                said[:, begin : begin + frame] += tensor[:, number]

        if self._two:
            stack.run(1, steps, _from(spectrum.view(np.float32)), overlap)
        else:
            masked = self._irfft(spectrum, frame).astype(np.float32, copy=False)
            masked *= self._window
            overlap(masked[:, :steps], 0)


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


def _from(frames: NDArray[np.float32]) -> Hand:
    """Hands ``(rows, steps, size)`` to a graph."""

    def feed(tensor: NDArray[Any], step: int) -> None:
        np.copyto(tensor, frames[:, step : step + tensor.shape[1]])

    return feed


def _into(frames: NDArray[np.float32]) -> Hand:
    """Takes ``(rows, steps, size)`` from a graph."""

    def drain(tensor: NDArray[Any], step: int) -> None:
        np.copyto(frames[:, step : step + tensor.shape[1]], tensor)

    return drain
