"""Excerpts: where they are taken, that both sides are the same stretch, what is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from raypipe.page.excerpt import WHOLE_S, Excerpt, excerpt_of
from raypipe.page.gather import gather
from tests.page.pages import run
from tests.signals import bursts, noise

RATE_HZ = 8000


def made(tmp_path: Path, sound: np.ndarray, name: str = "a.wav", rate_hz: int = RATE_HZ) -> Path:
    root = tmp_path / "in"
    root.mkdir(exist_ok=True)
    sf.write(
        root / name, sound.T, rate_hz, **({} if name.endswith("mp3") else {"subtype": "FLOAT"})
    )
    return root


def excerpt(tmp_path: Path, seconds: float = 5.0, new_input: str | None = None) -> Excerpt:
    gathered = gather(str(tmp_path / "out"))
    return excerpt_of(gathered.files[0], gathered, seconds, new_input)


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
    assert "The output was changed since the run." in excerpt(tmp_path).remarks
    (tmp_path / "out" / "a.wav").write_bytes(b"")
    found = excerpt(tmp_path)
    assert found.after is None
    assert "The sound after cannot be read: is empty (0 bytes)." in found.remarks


def test_headerless_sound_is_read_as_the_run_was_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    samples = np.round(bursts(RATE_HZ, 2).T * 20_000).astype(">i2")
    (tmp_path / "in" / "a.raw").write_bytes(samples.tobytes())
    run(tmp_path / "in", tmp_path / "out", raw="rate=8000,channels=2,sample=s16be")
    for _ in range(2):
        found = excerpt(tmp_path)
        assert found.before is not None
        assert found.after is not None
        assert np.array_equal(found.before.sound, samples.T.astype(np.float32) / 32768)
        assert np.array_equal(found.after.sound, found.before.sound)
        shutil.rmtree(tmp_path / "out" / ".raypipe" / "tmp", ignore_errors=True)
        (tmp_path / "out" / ".raypipe" / "report.json").unlink(missing_ok=True)
