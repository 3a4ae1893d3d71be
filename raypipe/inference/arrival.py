"""How late a model's output is: does that agree with its card?

Comes in: a model. Goes out: whether, and what was found, in a clause. A linear model is asked
with an impulse. One that is not, a denoiser, may take an impulse for noise: it is given a voice,
made here, and where that comes through, its cross-correlation with what went in tells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from raypipe.inference.lanes import Block, LaneModel

IMPULSE = 0.5
LINEAR_WITHIN = 1e-3
"""How far, of the peak, the answer to a doubled impulse may be off the doubled answer."""
COMPACT_FROM = 0.5
"""Share of an impulse response's energy that must lie in one sample, to speak of its arrival."""

RATE_HZ = 16_000
"""Of the voice, for models that take any rate."""
VOICE_S = 3.0
VOICE_RMS = 0.1
LIKE_FROM = 0.7
"""Correlation at its peak from which the voice is taken to have come through."""

Sound = NDArray[np.float64]


def arrival(model: LaneModel) -> tuple[bool, str]:
    """Measure the latency.

    Parameters
    ----------
    model : LaneModel
        Loaded, with room for 3 lanes.

    Returns
    -------
    tuple of bool and str
        False where what was found is not what the card says; true also where it cannot be
        measured, and the clause says why.
    """
    found, said = _of_an_impulse(model)
    if found is None and said in _ASK_AGAIN:
        found, again = _of_a_voice(model)
        said = again if found is not None else f"{said}, and {again}"
    if found is None:
        return True, f"not measurable: {said}"
    late = model.card.latency
    return found == late, f"{said} arrives {found} samples late, the card says {late}"


_NOT_LINEAR, _LOST = "the model is not linear", "an impulse does not come through"
_ASK_AGAIN = (_NOT_LINEAR, _LOST)
"""With a voice."""


def _of_an_impulse(model: LaneModel) -> tuple[int | None, str]:
    """Samples and what arrived; or None and why not."""
    card = model.card
    at = 2 * card.hop + card.hop // 3
    steps = (at + card.latency) // card.hop + 3
    sound = np.zeros((3, steps * card.hop), np.float32)
    sound[1, at], sound[2, at] = IMPULSE, 2 * IMPULSE
    answers = _run(model, sound)
    if not np.isfinite(answers).all():
        return None, "it gives NaN or infinite samples"
    silence, once, twice = answers
    once, twice = once - silence, twice - silence
    peak = np.max(np.abs(once))
    if not peak > 0:
        return None, _LOST
    if np.max(np.abs(twice - 2 * once)) > LINEAR_WITHIN * peak:
        return None, _NOT_LINEAR
    if np.max(once**2) < COMPACT_FROM * np.sum(once**2):
        return None, "it spreads an impulse out"
    return int(np.argmax(np.abs(once))) - at, "an impulse"


def _of_a_voice(model: LaneModel) -> tuple[int | None, str]:
    """As `_of_an_impulse`."""
    hop, rate_hz = model.card.hop, model.card.rate_hz or RATE_HZ
    samples = max(1, round(VOICE_S * rate_hz) // hop) * hop
    given = voice(samples, rate_hz)
    answer = _run(model, given[None].astype(np.float32))[0]
    if not np.isfinite(answer).all():
        return None, "it gives NaN or infinite samples"
    size = 2 * samples
    spectrum = np.fft.rfft(answer, size) * np.conj(np.fft.rfft(given, size))
    likeness = np.fft.irfft(spectrum, size)[:samples]  # lag 0 on; no model is early
    found = int(np.argmax(likeness))
    overlap = np.sqrt(np.sum(given[: samples - found] ** 2) * np.sum(answer[found:] ** 2))
    if not likeness[found] > LIKE_FROM * overlap:
        return None, "a voice comes through too much changed"
    return found, "a voice"


def voice(samples: int, rate_hz: int) -> Sound:
    """A sound that denoisers let through: syllables of a gliding voice, and hisses between.

    Parameters
    ----------
    samples : int
        How many.
    rate_hz : int
        Their rate.

    Returns
    -------
    array, shape (samples,), float64
        With the RMS of `VOICE_RMS`; the same each time.
    """
    rng = np.random.default_rng(1)
    time_s = np.arange(samples) / rate_hz
    pitch_hz = 125 + 30 * np.sin(2 * np.pi * 0.4 * time_s)
    turns = 2 * np.pi * np.cumsum(pitch_hz) / rate_hz
    sound = np.zeros(samples)
    for number in range(1, min(28, rate_hz // 2 // 155)):
        loud = sum(np.exp(-(((number * 125 - hz) / 350) ** 2)) for hz in (500, 1500, 2500))
        sound += (0.15 + loud) / np.sqrt(number) * np.sin(number * turns + rng.uniform(0, 6))
    sound *= np.maximum(np.sin(2 * np.pi * 2 * time_s) ** 2, 0.02)
    sound += 0.2 * rng.standard_normal(samples) * np.cos(2 * np.pi * 2 * time_s) ** 8
    scaled: Sound = sound * VOICE_RMS / np.sqrt(np.mean(sound**2))
    return scaled


def _run(model: LaneModel, sound: Block) -> Sound:
    return model.process([sound], [model.new_state(len(sound))])[0][0].astype(np.float64)
