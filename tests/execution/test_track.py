"""A recording as it is measured: the same sound whether it is kept or read again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from raypipe.errors import UnsupportedAudio
from raypipe.execution import track as track_module
from raypipe.execution.track import Track
from tests.signals import bursts, noise


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


@pytest.mark.parametrize(("own_hz", "rate_hz"), [(48_000, 8000), (8000, 44_100), (44_100, 48_000)])
def test_a_reference_sounds_the_same_kept_or_read_again(
    tmp_path: Path, own_hz: int, rate_hz: int
) -> None:
    path = str(tmp_path / "a.wav")
    sf.write(path, noise(4 * own_hz)[0], own_hz, "FLOAT")
    excerpts = []
    for kept_s in (60.0, 0.5):
        with closing(Track(path, None, keep_truncated=False, kept_s=kept_s, rate_hz=rate_hz)) as t:
            read_all(t, 10_000)
            for wanted_hz in (rate_hz, 16_000):
                excerpts.append(t.excerpt(rate_hz + 7, 3 * rate_hz, wanted_hz))
    own, heard, own_again, heard_again = excerpts
    for kept, again in ((own, own_again), (heard, heard_again)):
        assert len(kept) == len(again)
        # What is read again begins and ends in silence.
        middle = slice(rate_hz // 25, -rate_hz // 25)
        assert np.max(np.abs(kept[middle] - again[middle])) < 1e-4


@pytest.mark.parametrize("places", [[(0, 900), (300, 1200), (1200, 1500)], [(500, 900), (0, 600)]])
def test_overlapping_excerpts_are_those_of_the_whole(
    tmp_path: Path, places: list[tuple[int, int]]
) -> None:
    sound = bursts(2000)[0]
    sf.write(tmp_path / "a.wav", sound, 1000, "FLOAT")
    with closing(Track(str(tmp_path / "a.wav"), None, keep_truncated=False, kept_s=0)) as track:
        read_all(track, 700)
        for start, stop in places:
            assert np.array_equal(track.excerpt(start, stop), sound[start:stop].astype("f4"))


def test_overlapping_excerpts_of_an_mp3_are_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sf.write(tmp_path / "a.mp3", bursts(90_000)[0], 44_100)
    with closing(Track(str(tmp_path / "a.mp3"), None, keep_truncated=False, kept_s=0)) as track:
        read_all(track, 4096)
        opened = []
        again = track.reader._reopen
        monkeypatch.setattr(track.reader, "_reopen", lambda: (opened.append(1), again()))
        for start in range(0, 70_000, 5000):
            assert len(track.excerpt(start, start + 15_000)) == 15_000
    assert len(opened) == 1


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


def test_a_far_higher_rate_is_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sf.write(tmp_path / "a.wav", noise(48_000)[0], 48_000)
    path = str(tmp_path / "a.wav")
    monkeypatch.setattr(track_module, "MOST_READ", 1000)
    with closing(Track(path, None, keep_truncated=False, kept_s=0, rate_hz=16_000)) as track:
        asked = []
        read = track.reader.read
        monkeypatch.setattr(track.reader, "read", lambda n: (asked.append(n), read(n))[1])
        assert read_all(track, 16_000).shape == (1, 16_000)
    assert max(asked) == 1000


def test_what_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.array([0.0, 1e300]), 8000, "DOUBLE")
    with (
        closing(Track(str(tmp_path / "a.wav"), None, keep_truncated=False, kept_s=0)) as track,
        pytest.raises(UnsupportedAudio, match=r"has a sample of 1e\+300"),
    ):
        track.read(10)
