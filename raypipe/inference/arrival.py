"""How late a model's output is: does that agree with its card?

Comes in: a model. Goes out: whether, and what was found, in a clause. A linear model is asked
with an impulse. One that is not, a denoiser, may take an impulse for noise: it is given a voice,
made here, and where one short filter makes what came out of it, the filter's peak tells.
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
WEAK = 0.01
"""Of the voice's mean power: about what a frequency must have of it to be heard."""

Sound = NDArray[np.float64]


class NotMeasurableError(Exception):
    """Why a latency cannot be measured, in a clause."""


class _NotLinearError(NotMeasurableError):
    """An impulse is the wrong question."""


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
    try:
        found, what = _measured(model)
    except NotMeasurableError as error:
        return True, f"not measurable: {error}"
    late = model.card.latency
    return found == late, f"{what} arrives {found} samples late, the card says {late}"


def _measured(model: LaneModel) -> tuple[int, str]:
    try:
        return by_impulse(model), "an impulse"
    except _NotLinearError as first:
        try:
            return by_voice(model), "a voice"
        except NotMeasurableError as second:
            raise NotMeasurableError(f"{first}, and {second}") from second


def by_impulse(model: LaneModel) -> int:
    """Samples by which an impulse is late.

    Raises
    ------
    NotMeasurableError
        If it does not come through, or not as one.
    """
    card = model.card
    at = 2 * card.hop + card.hop // 3
    steps = (at + card.latency) // card.hop + 3
    sound = np.zeros((3, steps * card.hop), np.float32)
    sound[1, at], sound[2, at] = IMPULSE, 2 * IMPULSE
    silence, once, twice = _answers(model, sound)
    once, twice = once - silence, twice - silence
    peak = np.max(np.abs(once))
    if not peak > 0:
        raise _NotLinearError("an impulse does not come through")
    if np.max(np.abs(twice - 2 * once)) > LINEAR_WITHIN * peak:
        raise _NotLinearError("the model is not linear")
    return _place(once, "it spreads an impulse out") - at


def by_voice(model: LaneModel) -> int:
    """Samples by which a voice is late: where the filter from it to what came out has its peak.

    Raises
    ------
    NotMeasurableError
        If no short filter makes one of the other.
    """
    card, rate_hz = model.card, model.card.rate_hz or RATE_HZ
    spoken = round(VOICE_S * rate_hz)
    samples = -(-(spoken + card.latency) // card.hop) * card.hop
    given = np.concatenate([voice(spoken, rate_hz), np.zeros(samples - spoken)])
    (answer,) = _answers(model, given[None].astype(np.float32))
    size = 2 * samples
    before, after = np.fft.rfft(given, size), np.fft.rfft(answer - answer.mean(), size)
    power = np.abs(before) ** 2
    filtered = np.fft.irfft(after * np.conj(before) / (power + WEAK * power.mean()), size)
    return _place(filtered[:samples], "a voice comes through too much changed")


def _place(response: Sound, spread: str) -> int:
    """Where the one sample lies that holds most of a response."""
    energy = response**2
    place = int(np.argmax(energy))
    if not energy[place] >= COMPACT_FROM * np.sum(energy) > 0:
        raise NotMeasurableError(spread)
    return place


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


def run(model: LaneModel, sound: Block) -> Block:
    """What a model that has heard nothing yet makes of sound, ``(lanes, n * hop)`` in and out."""
    return model.process([sound], [model.new_state(len(sound))])[0][0]


def _answers(model: LaneModel, sound: Block) -> Sound:
    answers = run(model, sound).astype(np.float64)
    if not np.isfinite(answers).all():
        raise NotMeasurableError("it gives NaN or infinite samples")
    return answers
