"""What a worker declares, against what one was measured to take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raypipe.execution.needs import worker_bytes
from raypipe.inference.zoo import find_model
from raypipe.plan.schedule import batch_seconds

MEASURED = {  # at 48 kHz: peak resident memory in MB on x86-64, Python 3.11
    ("passthrough", 70): 561,
    ("benchmark", 70): 529,
}


@pytest.mark.parametrize(("name", "lanes"), MEASURED)
def test_it_is_more_than_was_measured_and_less_than_twice_that(name: str, lanes: int) -> None:
    declared_mb = worker_bytes(find_model(name), batch_seconds(lanes, None)) / (1 << 20)
    assert 1 <= declared_mb / MEASURED[name, lanes] < 2


def test_longer_segments_and_larger_models_need_more() -> None:
    model = find_model("benchmark")
    assert worker_bytes(model, batch_seconds(70, 60)) > 4 * worker_bytes(model, 70.0)
    assert worker_bytes(model, 0) > worker_bytes(find_model("passthrough"), 0)


def test_a_python_model_counts_for_nothing() -> None:
    model = replace(find_model("passthrough"), path="python:package:factory")
    assert 0 < worker_bytes(model, 0) < 1 << 30
