"""Peak and loudness of a stream, in two halves that meet at the end of a file.

Where the sound is, a `LevelMeter` turns each stretch into `Measured`: its peak
and the K-weighted energy of every 100 ms hop that was completed. Where a file
is put together, a `LevelSum` adds these up and gives `Levels`.

K weighting is worked out as energy, without filtering each sample: the shelf
from the first few cosine components of frames of 1.1 ms, the high-pass from the
means of two frames. A sine comes out within 0.1 dB from 40 Hz on, within 0.3 dB
from 20 Hz on (10 Hz reads 1.2 dB high), at a sixth of the filters' cost. The hops lie on a
grid that depends on the rate alone, so cutting a stream changes no bit.

References
----------
ITU-R BS.1770-4, Algorithms to measure audio programme loudness and true-peak
audio level (2015). The peak here is the sample peak.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from raypipe.types import Levels, Measured, Samples, State

SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
HIGH_PASS = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
"""Numerator and denominator of the two K filters, as the standard gives them for 48 kHz."""

CORNER_HZ = 38.135
"""Both poles of the high-pass, as a frequency: from its denominator."""

LOWEST_RATE_HZ = 1000
"""Below this a sound has a peak, but no loudness."""

FRAME_S = 0.0011
"""A frame. Round frequencies must not come with the same phase in every frame, as they would in
a whole millisecond: the cosines would see the one phase only."""

COMPONENTS = 7
"""Cosine components of a frame that the shelf is made of; with 6 it is 0.1 dB off at 3 kHz."""

HOPS_IN_BLOCK = 4
"""A gating block is 400 ms, a new one begins every 100 ms."""

OFFSET_DB = -0.691
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0


def channel_weights(channels: int) -> tuple[float, ...]:
    """Weight of each channel: 1, but in 5.1 (L R C LFE Ls Rs) LFE 0 and surround 1.41."""
    return (1.0, 1.0, 1.0, 0.0, 1.41, 1.41) if channels == 6 else (1.0,) * channels


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """What K weighting comes to at one rate."""

    frame: int
    """Samples in a frame."""
    spans: int
    """Spans of two frames in a hop."""
    hop: int
    """Samples in about 100 ms: whole spans, as a gap between them would sound like a click."""
    components: NDArray[np.float32]
    """``(components, frame)``: the cosines, orthonormal."""
    high_pass: NDArray[np.float32]
    """``(spans, 2 * spans)``: from the spans of the hop before and this one, filtered spans."""
    whole: float
    """What the sum of squares counts for."""
    weights: NDArray[np.float64]
    """What each component's sum of squares counts for."""
    low: float
    """What the filtered spans' mean square counts for."""


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
        self._design = _design(rate_hz) if rate_hz >= LOWEST_RATE_HZ else None

    def reset(self, lanes: int) -> State:
        """State before the first sample; there is one lane for each channel."""
        spans = self._design.spans if self._design else 0
        return {
            "pending": np.zeros((lanes, 0), np.float32),
            "spans": np.zeros((lanes, spans), np.float32),
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
        peak = _peak(sound)
        if design is None:
            return Measured(peak, np.zeros(0, np.float32)), state
        sound = np.ascontiguousarray(sound, np.float32)
        if state["pending"].shape[1]:
            sound = np.concatenate([state["pending"], sound], axis=1)
        hops = sound.shape[1] // design.hop
        pending = sound[:, hops * design.hop :].copy()
        if not hops:
            energies = np.zeros(0, np.float32)
            return Measured(peak, energies), {"pending": pending, "spans": state["spans"]}
        with np.errstate(over="ignore", invalid="ignore"):  # floats far beyond full scale
            each, spans = _energies(design, sound[:, : hops * design.hop], state["spans"])
            total = np.zeros(hops)
            for weight, energies in zip(self._weights, each, strict=True):
                if weight:
                    total += weight * energies
            energies = np.maximum(total, 0.0).astype(np.float32)
        return Measured(peak, energies), {"pending": pending, "spans": spans}


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

    def levels(self) -> Levels:
        """Level of all that was added.

        Returns
        -------
        Levels
            Without a loudness where the sound is shorter than one gating block (400 ms), where
            no block passes the absolute gate, or where a sample is beyond what can be squared.
        """
        peak_db = 20 * math.log10(self._peak) if self._peak > 0 else None
        return Levels(peak_db, _gated(np.frombuffer(self._energies, np.float32)))


def _peak(sound: Samples) -> float:
    if not sound.size:
        return 0.0
    return float(max(sound.max(), -sound.min()))


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


def _energies(
    design: _Design, sound: NDArray[np.float32], before: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """K-weighted mean square of whole hops, ``(channels, hops)``, and the last hop's spans.

    Each hop is one product of matrices of the same two shapes, whatever stands around it:
    a product over many hops at once would round differently by their number.
    """
    channels, spans = before.shape
    hops = sound.reshape(channels, -1, design.hop)
    squares = np.einsum("chs,chs->ch", hops, hops)
    frames = hops.reshape(channels, -1, 2 * spans, design.frame)
    parts = design.components @ frames.swapaxes(2, 3)
    part_squares = np.einsum("chpt,chpt->chp", parts, parts).astype(np.float64)
    means = parts[:, :, 0, 0::2] + parts[:, :, 0, 1::2]
    means *= np.float32(0.5 / math.sqrt(design.frame))
    pairs = np.empty((*means.shape[:2], 2 * spans, 1), np.float32)
    pairs[:, :, spans:, 0] = means
    pairs[:, 0, :spans, 0] = before
    pairs[:, 1:, :spans, 0] = means[:, :-1]
    low = (design.high_pass @ pairs)[..., 0]
    energies = design.whole * squares.astype(np.float64)
    for number, weight in enumerate(design.weights):
        energies += weight * part_squares[:, :, number]
    energies /= design.hop
    energies -= np.einsum("chs,chs->ch", means, means).astype(np.float64) / spans
    energies += design.low * np.einsum("chs,chs->ch", low, low).astype(np.float64) / spans
    return energies, means[:, -1].copy()


@cache
def _design(rate_hz: int) -> _Design:
    """Fit the weights so that sines of all frequencies come out as K weighting wants them.

    With c_p(f) the share of a sine's energy in component p, d(f) that in the means of two
    frames, h(f) the high-pass that runs over these: the energy of a sine is taken as

        1 + sum of w_p (c_p - [p = 0]) - d + low h d        [p = 0] keeps 0 Hz silent

    and the free numbers are the least squares of its relative error against the standard.
    """
    frame = max(1, round(FRAME_S * rate_hz))
    spans = round(rate_hz / (10 * 2 * frame))
    count = min(COMPONENTS, frame)
    at = np.pi * np.outer(np.arange(count), np.arange(frame) + 0.5) / frame
    cosines = np.cos(at) * math.sqrt(2 / frame)
    cosines[0] = 1 / math.sqrt(frame)

    pole = math.exp(-2 * math.pi * CORNER_HZ * 2 * frame / rate_hz)
    response = np.convolve([1.0, -2.0, 1.0], np.arange(1, spans + 1) * pole ** np.arange(spans))
    later = np.arange(spans)[:, None] + spans - np.arange(2 * spans)
    high_pass = np.where((later >= 0) & (later < spans), response[later.clip(0, spans - 1)], 0)

    hz = np.geomspace(20, 0.49999 * rate_hz, 1500)
    turns = hz / rate_hz
    waves = np.exp(-2j * np.pi * np.outer(turns, np.arange(frame)))
    shares = np.abs(waves @ cosines.T) ** 2 / frame
    mean = np.abs(waves.sum(axis=1) * (1 + np.exp(-2j * np.pi * turns * frame)) / (2 * frame)) ** 2
    z = np.exp(-4j * np.pi * turns * frame)
    high = np.abs((1 - z) / (1 - pole * z)) ** 4
    wanted = _k_weight(hz)
    shares[:, 0] -= 1
    unknown = np.column_stack([shares, mean * high]) / wanted[:, None]
    fit = np.linalg.lstsq(unknown, (wanted - 1 + mean) / wanted, rcond=None)[0]
    return _Design(
        frame=frame,
        spans=spans,
        hop=2 * frame * spans,
        components=cosines.astype(np.float32),
        high_pass=high_pass.astype(np.float32),
        whole=float(1 - fit[0]),
        weights=fit[:-1],
        low=float(fit[-1]),
    )


def _k_weight(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy response of the standard's two filters; above 24 kHz that at 24 kHz."""
    z = np.exp(-2j * np.pi * np.minimum(hz, 24_000) / 48_000)
    response = np.ones(len(hz), np.complex128)
    for (b0, b1, b2), (a1, a2) in (SHELF, HIGH_PASS):
        response *= (b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)
    return np.abs(response) ** 2
