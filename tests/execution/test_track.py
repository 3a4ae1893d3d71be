"""A recording as it is measured: the same sound whether it is kept or read again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from raypipe.errors import UnsupportedAudio
from raypipe.execution.track import Track
from tests.signals import bursts


def read_all(track: Track, block: int) -> np.ndarray:
    parts = []
    while (sound := track.read(block)).shape[1]:
        parts.append(sound)
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
def test_excerpts_are_the_same_kept_or_read_again(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    sf.write(path, bursts(70_001, 2).T, 44_100)
    excerpts = []
    for kept_s in (60.0, 0.5):
        with closing(Track(str(path), None, keep_truncated=False, kept_s=kept_s)) as track:
            sound = read_all(track, 4096)
            assert track.kept == (kept_s == 60)
            assert track.frames == sound.shape[1]
            own = [track.excerpt(*at) for at in ((0, 100), (30_000, 40_000), (5, track.frames))]
            assert np.array_equal(
                own[1], sound.mean(axis=0, dtype=float)[30_000:40_000].astype("f4")
            )
            excerpts.append([*own, track.excerpt(1000, 30_000, 16_000)])
    for kept, again in zip(*excerpts, strict=True):
        assert np.array_equal(kept, again)


def test_another_rate_is_what_resampling_the_whole_gives(tmp_path: Path) -> None:
    sound = bursts(90_000)[0]
    sf.write(tmp_path / "a.wav", sound, 44_100, "FLOAT")
    path = str(tmp_path / "a.wav")
    with closing(Track(path, None, keep_truncated=False, kept_s=60, rate_hz=16_000)) as track:
        found = read_all(track, 1000)[0]
    expected = soxr.resample(sound, 44_100, 16_000, quality="HQ")
    assert abs(len(found) - len(expected)) <= 1
    size = min(len(found), len(expected))
    assert np.max(np.abs(found[4:size] - expected[4:size])) < 1e-5
    assert np.max(np.abs(found[:4] - expected[:4])) < 1e-3  # another idea of what was before


def test_what_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.array([0.0, 1e300]), 8000, "DOUBLE")
    with (
        closing(Track(str(tmp_path / "a.wav"), None, keep_truncated=False, kept_s=0)) as track,
        pytest.raises(UnsupportedAudio, match=r"has a sample of 1e\+300"),
    ):
        track.read(10)
