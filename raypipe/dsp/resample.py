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

CONTEXT = 200
"""Neighbouring samples of the lower rate on each side of a block. Measured on white noise: with
160 or more, what is left between a block and the whole file is float32's own noise, -130 dB."""


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
        self._identity = rate_in_hz == rate_out_hz
        common = gcd(rate_in_hz, rate_out_hz)
        # Output sample n lies at input time n * down / up.
        self._down, self._up = rate_in_hz // common, rate_out_hz // common
        context = -(-CONTEXT * max(self._down, self._up) // self._up)
        grain = self._down
        if _round_up(context, grain) <= 4 * context:
            # Blocks and windows begin at instants that are samples at both rates.
            slack = 0
            self._before = _round_up(context, grain)
        else:
            # Such instants are too far apart: one a second from 44,099 Hz to 48 kHz.
            grain = 1
            # A window begins up to so many samples before or after the instant that is meant.
            slack = 1 + self._down // self._up
            self._before = context
        self._after = self._before + 2 * slack
        self._lead = -(-self._before * self._up // self._down)
        self._block = _round_up(max(rate_in_hz, 4 * self._before), rate_in_hz)
        self._length = self._block + self._before + self._after - slack
        offset = lag if self._identity else _round_up(lag + self._after, grain)
        self._offset = offset % self._block
        self.held_out = offset * self._up // self._down

    def total_out(self, n_in: int) -> int:
        """Samples that so many samples in become, `process` and `flush` together."""
        return -(-n_in * self._up // self._down)

    def reset(self, lanes: int) -> State:
        """State before the first sample."""
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
        line = np.concatenate([state["pending"], sound.astype(np.float32, copy=False)], axis=1)
        taken = int(state["taken"][0, 0])
        begun, done = self._complete(taken), self._complete(taken + sound.shape[1])
        origin = self._kept_from(begun)
        made = (
            self._blocks(line, origin, range(begun, done)) if done > begun else line[:, :0].copy()
        )
        state = {
            "pending": line[:, self._kept_from(done) - origin :].copy(),
            "taken": state["taken"] + sound.shape[1],
        }
        return made, state

    def flush(self, state: State) -> Samples:
        """Give what is still inside, as if silence followed.

        Returns
        -------
        ndarray of float32
            ``(lanes, samples)`` at `rate_out_hz`; with what `process` gave, `total_out` in all.
        """
        line = state["pending"]
        taken = int(state["taken"][0, 0])
        begun = self._complete(taken)
        if self._identity or self._start(begun) >= taken:
            return line[:, :0].copy()
        origin = self._kept_from(begun)
        parts = []
        if self._start(begun + 1) < taken:
            parts.append(self._blocks(line, origin, range(begun, begun + 1)))
            begun += 1
        parts.append(self._blocks(line, origin, range(begun, begun + 1), taken))
        return _joined(parts, len(line))

    def _start(self, number: int) -> int:
        """First input sample of a block; negative for the first block, which is cut there."""
        return number * self._block - self._offset

    def _complete(self, taken: int) -> int:
        """Blocks whose windows are full after so many input samples."""
        return max(0, (taken - self._after + self._offset) // self._block)

    def _window(self, number: int) -> tuple[int, int]:
        """Instant at which a block's window begins: input sample, and parts of 1 / up after it."""
        return divmod((self.total_out(self._start(number)) - self._lead) * self._down, self._up)

    def _kept_from(self, number: int) -> int:
        """First input sample that this block and those after it need."""
        return max(0, self._window(number)[0])

    def _blocks(
        self, line: NDArray[np.float32], origin: int, numbers: range, end: int | None = None
    ) -> NDArray[np.float32]:
        """The output of some blocks, cut at input sample `end`; `line` begins at `origin`.

        Each lane's window goes through soxr alone: side by side, as channels, they would have to
        be interleaved and parted again, at twice the cost of the resampling itself.
        """
        lanes = len(line)
        stop = self._start(numbers.stop) if end is None else end
        length = self._length
        if end is not None:
            length -= self._start(numbers.stop) - end
        first_out = self._first_out(numbers.start)
        made = np.empty((lanes, self.total_out(stop) - first_out), np.float32)
        for number in numbers:
            begin, after = self._first_out(number), min(stop, self._start(number + 1))
            skipped = self._lead + begin - self.total_out(self._start(number))
            count = self.total_out(after) - begin
            window = self._window_of(line, origin, number, length)
            for lane, row in zip(made, window, strict=True):
                out = soxr.resample(row, self.rate_in_hz, self.rate_out_hz, quality="HQ")
                lane[begin - first_out :][:count] = out[skipped : skipped + count]
        return made

    def _first_out(self, number: int) -> int:
        """First output sample of a block."""
        return max(0, self.total_out(self._start(number)))

    def _window_of(
        self, line: NDArray[np.float32], origin: int, number: int, length: int
    ) -> NDArray[np.float32]:
        """A block with its neighbours, silence where there is nothing: ``(lanes, length)``."""
        first, part = self._window(number)
        known = line[:, max(0, first - origin) : first - origin + length]
        at = max(0, origin - first)
        if at or known.shape[1] < length:
            window = np.zeros((len(line), length), np.float32)
            window[:, at : at + known.shape[1]] = known[:, : length - at]
        else:
            window = known
        return _moved(window, part / self._up) if part else window


def _moved(window: NDArray[np.float32], by: float) -> NDArray[np.float32]:
    """Values `by` of a sample after each sample: a turn of the phases.

    What rings at the window's ends lies at half the rate, where the resampler lets nothing pass.
    """
    samples = window.shape[1]
    points = 1 << samples.bit_length()
    turn = np.exp(2j * np.pi * by * np.fft.rfftfreq(points))
    wide = window.astype(np.float64)
    rows = [np.fft.irfft(np.fft.rfft(row, points) * turn, points)[:samples] for row in wide]
    return np.array(rows, np.float32)


def _joined(blocks: list[NDArray[np.float32]], lanes: int) -> NDArray[np.float32]:
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((lanes, 0), np.float32)


def _round_up(value: int, grain: int) -> int:
    return -(-value // grain) * grain
