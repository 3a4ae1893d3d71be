"""K weighting as numbers for one rate: what frames of cosines and a high-pass come to.

Comes in: a rate. Goes out: a `Design`, by which `raypipe.dsp.level` works out the K-weighted energy
of a stretch without filtering each sample: the shelf from a few cosine components of short frames,
the high-pass from the means of two frames.

References
----------
ITU-R BS.1770-4, Algorithms to measure audio programme loudness and true-peak
audio level (2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SHELF = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
HIGH_PASS = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
"""Numerator and denominator of the two K filters, as the standard gives them for 48 kHz."""

POLE_HZ = 39.5
"""Both poles of the high-pass, as a frequency. The standard's are at 38.13 Hz; 4 % more makes up
for what the means of two frames leave over: 0.1 dB instead of 0.3 dB at 20 Hz."""

TAPS = 19
"""Spans that the high-pass reaches over, 45 ms; the rest of its response is below 0.1 %."""

FRAME_S = 0.00117
"""A frame, about: of a number of samples that has no factor in common with the rate. No whole
number of Hz may come with the same phase in every frame: the cosines would see the one phase."""

COMPONENTS = 7
"""Cosine components of a frame that the shelf is made of; with 6 it is 0.15 dB off near 3 kHz."""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What K weighting comes to at one rate."""

    frame: int
    """Samples in a frame."""
    spans: int
    """Spans of two frames in a hop."""
    hop: int
    """Samples in about 100 ms: whole spans, as a gap between them would sound like a click."""
    components: NDArray[np.float32]
    """``(frame, components)``: cosines, each scaled so that its square is what it takes away."""
    high_pass: NDArray[np.float32]
    """``(spans, TAPS - 1 + spans)``: from the spans before a hop and its own, filtered ones,
    scaled so that their squares are what they add."""
    whole: float
    """What the sum of squares counts for."""
    mean: float
    """What the spans' sum of squares takes away."""


@cache
def design_for(rate_hz: int) -> Design:
    """Fit the weights so that sines of all frequencies come out as K weighting wants them.

    With c_p(f) the share of a sine's energy in component p, d(f) that in the means of two
    frames, h(f) the high-pass that runs over these: the energy of a sine is taken as

        1 + w_0 - sum of w_p c_p - d + low h d        (nothing at 0 Hz: c_0 = d = 1, h = 0)

    and w and low are the least squares of its relative error against the standard. All of them
    are energies, so none may be negative: one that would be is left out.
    """
    about = FRAME_S * rate_hz
    near = range(max(2, round(0.9 * about)), max(2, round(1.1 * about)) + 1)
    frame = min(near, key=lambda n: (math.gcd(n, rate_hz), abs(n - about)))
    spans = round(rate_hz / (10 * 2 * frame))
    hop = 2 * frame * spans
    count = min(COMPONENTS, frame - 1)
    at = np.pi * np.outer(np.arange(frame) + 0.5, np.arange(count)) / frame
    cosines = np.cos(at) * math.sqrt(2 / frame)
    cosines[:, 0] = 1 / math.sqrt(frame)
    response = _high_pass(math.exp(-2 * math.pi * POLE_HZ * 2 * frame / rate_hz))

    hz = np.geomspace(20, 0.49999 * rate_hz, 1500)
    turns = hz / rate_hz
    waves = np.exp(-2j * np.pi * np.outer(turns, np.arange(frame)))
    shares = np.abs(waves @ cosines) ** 2 / frame
    mean = np.abs(waves.sum(axis=1) * (1 + np.exp(-2j * np.pi * turns * frame)) / (2 * frame)) ** 2
    high = np.abs(np.exp(-4j * np.pi * np.outer(turns * frame, np.arange(TAPS))) @ response) ** 2
    wanted = _k_weight(hz)
    shares[:, 0] -= 1
    unknown = np.column_stack([-shares, mean * high]) / wanted[:, None]
    fit = _positive_fit(unknown, (wanted - 1 + mean) / wanted)

    # The spans are made of the first component, which is scaled: this undoes it.
    of_span = 1 / (2 * fit[0])
    rows = np.arange(spans)[:, None] + TAPS - 1 - np.arange(TAPS - 1 + spans)
    band = np.where((rows >= 0) & (rows < TAPS), response[rows.clip(0, TAPS - 1)], 0)
    components = cosines * np.sqrt(fit[:-1] / hop)
    return Design(
        frame=frame,
        spans=spans,
        hop=hop,
        components=components.astype(np.float32),
        high_pass=(math.sqrt(fit[-1] * of_span) * band).astype(np.float32),
        whole=float(1 + fit[0]) / hop,
        mean=float(of_span),
    )


def _high_pass(pole: float) -> NDArray[np.float64]:
    """Impulse response of the high-pass over spans, ``(TAPS,)``: (1 - z)^2 / (1 - pole z)^2."""
    steps = np.arange(TAPS - 2)
    return np.convolve([1.0, -2.0, 1.0], (steps + 1) * pole**steps)


def _positive_fit(columns: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares of columns against a goal, without the columns that would count negative."""
    fit = np.zeros(columns.shape[1])
    used = np.ones(len(fit), bool)
    while used.any():
        fit[used] = np.linalg.lstsq(columns[:, used], goal, rcond=None)[0]
        if fit.min() >= 0:
            break
        used &= fit > 0
        fit[~used] = 0
    return fit


def _k_weight(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy response of the standard's two filters; above 24 kHz that at 24 kHz."""
    z = np.exp(-2j * np.pi * np.minimum(hz, 24_000) / 48_000)
    response = np.ones(len(hz), np.complex128)
    for (b0, b1, b2), (a1, a2) in (SHELF, HIGH_PASS):
        response *= (b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)
    return np.abs(response) ** 2
