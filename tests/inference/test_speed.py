"""The measurement of a model's speed: figures that hang together; how large they are is no test."""

from __future__ import annotations

import pytest

from raypipe.inference import speed
from raypipe.inference.speed import kernel_speed, lane_speeds
from raypipe.inference.zoo import find_model


@pytest.fixture(autouse=True)
def short_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "TRY_S", 0.004)


def test_each_number_of_lanes_is_measured() -> None:
    model = find_model("recurrent")
    found = lane_speeds(model, (1, 5))
    assert [one.lanes for one in found] == [1, 5]
    for one in found:
        assert one.bare_us is not None and one.bare_us > 0
        hop_us = model.card.hop / (model.card.rate_hz or 48_000) * 1e6
        assert one.x_real_time == pytest.approx(hop_us / one.frame_us)


def test_python_model_has_no_bare_graph() -> None:
    model = find_model("python:tests.poison:killer")
    assert lane_speeds(model, (1,))[0].bare_us is None


def test_speed_counts_all_lanes() -> None:
    assert kernel_speed(find_model("recurrent"), 5) > 0
