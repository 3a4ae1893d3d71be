"""Peak, loudness and noise floor of a stream, in two halves that meet at the end of a file.

Where the sound is, a `LevelMeter` turns each stretch into `Measured`: its peak
and the K-weighted energy of every 100 ms hop that was completed. Where a file
is put together, a `LevelSum` adds these up and gives `Levels`.

K weighting is worked out as energy, without filtering each sample: the shelf
from the first few cosine components of frames of 1.2 ms, the high-pass from the
means of two frames. A sine comes out within 0.1 dB from 40 Hz on, within 0.15 dB
from 20 Hz on (10 Hz reads 1.2 dB high), and within 0.5 dB where it meets every
frame with the same phase. The hops lie on a grid that depends on the rate alone
and each is worked out by itself, so cutting a stream changes no bit.

References
----------
ITU-R BS.1770-4, Algorithms to measure audio programme loudness and true-peak
audio level (2015). The peak here is the sample peak. The noise floor is not part
of it: a tenth of all 100 ms hops are at most that loud, digital silence left out.
"""

from __future__ import annotations

import math
from array import array

import numpy as np
from numpy.typing import NDArray

from raypipe.dsp.k_weighting import TAPS, Design, design_for
from raypipe.types import Levels, Measured, Samples, State

LOWEST_RATE_HZ = 1000
"""Below this a sound has a peak, but no loudness."""

HOPS_IN_BLOCK = 4
"""A gating block is 400 ms, a new one begins every 100 ms."""

OFFSET_DB = -0.691
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0

QUIET_SHARE = 0.1
"""Share of the hops that are at or below the noise floor: speech has more pauses than that."""

LOWEST_FLOOR_DB = -120.0
"""Below what 20 bits can hold: such moments of an input are digital silence and no noise floor;
those of an output count as this."""


def channel_weights(channels: int) -> tuple[float, ...]:
    """Weight of each channel: 1, but in 5.1 (L R C LFE Ls Rs) LFE 0 and surround 1.41."""
    return (1.0, 1.0, 1.0, 0.0, 1.41, 1.41) if channels == 6 else (1.0,) * channels


class LevelMeter:
    """Measures a stream as it passes.

    Parameters
    ----------
    rate_hz : int
        Sampling rate in Hz.
    channels : int
        Number of channels; see `channel_weights`.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._weights = channel_weights(channels)
        self._design = design_for(rate_hz) if rate_hz >= LOWEST_RATE_HZ else None

    def reset(self, lanes: int) -> State:
        """State before the first sample; there is one lane for each channel."""
        before = TAPS - 1 if self._design else 0
        return {
            "pending": np.zeros((lanes, 0), np.float32),
            "spans": np.zeros((lanes, before), np.float32),
        }

    def process(self, sound: Samples, state: State) -> tuple[Measured, State]:
        """Measure a stretch.

        Parameters
        ----------
        sound : ndarray
            ``(channels, samples)``, full scale at 1; loudness is computed on it as float32.
        state : State
            From `reset` or from the call before.

        Returns
        -------
        Measured
            Peak of this stretch (NaN where a sample is), energies of the hops that it completes.
        State
            For the next call: less than one hop of samples.
        """
        design = self._design
        if design is None:
            return Measured(_peak(sound), np.zeros(0, np.float32)), state
        samples = np.ascontiguousarray(sound, np.float32)
        runs, pending = _whole_hops(design.hop, state["pending"], samples)
        spans = state["spans"]
        energies = [np.zeros(0, np.float32)]
        for run in runs:
            some, spans = _energies(design, self._weights, run, spans)
            energies.append(some)
        after = {"pending": pending, "spans": spans}
        return Measured(_peak(sound), np.concatenate(energies)), after


class LevelSum:
    """Adds up what a `LevelMeter` measured of one sound; 4 bytes for each 100 ms.

    Parameters
    ----------
    rate_hz : int
        Sampling rate of the sound in Hz.
    channels : int
        Its number of channels.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._peak = 0.0
        self._energies = array("f")

    def add(self, measured: Measured) -> None:
        """Add the next stretch, in the order of the stream."""
        self._peak = max(self._peak, measured.peak)
        self._energies.frombytes(measured.energies.astype(np.float32, copy=False).tobytes())

    def levels(self, made_of: LevelSum | None = None) -> Levels:
        """Level of all that was added.

        Parameters
        ----------
        made_of : LevelSum, optional
            The sound that this one was made of, at the same rate: the noise floors of both are
            then those of the same moments.

        Returns
        -------
        Levels
            Without a loudness where the sound is shorter than one gating block (400 ms), where
            no block passes the absolute gate, or where a sample is beyond what can be squared;
            without a noise floor where fewer than four hops are no digital silence.
        """
        peak_db = 20 * math.log10(self._peak) if self._peak > 0 else None
        energies = np.frombuffer(self._energies, np.float32)
        source = energies if made_of is None else np.frombuffer(made_of._energies, np.float32)
        return Levels(peak_db, _gated(energies), _floor(energies, source))


def _peak(sound: Samples) -> float:
    if not sound.size:
        return 0.0
    return float(max(np.maximum.reduce(sound, None), -np.minimum.reduce(sound, None)))


def _gated(energies: NDArray[np.float32]) -> float | None:
    """Integrated loudness from the energies of hops, in LUFS."""
    if len(energies) < HOPS_IN_BLOCK or not np.isfinite(energies).all():
        return None
    count = len(energies) - HOPS_IN_BLOCK + 1
    blocks = np.zeros(count, np.float32)
    for first in range(HOPS_IN_BLOCK):
        blocks += energies[first : first + count]
    blocks /= HOPS_IN_BLOCK
    loud = blocks[blocks > 10 ** ((ABSOLUTE_GATE_LUFS - OFFSET_DB) / 10)]
    if not len(loud):
        return None
    gate = loud.mean(dtype=np.float64) * 10 ** (RELATIVE_GATE_LU / 10)
    return OFFSET_DB + 10 * math.log10(loud[loud > gate].mean(dtype=np.float64))


def _floor(energies: NDArray[np.float32], source: NDArray[np.float32]) -> float | None:
    """Level that a tenth of the hops do not exceed, in dB, where `source` is not silent.

    It is that of one of the hops, so that it is exact.
    """
    if len(energies) != len(source) or not np.isfinite(energies).all():
        return None
    lowest = 10 ** ((LOWEST_FLOOR_DB - OFFSET_DB) / 10)
    heard = energies[source > lowest]
    if len(heard) < HOPS_IN_BLOCK:
        return None
    rank = int(QUIET_SHARE * (len(heard) - 1))
    return OFFSET_DB + 10 * math.log10(max(float(np.partition(heard, rank)[rank]), lowest))


def _whole_hops(hop: int, held: Samples, sound: Samples) -> tuple[list[Samples], Samples]:
    """Runs of whole hops in what is held and what comes, and what is held then.

    The hop that the cut went through is a run of its own, so that the rest need not be copied.
    """
    runs = []
    if held.shape[1]:
        missing = hop - held.shape[1]
        first = np.concatenate([held, sound[:, :missing]], axis=1)
        if first.shape[1] < hop:
            return [], first
        runs.append(first)
        sound = sound[:, missing:]
    stop = sound.shape[1] // hop * hop
    if stop:
        runs.append(sound[:, :stop])
    return runs, sound[:, stop:].copy()


@np.errstate(over="ignore", invalid="ignore")  # floats far beyond full scale
def _energies(
    design: Design, weights: tuple[float, ...], sound: Samples, before: Samples
) -> tuple[Samples, Samples]:
    """K-weighted mean square of whole hops, ``(hops,)``, and the last spans, for the next ones.

    Each hop is one product of matrices of the same two shapes, whatever stands around it:
    a product over many hops at once would round differently by their number.
    """
    channels, held = before.shape
    hops = sound.shape[1] // design.hop
    frames = sound.reshape(channels, hops, 2 * design.spans, design.frame)
    parts = frames @ design.components
    spans = np.empty((channels, held + hops * design.spans), np.float32)
    spans[:, :held] = before
    means = spans[:, held:].reshape(channels, hops, design.spans)
    np.add(parts[:, :, 0::2, 0], parts[:, :, 1::2, 0], out=means)
    low = design.high_pass @ _windows(spans, hops, held + design.spans, design.spans)
    each = _squares(sound.reshape(channels, hops, design.hop)).astype(np.float64)
    each *= design.whole
    each -= _squares(parts.reshape(channels, hops, -1))
    each -= design.mean * _squares(means)
    each += _squares(low[..., 0])
    total = weights[0] * each[0]
    for weight, energies in zip(weights[1:], each[1:], strict=True):
        if weight:
            total += weight * energies
    return np.maximum(total, 0.0).astype(np.float32), spans[:, -held:].copy()


def _windows(spans: Samples, hops: int, length: int, step: int) -> Samples:
    """``(channels, hops, length, 1)``: each hop's spans and those before it, without a copy.

    By hand: ``as_strided`` takes six times as long, a tenth of a short stretch's time.
    """
    channel, span = spans.strides
    return np.ndarray(
        (len(spans), hops, length, 1), np.float32, spans, 0, (channel, span * step, span, span)
    )


def _squares(rows: Samples) -> Samples:
    """Sum of squares along the last axis, each row by itself."""
    sums: Samples = (rows[..., None, :] @ rows[..., None])[..., 0, 0]
    return sums
