"""The delay is a test of shifts only if it is no whole number of frames."""

from __future__ import annotations

import numpy as np

from models.delay_model import CARD, DELAY, FRAME
from raypipe.inference.zoo import find_model, load_lane_model


def test_delay_is_its_latency_and_no_whole_number_of_frames() -> None:
    assert CARD.latency == DELAY
    assert DELAY % FRAME != 0
    assert DELAY > FRAME


def test_sound_comes_out_late_and_unchanged() -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, (1, 8 * FRAME)).astype(np.float32)
    model = load_lane_model(find_model("delay"), 1)
    (out,), _ = model.process([sound], [model.new_state(1)])
    assert np.array_equal(out[:, DELAY:], sound[:, :-DELAY])
    assert not out[:, :DELAY].any()
