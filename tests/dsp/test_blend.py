"""Some of the input left in the output."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from raypipe.dsp.blend import blend, cleaned_share
from tests.signals import noise

LARGEST = np.finfo(np.float32).max


@pytest.mark.parametrize(
    ("limit_db", "mix", "share"),
    [(None, 1, 1), (None, 0, 0), (None, 0.25, 0.25), (0, 1, 0), (20, 1, 0.9), (40, 0.5, 0.495)],
)
def test_share_follows_limit_and_mix(limit_db: float | None, mix: float, share: float) -> None:
    assert cleaned_share(limit_db, mix) == pytest.approx(share, abs=1e-12)


def test_silenced_sound_keeps_what_the_limit_says() -> None:
    dry = noise(1000)
    left = blend(dry, np.zeros_like(dry), cleaned_share(12, 1))
    assert 20 * np.log10(np.std(dry) / np.std(left)) == pytest.approx(12, abs=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sum_is_that_of_double_precision(dtype: type) -> None:
    dry, wet = noise(1000, 2).astype(dtype), noise(1000, 2, seed=1)
    found = blend(dry, wet, 0.3)
    assert found.dtype == dtype
    assert np.max(np.abs(found - (0.7 * dry.astype(float) + 0.3 * wet.astype(float)))) < 1e-7


@pytest.mark.parametrize("share", [0.0, 0.1, 1 / 3, 0.999, 1.0])
def test_what_was_left_as_it_was_keeps_every_bit(share: float) -> None:
    dry = noise(999, 2)
    dry[0, :4] = [-0.0, 1e-42, LARGEST, -LARGEST]
    assert blend(dry, dry.copy(), share).tobytes() == dry.tobytes()
    wide: NDArray[np.float64] = np.random.default_rng(0).standard_normal((2, 999))
    assert blend(wide, wide.astype(np.float32), share).tobytes() == wide.tobytes()


def test_opposite_extremes_stay_finite() -> None:
    dry = np.array([[LARGEST, -LARGEST]], np.float32)
    assert np.isfinite(blend(dry, -dry, 0.5)).all()


def test_nothing_of_a_broken_model_is_left_where_its_share_is_none() -> None:
    dry = noise(10)
    assert blend(dry, np.full_like(dry, np.nan), 0.0).tobytes() == dry.tobytes()
