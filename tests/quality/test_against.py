"""How measures are told."""

from __future__ import annotations

import pytest

from raypipe.quality.against import rounded


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("reference_snr_db", -0.0001, "0.0"), ("clipped_share", 0.0000123, "1.2e-05"),
     ("delay_samples", -0.2, "0"), ("bandwidth_hz", 7968.8, "7969"), ("stoi", 0.99999, "1.0")],
)  # fmt: skip
def test_measures_have_the_decimals_that_mean_something(name: str, value: float, told: str) -> None:
    assert str(rounded(name, value)) == told
