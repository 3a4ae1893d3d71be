"""A model's bytes on a node: one file, trusted for its digest alone."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raypipe.errors import ModelError
from raypipe.inference.copies import copy_of

CONTENT = b"a model" * 10_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/raypipe/models"


def test_many_who_ask_at_once_share_one_file(cache: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        paths = set(threads.map(lambda _: copy_of(memoryview(CONTENT), SHA256), range(32)))
    assert paths == {cache / f"{SHA256}.tflite"}
    assert [path.name for path in cache.iterdir()] == [f"{SHA256}.tflite"]
    assert paths.pop().read_bytes() == CONTENT


def test_a_file_that_is_there_is_used_as_it_is(cache: Path) -> None:
    path = copy_of(CONTENT, SHA256)
    before = path.stat().st_ino
    assert copy_of(CONTENT, SHA256).stat().st_ino == before


def test_a_file_of_the_right_name_with_other_bytes_is_replaced(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / f"{SHA256}.tflite").write_bytes(b"half")
    assert copy_of(CONTENT, SHA256).read_bytes() == CONTENT


def test_bytes_that_are_not_what_they_should_be_are_refused(cache: Path) -> None:
    with pytest.raises(ModelError, match="did not arrive whole"):
        copy_of(CONTENT[:-1], SHA256)
    assert not cache.exists()


def test_where_the_cache_cannot_be_a_folder_of_its_own_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = copy_of(CONTENT, SHA256)
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
