"""Excerpts: where they are taken, and that both sides are the same stretch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raypipe.page.excerpt import WHOLE_S
from tests.page.pages import RATE_HZ, excerpt, made, run
from tests.signals import bursts, noise


def test_it_is_taken_where_loud_and_quiet_meet(tmp_path: Path) -> None:
    sound = noise(RATE_HZ * 60, level=0.001)
    sound[:, RATE_HZ * 42 : RATE_HZ * 44] += noise(RATE_HZ * 2, level=0.5)
    run(made(tmp_path, sound), tmp_path / "out")
    found = excerpt(tmp_path)
    assert found.start_s <= 42 < 44 <= found.stop_s
    assert found.before is not None
    assert found.after is not None
    start = round(found.start_s * RATE_HZ)
    assert np.array_equal(found.before.sound, sound[:, start : start + 5 * RATE_HZ])
    assert np.array_equal(found.after.sound, found.before.sound)
    assert found.remarks == ()


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_of_a_long_file_only_some_is_looked_at(tmp_path: Path, name: str) -> None:
    sound = noise(RATE_HZ * 200, level=0.01)
    run(made(tmp_path, sound, name), tmp_path / "out", output_format="wav")
    found = excerpt(tmp_path)
    assert found.before is not None
    assert found.after is not None
    assert len(found.before.sound[0]) == len(found.after.sound[0]) == 5 * RATE_HZ
    if name == "a.wav":
        assert found.remarks == ("Looked at were 12 spots, evenly spaced.",)
    else:
        assert f"Looked at were its first {WHOLE_S} s" in found.remarks[0]
        assert found.stop_s <= WHOLE_S
        assert np.abs(found.before.sound - found.after.sound).max() < 1e-4


def test_one_sample_is_an_excerpt(tmp_path: Path) -> None:
    run(made(tmp_path, np.full((1, 1), 0.5, np.float32)), tmp_path / "out")
    found = excerpt(tmp_path)
    assert found.before is not None
    assert found.before.sound.tolist() == [[0.5]]


def test_of_many_channels_two_are_shown(tmp_path: Path) -> None:
    run(made(tmp_path, bursts(RATE_HZ, 6)), tmp_path / "out")
    found = excerpt(tmp_path)
    assert found.after is not None
    assert len(found.after.sound) == 2
    assert found.after.channels == 6
    assert found.remarks == ("The first two of its 6 channels are shown.",)
