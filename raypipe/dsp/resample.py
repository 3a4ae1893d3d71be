"""Another sampling rate for a stream, the same to the bit however it is cut.

Comes in: sound at one rate, in stretches of any length. Goes out: all that is
ready of it at the other rate, in step with the input. A resampler's own stream
memory cannot travel between workers, so the file is divided into blocks of
about a second on a grid that depends on nothing but the two rates; each block
is resampled on its own, with so much of its neighbours on both sides that its
middle equals what the whole file would give.

References
----------
soxr, the SoX resampler library, quality HQ: https://github.com/dofuuz/python-soxr
"""

from __future__ import annotations

from math import gcd

import numpy as np
import soxr
from numpy.typing import NDArray

from raypipe.types import Samples, State

CONTEXT = 320
"""Neighbouring samples of the lower rate on each side of a block. Measured on white noise: 160
leave 130 dB between a block's middle and the whole file; twice that is for the odd ratio."""

TAPER = 256
"""Input samples that fade a window in and out where it has to be moved between samples."""


class Resample:
    """A stage that changes the sampling rate.

    Parameters
    ----------
    rate_in_hz, rate_out_hz : int
        Sampling rates in Hz; where they are equal the sound goes through untouched.
    lag : int
        Samples by which what comes in lags behind whole seconds. It changes where the blocks
        lie: after a whole number of seconds little is left inside and the state is small.

    Attributes
    ----------
    held_out : int
        Samples at `rate_out_hz` by which what came out lags behind whole seconds of input.
    """

    latency = 0

    def __init__(self, rate_in_hz: int, rate_out_hz: int, lag: int = 0) -> None:
        if rate_in_hz < 1 or rate_out_hz < 1:
            raise ValueError(f"rates must be at least 1 Hz, not {rate_in_hz} and {rate_out_hz}")
        self.rate_in_hz = rate_in_hz
        self.rate_out_hz = rate_out_hz
        common = gcd(rate_in_hz, rate_out_hz)
        # Output sample n lies at input time n * down / up.
        self._down, self._up = rate_in_hz // common, rate_out_hz // common
        self._identity = rate_in_hz == rate_out_hz
        context = -(-CONTEXT * max(self._down, self._up) // self._up)
        if self._down <= context:
            # Block edges and window edges on instants that are samples at both rates.
            context = _round_up(context, self._down)
            self._grain = self._down
        else:
            # Such instants are too far apart (44,099 Hz to 48 kHz: one a second).
            context += TAPER
            self._grain = 1
        self._context = 0 if self._identity else context
        # Output samples before a block's first one, from the start of its window.
        self._lead = -(-self._context * self._up // self._down)
        self._block = _round_up(max(rate_in_hz, 4 * context), rate_in_hz)
        offset = _round_up(lag + self._context, self._grain)
        self._offset = offset % self._block
        self.held_out = offset * self._up // self._down

    def total_out(self, n_in: int) -> int:
        """Samples that so many samples in become, `process` and `flush` together."""
        return -(-n_in * self._up // self._down)

    def reset(self, lanes: int) -> State:
        """State before the first sample."""
        if self._identity:
            return {}
        return {
            "pending": np.zeros((lanes, 0), np.float32),
            "taken": np.zeros((lanes, 1), np.int64),
        }

    def process(self, sound: Samples, state: State) -> tuple[Samples, State]:
        """Take a stretch in.

        Parameters
        ----------
        sound : ndarray
            ``(lanes, samples)`` at `rate_in_hz`; computed on as float32.
        state : State
            From `reset` or from the call before.

        Returns
        -------
        ndarray of float32
            ``(lanes, samples)`` at `rate_out_hz`: what is ready, following on what was given.
        State
            For the next call.
        """
        if self._identity:
            return sound, state
        before, line = self._line(sound, state)
        taken = before + sound.shape[1]
        begun, done = self._blocks_in(before), self._blocks_in(taken)
        origin = self._kept_from(begun)
        blocks = [self._resample(line, origin, *self._span(j)) for j in range(begun, done)]
        kept = line[:, self._kept_from(done) - origin :]
        state = {
            "pending": kept.copy() if kept.base is not None else kept,
            "taken": np.full((len(line), 1), taken, np.int64),
        }
        return _joined(blocks, len(line)), state

    def flush(self, state: State) -> Samples:
        """Give what is still inside, with silence after the end of the stream."""
        if self._identity:
            return np.zeros((0, 0), np.float32)
        line = state["pending"]
        taken = int(state["taken"][0, 0])
        begun = self._blocks_in(taken)
        origin = self._kept_from(begun)
        blocks = []
        start, stop = self._span(begun)
        while start < taken:
            blocks.append(self._resample(line, origin, start, min(stop, taken)))
            start, stop = stop, stop + self._block
        return _joined(blocks, len(line))

    def _line(self, sound: Samples, state: State) -> tuple[int, NDArray[np.float32]]:
        pending = state["pending"]
        sound = sound.astype(np.float32, copy=False)
        return int(state["taken"][0, 0]), np.concatenate([pending, sound], axis=1)

    def _span(self, number: int) -> tuple[int, int]:
        """Input samples of a block, half-open."""
        start = number * self._block - self._offset
        return max(0, start), start + self._block

    def _blocks_in(self, taken: int) -> int:
        """Blocks that are complete with their context after so many input samples."""
        return max(0, (taken - self._context + self._offset) // self._block)

    def _kept_from(self, number: int) -> int:
        """First input sample that this block and those after it need."""
        return max(0, self._window_start(self._span(number)[0])[0])

    def _window_start(self, start: int) -> tuple[int, int]:
        """Instant at which a block's window begins: input sample, and parts of 1 / up."""
        return divmod((self.total_out(start) - self._lead) * self._down, self._up)

    def _resample(
        self, line: NDArray[np.float32], origin: int, start: int, stop: int
    ) -> NDArray[np.float32]:
        """The output of one block; `line` begins at input sample `origin`."""
        first, part = self._window_start(start)
        last = stop + self._context
        window = np.zeros((len(line), last - first), np.float32)
        have = slice(max(first, origin), min(last, origin + line.shape[1]))
        window[:, have.start - first : have.stop - first] = line[
            :, have.start - origin : have.stop - origin
        ]
        if part:
            window = _moved(window, part / self._up)
        count = self.total_out(stop) - self.total_out(start)
        out = np.empty((len(line), count), np.float32)
        for lane, row in enumerate(window):
            made = soxr.resample(row, self.rate_in_hz, self.rate_out_hz, quality="HQ")
            out[lane] = made[self._lead : self._lead + count]
        return out


def _moved(window: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    """Values `by` of a sample after each sample, by a turn of the phases; the ends fade."""
    fade = np.sin(np.arange(0.5, TAPER) * (np.pi / 2 / TAPER)) ** 2
    wide = window.astype(np.float64)
    wide[:, :TAPER] *= fade
    wide[:, -TAPER:] *= fade[::-1]
    samples = window.shape[1]
    points = 1 << (samples + TAPER).bit_length()
    turn = np.exp(2j * np.pi * by * np.fft.rfftfreq(points))
    rows = [np.fft.irfft(np.fft.rfft(row, points) * turn, points)[:samples] for row in wide]
    return np.array(rows, np.float32)


def _joined(blocks: list[NDArray[np.float32]], lanes: int) -> NDArray[np.float32]:
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((lanes, 0), np.float32)


def _round_up(value: int, grain: int) -> int:
    return -(-value // grain) * grain
