"""Which recording a file is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raypipe.execution.references import find_reference


@pytest.fixture
def references(tmp_path: Path) -> Iterator[Path]:
    for name in ("x.wav", "sub/y.flac", "z.mp3", "z.wav", "odd.aifc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    yield tmp_path


def test_references_are_found_by_name_whatever_their_ending(references: Path) -> None:
    root = str(references)
    for name, expected in {
        "x.wav": "x.wav", "x.mp3": "x.wav", "sub/y.wav": "sub/y.flac", "z.mp3": "z.mp3",
        "z.ogg": "z.wav", "odd.aifc": "odd.aifc",
    }.items():  # fmt: skip
        assert find_reference(root, name) == str(references / expected), name
    assert find_reference(root, "y.wav") is None


@pytest.mark.parametrize(
    ("name", "there"),
    [("a.wav", "a.WAV"), ("a.WAV", "a.FLAC"), ("a.wav", "a.pcm"), ("a.flac", "a.aifc"),
     ("a.wav", "a.M4B"), ("a.wav", "a.flac")],
)  # fmt: skip
def test_a_reference_may_have_any_ending_of_a_recording(
    tmp_path: Path, name: str, there: str
) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.wav.flac").touch()
    assert find_reference(str(tmp_path), name) is None
    (tmp_path / there).touch()
    assert find_reference(str(tmp_path), name) == str(tmp_path / there)


def test_a_folder_is_no_reference_and_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").mkdir()
    (tmp_path / "a.flac").touch()
    assert find_reference(str(tmp_path), "a.wav") == str(tmp_path / "a.flac")
    (tmp_path / "b.wav").symlink_to(tmp_path / "nowhere")
    assert find_reference(str(tmp_path), "b.wav") == str(tmp_path / "b.wav")
