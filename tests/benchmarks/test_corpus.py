"""Corpora: what was asked for, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.corpus import make_speech, mixed_lengths, noisy_speech


def test_the_same_seed_gives_the_same_sound_and_another_gives_another() -> None:
    one, two, other = noisy_speech(4000, seed=1), noisy_speech(4000, seed=1), noisy_speech(4000)
    assert (one == two).all()
    assert not (one == other).all()


def test_sound_has_the_shape_asked_for_and_stays_within_full_scale() -> None:
    sound = noisy_speech(200_000, channels=2, seed=3)
    assert sound.shape == (2, 200_000)
    assert sound.dtype == np.float32
    assert 0.05 < np.abs(sound).max() < 1
    assert not (sound[0] == sound[1]).all()


def test_sound_may_be_longer_than_what_was_made_beforehand() -> None:
    assert np.std(noisy_speech(100 * 16_000)[0, -16_000:]) > 0.001


def test_files_have_the_lengths_rate_and_channels_asked_for(tmp_path: Path) -> None:
    folder = make_speech(tmp_path / "in", [0.5, 1.25], 48_000, 2, ".flac")
    infos = [sf.info(path) for path in sorted(folder.iterdir())]
    assert [info.frames for info in infos] == [24_000, 60_000]
    assert {(i.samplerate, i.channels, i.format, i.subtype) for i in infos} == {
        (48_000, 2, "FLAC", "PCM_16")
    }


@pytest.mark.parametrize(("total_s", "longest_s"), [(36_000, 1800.0), (600, 150.0), (1, 2.0)])
def test_mixed_lengths_add_up_and_stay_within_their_bounds(total_s: int, longest_s: float) -> None:
    lengths = mixed_lengths(total_s, longest_s)
    assert sum(lengths) == pytest.approx(total_s)
    assert all(1 <= length <= longest_s for length in lengths)
    assert lengths == mixed_lengths(total_s, longest_s)


def test_mixed_lengths_are_as_often_short_as_long_on_a_log_scale() -> None:
    lengths = np.array(mixed_lengths(360_000))
    assert np.mean(lengths < np.sqrt(1800)) == pytest.approx(0.5, abs=0.06)
