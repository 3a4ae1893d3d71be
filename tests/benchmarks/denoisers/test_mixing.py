"""Pairs: everyone's share is even, and the SNR is the one that was asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.denoisers.mixing import (
    PEAK,
    SNRS_DB,
    Pair,
    active_db,
    mix,
    plan_pairs,
    to_judged,
)
from tests.benchmarks.denoisers.made import recordings


def level_db(sound: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(sound**2)))


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    return plan_pairs(*recordings(tmp_path), SNRS_DB, 24)


def test_each_class_meets_each_snr_equally_often(pairs: list[Pair]) -> None:
    shares = Counter((pair.noise_class, pair.snr_db) for pair in pairs)
    assert shares == {(name, snr): 2 for name in ("hiss", "short") for snr in SNRS_DB}


def test_recordings_of_a_class_take_turns(pairs: list[Pair]) -> None:
    assert Counter(pair.noise.name for pair in pairs) == {"hiss.wav": 12, "a.wav": 6, "b.wav": 6}


def test_the_plan_is_the_same_each_time(pairs: list[Pair], tmp_path: Path) -> None:
    assert plan_pairs(*recordings(tmp_path), SNRS_DB, 24) == pairs


@pytest.mark.parametrize("place", range(6))
def test_below_8_khz_the_snr_is_the_one_that_was_asked_for(pairs: list[Pair], place: int) -> None:
    clean, noisy = (to_judged(sound) for sound in mix(pairs[place]))
    snr_db = active_db(clean) - level_db(noisy - clean)
    assert snr_db == pytest.approx(pairs[place].snr_db, abs=0.01)  # the resampler's rounding


def test_the_pair_is_aligned_equally_long_and_within_full_scale(pairs: list[Pair]) -> None:
    for pair in pairs:
        clean, noisy = mix(pair)
        assert len(clean) == len(noisy) == round(pair.seconds * 48_000)
        assert np.abs(noisy).max() <= PEAK
        assert abs(clean.mean()) < 1e-2 * np.abs(clean).max()


def test_a_silent_noise_is_named(tmp_path: Path) -> None:
    import soundfile as sf

    speech, _ = recordings(tmp_path)
    sf.write(tmp_path / "zero.wav", np.zeros(48_000), 48_000)
    pair = Pair("x", speech[0], tmp_path / "zero.wav", "zero", 0.0, 2.0, 0.0, 0.0)
    with pytest.raises(ValueError, match=r"zero\.wav: this stretch is silent"):
        mix(pair)
