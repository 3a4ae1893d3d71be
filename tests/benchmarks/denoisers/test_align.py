"""A peer that is a sample late is found out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.denoisers.align import check_alignment, lag
from benchmarks.peers.processes import PeerFailed
from tests.signals import bursts


def folders(tmp_path: Path, late: int, cut: int = 0) -> tuple[Path, Path, list[str]]:
    """What a stub makes that does nothing but come late."""
    before, after = tmp_path / "before", tmp_path / "after"
    for folder in (before, after):
        folder.mkdir()
    for number in range(2):
        sound = bursts(20_000, seed=number)[0]
        made = 0.5 * np.roll(sound, late)
        sf.write(before / f"{number}.wav", sound, 48_000, "FLOAT")
        sf.write(after / f"{number}.wav", made[: len(made) - cut], 48_000, "FLOAT")
    return before, after, ["0.wav", "1.wav"]


def test_an_aligned_output_passes(tmp_path: Path) -> None:
    check_alignment(*folders(tmp_path, 0))


@pytest.mark.parametrize("late", [1, -1, 480])
def test_one_sample_is_too_late(tmp_path: Path, late: int) -> None:
    with pytest.raises(PeerFailed, match=f"its output is {late} samples late"):
        check_alignment(*folders(tmp_path, late))


def test_a_shorter_output_is_named(tmp_path: Path) -> None:
    with pytest.raises(PeerFailed, match=r"0\.wav: made 19999 samples of 20000"):
        check_alignment(*folders(tmp_path, 0, 1))


def test_another_sound_is_no_output(tmp_path: Path) -> None:
    before, after, names = folders(tmp_path, 0)
    for name in names:
        sf.write(after / name, np.random.default_rng(5).normal(size=20_000) / 10, 48_000)
    with pytest.raises(PeerFailed, match="does not resemble"):
        check_alignment(before, after, names)


def test_silence_has_no_lag() -> None:
    assert np.isnan(lag(bursts(9000)[0], np.zeros(9000), 48_000))
