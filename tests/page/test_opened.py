"""Inputs and outputs as they are found: gone, moved, changed, headerless."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile as sf

from tests.page.pages import RATE_HZ, excerpt, made, run
from tests.signals import bursts


def test_an_input_that_is_gone_leaves_the_sound_after(tmp_path: Path) -> None:
    root = made(tmp_path, bursts(RATE_HZ))
    run(root, tmp_path / "out")
    os.rename(root, tmp_path / "elsewhere")
    found = excerpt(tmp_path)
    assert found.before is None
    assert found.after is not None
    assert found.remarks == (
        "There is no sound before: the input is not there any more; --input says where it lies "
        "now.",
    )
    moved = excerpt(tmp_path, new_input=str(tmp_path / "elsewhere"))
    assert moved.before is not None
    assert np.array_equal(moved.before.sound, found.after.sound)
    assert moved.remarks == ()
    alone = excerpt(tmp_path, new_input=str(tmp_path / "elsewhere" / "a.wav"))
    assert alone.before is not None
    wrong = excerpt(tmp_path, new_input=str(tmp_path / "nowhere"))
    assert wrong.before is None
    assert wrong.remarks == ("There is no sound before: the input is not there any more.",)


def test_another_file_in_its_place_is_not_shown_as_the_input(tmp_path: Path) -> None:
    root = made(tmp_path, bursts(RATE_HZ))
    run(root, tmp_path / "out")
    made(tmp_path, bursts(RATE_HZ + 1))
    found = excerpt(tmp_path)
    assert found.before is None
    assert "is another file now (8001 samples, it had 8000)" in found.remarks[0]
    made(tmp_path, bursts(RATE_HZ, seed=7))
    assert excerpt(tmp_path).remarks == ("The input was changed or touched since the run.",)


def test_an_output_that_was_edited_says_so(tmp_path: Path) -> None:
    run(made(tmp_path, bursts(RATE_HZ)), tmp_path / "out")
    sf.write(tmp_path / "out" / "a.wav", bursts(RATE_HZ // 2).T, RATE_HZ)
    assert excerpt(tmp_path).remarks == (
        "The output was changed since the run.", "The sound after ends at 0:00.5.",
    )  # fmt: skip
    (tmp_path / "out" / "a.wav").write_bytes(b"")
    found = excerpt(tmp_path)
    assert found.after is None
    assert "The sound after cannot be read: is empty (0 bytes)." in found.remarks


def test_an_output_that_is_gone_leaves_the_sound_before(tmp_path: Path) -> None:
    run(made(tmp_path, bursts(RATE_HZ)), tmp_path / "out")
    (tmp_path / "out" / "a.wav").unlink()
    found = excerpt(tmp_path)
    assert found.before is not None
    assert found.after is None
    assert found.remarks == ("There is no sound after: the output is not there any more.",)


def headerless(root: Path, name: str, rate_hz: int) -> np.ndarray:
    """A file that says nothing of itself, and a run that was told; its samples."""
    (root / "in").mkdir(exist_ok=True)
    samples = np.round(bursts(RATE_HZ, 2).T * 20_000).astype(">i2")
    (root / "in" / name).write_bytes(samples.tobytes())
    run(root / "in", root / "out", raw=f"rate={rate_hz},channels=2,sample=s16be", include=(name,))
    return samples.T.astype(np.float32) / 32768


def test_headerless_sound_is_read_as_the_run_was_told(tmp_path: Path) -> None:
    samples = headerless(tmp_path, "a.raw", RATE_HZ)
    for _ in range(2):
        found = excerpt(tmp_path)
        assert found.before is not None
        assert found.after is not None
        assert np.array_equal(found.before.sound, samples)
        assert np.array_equal(found.after.sound, samples)
        assert found.remarks == ()
        (tmp_path / "out" / ".raypipe" / "report.json").unlink(missing_ok=True)


def test_headerless_sound_of_an_earlier_run_is_read_as_that_one_was_told(tmp_path: Path) -> None:
    headerless(tmp_path, "a.raw", RATE_HZ)
    headerless(tmp_path, "b.raw", 2 * RATE_HZ)
    found = excerpt(tmp_path)
    assert found.remarks == ()
    assert found.before is not None
    assert found.after is not None
    assert (found.before.rate_hz, found.after.rate_hz) == (RATE_HZ, RATE_HZ)
