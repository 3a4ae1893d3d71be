"""IN where nothing is written: every kind of it, with names relative to its root."""

from __future__ import annotations

from pathlib import Path

import pytest

from raypipe.errors import UsageError
from raypipe.plan.route import find_source
from raypipe.plan.scan import scan
from raypipe.settings import RunSettings
from raypipe.storage.paths import NAME_MAX_BYTES
from raypipe.types import AudioFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wav", "deep/b.flac", "deep/a.wav", "notes.txt", ".raypipe/x.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(source: str | Path) -> set[str]:
    return {file.name for file in scan(find_source(str(source)), RunSettings())}


def test_a_folder_a_glob_a_file_and_a_list(folder: Path) -> None:
    assert names(folder) == {"a.wav", "deep/a.wav", "deep/b.flac"}
    assert names(folder / "**" / "*.wav") == {"a.wav", "deep/a.wav"}
    assert names(folder / "notes.txt") == {"notes.txt"}
    (folder / "list").write_text(f"{folder}/a.wav\n{folder}/deep/b.flac\n")
    assert names(f"@{folder}/list") == {"a.wav", "deep/b.flac"}


def test_a_suffix_or_a_format_for_outputs_changes_nothing(folder: Path) -> None:
    (folder / "a_clean.wav").touch()
    settings = RunSettings(suffix="_clean", output_format="opus")
    found = {file.output for file in scan(find_source(str(folder)), settings)}
    assert found == names(folder) == {"a.wav", "a_clean.wav", "deep/a.wav", "deep/b.flac"}


def test_no_name_is_too_long_for_an_output_that_is_never_made(folder: Path) -> None:
    longest = "n" * (NAME_MAX_BYTES - len(".m4a")) + ".m4a"  # enhanced, it would end in .flac
    (folder / longest).touch()
    found = {type(file) for file in scan(find_source(str(folder)), RunSettings())}
    assert found == {AudioFile}


def test_what_is_not_there_is_said(folder: Path) -> None:
    for source, sentence in (("", "IN must not be empty"), (f"{folder}/x", "no such file")):
        with pytest.raises(UsageError, match=sentence):
            find_source(source)
