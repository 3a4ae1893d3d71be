"""The benchmark model is of the size it says."""

from __future__ import annotations

from pathlib import Path

from models.benchmark_model import CARD, FRAME, UNITS
from raypipe.inference.zoo import find_model


def test_it_steps_125_frames_of_a_million_weights_a_second() -> None:
    weights = 4 * UNITS * (FRAME + UNITS) + 4 * UNITS * 2 * UNITS + UNITS * FRAME
    assert 0.98e6 < weights < 1.02e6
    assert CARD.rate_hz == 125 * FRAME


def test_its_weights_are_stored_as_int8() -> None:
    assert Path(find_model("benchmark").path).stat().st_size < 1_100_000
