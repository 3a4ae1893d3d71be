"""The recurrent model against a second computation of it, in numpy and double precision."""

from __future__ import annotations

import numpy as np

from models.frame_module import seeded
from models.recurrent_model import FRAME, GAIN, LEAK, UNITS
from raypipe.inference.zoo import find_model, load_lane_model

ROUNDING = 2e-5
"""Float32 sums of 256 products of size 1, and XNNPACK's approximations of sigmoid and tanh."""


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def reference(sound: np.ndarray) -> np.ndarray:
    into = seeded((2 * FRAME, 3 * UNITS), 1, 0.1).astype(np.float64)
    back = seeded((UNITS, 3 * UNITS), 2, 0.3).astype(np.float64)
    give = seeded((UNITS, FRAME), 3, 0.05).astype(np.float64)
    summed, total = np.empty_like(sound), 0.0
    for i, sample in enumerate(sound):
        total = LEAK * total + sample
        summed[i] = total
    frames = sound.reshape(-1, FRAME)
    last, gru, told = np.zeros(FRAME), np.zeros(UNITS), []
    for frame in frames:
        heard = np.split(np.concatenate([last, frame]) @ into, 3)
        known = np.split(gru @ back, 3)
        keep, reset = sigmoid(heard[0] + known[0]), sigmoid(heard[1] + known[1])
        gru = keep * gru + (1 - keep) * np.tanh(heard[2] + reset * known[2])
        told.append(gru @ give)
        last = frame
    return np.tanh(0.5 * sound + GAIN * summed + np.concatenate(told))


def test_model_computes_what_it_says() -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, 40 * FRAME).astype(np.float32)
    model = load_lane_model(find_model("recurrent"), 1)
    (out,), _ = model.process([sound[None]], [model.new_state(1)])
    wanted = reference(sound.astype(np.float64))
    assert np.max(np.abs(out[0] - wanted)) < ROUNDING
    assert np.std(wanted) > 0.1


def test_first_sample_is_still_heard_many_frames_later() -> None:
    model = load_lane_model(find_model("recurrent"), 2)
    sound = np.zeros((2, 60 * FRAME), np.float32)
    sound[1, 0] = 1.0
    (out,), _ = model.process([sound], [model.new_state(2)])
    assert not np.array_equal(out[0, -FRAME:], out[1, -FRAME:])
