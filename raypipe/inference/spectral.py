"""Front ends on a spectrum: a mask, perhaps a second graph on what is masked, overlap-add.

Comes in: lanes of sound, the graphs of one width, the lanes' state. Goes out: the
sound that they make of it::

    stft-mask   frames under a root-Hann window -> rfft -> graph: magnitudes to mask ->
                masked spectrum -> irfft, window -> overlap-add
    dtln        frames -> rfft -> graph 1: magnitudes to mask -> masked spectrum -> graph 2:
                spectra, real and imaginary parts by turns, to frames -> overlap-add

A mask may be for a frame some steps ago (`ModelCard.lookahead`): the graph has then heard
what follows that frame. The spectra that still wait for their masks are state.

References
----------
N. L. Westhausen, B. T. Meyer, Dual-signal transformation LSTM network for real-time
noise suppression, Interspeech 2020.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

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

Spectra = NDArray[np.complex64]
"""``(rows, steps, bins)``."""

Shapes = dict[str, tuple[tuple[int, ...], np.dtype[Any]]]
"""Shape without the lane, and dtype, of each state array by name."""

BINS_AT_A_TIME = 1 << 18
"""Transformed at a time: 2 MB of spectrum."""

TOGETHER = 16
"""Frames come to a multiple of this for a transform. The FFT takes several at once in a vector
register, what is left over one by one with other instructions; no frame must depend on which."""

PAST, TAIL, WAITING = "line.past", "line.tail", "line.waiting"
"""States: ``frame - hop`` samples that were heard, as many of the output to which later frames
will be added, and the spectra that wait for their masks."""


class Spectral:
    """A mask on the spectrum, perhaps a second graph on the masked frames, overlap-add.

    The output is late by ``frame - hop`` samples, and a hop more for each frame of lookahead.
    """

    def __init__(self, card: ModelCard) -> None:
        # Takes 0.3 s to load, and only models with a spectrum need it.
        from scipy.fft import irfft, rfft

        self._rfft, self._irfft = rfft, irfft
        self._frame, self._hop = card.frame, card.hop
        self._kept = card.frame - card.hop
        self._bins = card.frame // 2 + 1
        self._lookahead = card.lookahead
        self._two = card.second is not None
        self._window = root_hann(card.frame, card.hop)
        line: tuple[tuple[int, ...], np.dtype[Any]] = ((self._kept,), np.dtype(np.float32))
        self.state_shapes: Shapes = {PAST: line, TAIL: line}
        if self._lookahead:
            waiting = (self._lookahead, self._bins)
            self.state_shapes[WAITING] = (waiting, np.dtype(np.complex64))

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
        """See `raypipe.inference.front_ends.FrontEnd.step`."""
        rows, hop, kept = len(ins), self._hop, self._kept
        mine = slice(row, row + rows)
        size = _padded(max(1, BINS_AT_A_TIME // (self._bins * rows)), rows)
        heard = np.zeros((rows, kept + size * hop), np.float32)
        said = np.empty_like(heard)
        heard[:, :kept], said[:, :kept] = state[PAST][mine], state[TAIL][mine]
        waiting = state[WAITING][mine] if self._lookahead else None
        stack.put_state(state, row, rows)
        for first in range(start, stop, size):
            last = min(first + size, stop)
            length = (last - first) * hop
            for place, lane in enumerate(ins):
                heard[place, kept : kept + length] = lane[first:last].reshape(-1)
            said[:, kept:] = 0
            waiting = self._some(stack, heard, said, waiting, last - first)
            for place, lane in enumerate(outs):
                lane[first:last] = said[place, :length].reshape(-1, hop)
            heard[:, :kept] = heard[:, length : length + kept]
            said[:, :kept] = said[:, length : length + kept]
        stack.get_state(state, row, rows)
        state[PAST][mine], state[TAIL][mine] = heard[:, :kept], said[:, :kept]
        if waiting is not None:
            state[WAITING][mine] = waiting

    def _some(
        self, stack: Stack, heard: Lines, said: Lines, waiting: Spectra | None, steps: int
    ) -> Spectra | None:
        """Add to `said` what becomes of `heard`; give the spectra that wait now.

        Both lines begin ``frame - hop`` before step 0.
        """
        rows, hop, frame = len(heard), self._hop, self._frame
        shape = rows, _padded(steps, rows), frame
        strides = heard.strides[0], hop * heard.itemsize, heard.itemsize
        frames = as_strided(heard, shape, strides, writeable=False)
        spectrum = self._rfft(frames if self._two else frames * self._window)
        magnitude = np.abs(spectrum)
        stack.run(0, steps, _from(magnitude), _into(magnitude))
        if waiting is None:
            spectrum *= magnitude
        else:
            spectrum, waiting = _masked_later(spectrum, magnitude, waiting, steps)

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
        return waiting


def root_hann(frame: int, hop: int) -> NDArray[np.float32]:
    """The window that, put on a frame before and after, gives the input back by overlap-add.

    Parameters
    ----------
    frame, hop : int
        In samples; `hop` is at most half of `frame` and divides it.
    """
    hann = np.sin(np.pi * np.arange(frame) / frame) ** 2
    return np.sqrt(hann * 2 * hop / frame).astype(np.float32)


def _masked_later(
    spectrum: Spectra, mask: NDArray[np.float32], waiting: Spectra, steps: int
) -> tuple[Spectra, Spectra]:
    """Each step's mask on the spectrum of some steps before; and the spectra that wait then.

    What lies behind `steps` is padding: its mask is none, and nobody uses what comes of it.
    """
    late = waiting.shape[1]
    ready = min(late, steps)
    masked = np.empty_like(spectrum)
    np.multiply(waiting[:, :ready], mask[:, :ready], out=masked[:, :ready])
    np.multiply(spectrum[:, : steps - ready], mask[:, ready:steps], out=masked[:, ready:steps])
    masked[:, steps:] = 0
    left = [waiting[:, ready:], spectrum[:, max(0, steps - late) : steps]]
    return masked, np.concatenate(left, axis=1)


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
