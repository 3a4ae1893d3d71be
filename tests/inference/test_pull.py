"""Pulling a model: from a folder, from the network, and every way in which that fails."""

from __future__ import annotations

import hashlib
import io
import shutil
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from raypipe.errors import ModelError, StorageError
from raypipe.inference import pull as pulling
from raypipe.inference.dtln import fill
from raypipe.inference.pull import (
    FOLDER_VARIABLE,
    PUBLISHED,
    SKELETON,
    models_folder,
    name_to_pull,
    pull,
)
from raypipe.inference.zoo import find_model, verify
from tests.conftest import SHARED

FILES = PUBLISHED["dtln"].files


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, not there yet."""
    folder = tmp_path / "data" / "models"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def published() -> Path:
    folder = SHARED / "models" / "dtln"
    if not folder.is_dir():
        pytest.skip("DTLN's published weights are not beside this checkout")
    return folder


def web(monkeypatch: pytest.MonkeyPatch, answers: dict[str, bytes | Exception]) -> list[str]:
    """Stand in for the network; gives the addresses that were asked for."""
    asked = []

    def urlopen(url: str, timeout: float) -> Any:
        assert timeout > 0
        asked.append(url)
        answer = answers[url.rpartition("/")[2]]
        if isinstance(answer, Exception):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return asked


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_folder_with_the_published_files_gives_both_variants(published: Path, folder: Path) -> None:
    paths = pull("dtln", published)
    assert paths == [folder / "dtln.tflite", folder / "dtln-int8.tflite"]
    assert left_in(folder) == ["dtln-int8.tflite", "dtln.tflite"]
    large, small = (path.stat().st_size for path in paths)
    assert small < 0.4 * large
    for name in ("dtln", "dtln-int8"):
        model = find_model(name)
        assert (model.path, model.card.name) == (str(folder / f"{name}.tflite"), name)
        assert [check for check in verify(model) if not check.ok] == []
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in pull("dtln-int8", published)] == before


def test_network_gives_the_same_bytes_as_the_folder(
    published: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_folder = [path.read_bytes() for path in pull("dtln", published)]
    shutil.rmtree(folder)
    asked = web(monkeypatch, {f.name: (published / f.name).read_bytes() for f in FILES})
    assert [path.read_bytes() for path in pull("dtln")] == from_folder
    assert asked == [PUBLISHED["dtln"].url + file.name for file in FILES]
    assert all(url.startswith("https://") for url in asked)


def test_what_the_table_says_of_the_files_is_so(published: Path) -> None:
    for file in FILES:
        content = (published / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_second_file_that_is_another_one_leaves_nothing(
    published: Path, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "from").mkdir()
    for file in FILES:
        shutil.copyfile(published / file.name, tmp_path / "from" / file.name)
    content = bytearray((published / FILES[1].name).read_bytes())
    content[-1] ^= 1
    (tmp_path / "from" / FILES[1].name).write_bytes(content)
    with pytest.raises(ModelError, match=r"model_2\.tflite: is not the published file: found 2515"):
        pull("dtln", tmp_path / "from")
    assert left_in(folder) == []


def test_folder_without_the_files_is_one_sentence(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ModelError, match=r"model_1\.tflite: cannot be read: No such file") as told:
        pull("dtln", tmp_path)
    assert "\n" not in str(told.value)
    assert left_in(folder) == []


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (URLError("Name or service not known"), "cannot be downloaded: Name or service not known;"),
        (TimeoutError("timed out"), r"cannot be downloaded: timed out; .* \(--from DIR\)"),
        (b"404: Not Found", "is not the published file: found 14 bytes"),
        (b"x" * 10_000_000, "is not the published file: found 1459945 bytes"),
    ],
)
def test_network_that_fails_or_lies_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, folder: Path, answer: bytes | Exception, message: str
) -> None:
    web(monkeypatch, {FILES[0].name: answer})
    with pytest.raises(ModelError, match=rf"^https://.*model_1\.tflite: {message}") as told:
        pull("dtln")
    assert "\n" not in str(told.value)
    assert left_in(folder) == []


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelError, match="no model 'dtnl' can be pulled; known are dtln, dtln-int"):
        pull("dtnl")


def test_variant_is_pulled_under_the_model_s_name() -> None:
    assert [name_to_pull(name) for name in ("dtln", "dtln-int8", "x")] == ["dtln", "dtln", None]


def test_folder_that_cannot_be_written_is_named(published: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"dtln\.tflite: cannot be written"):
        pull("dtln", published)


def test_write_that_fails_leaves_the_old_file(
    published: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(parents=True)
    (folder / "dtln.tflite").write_bytes(b"old")

    def fsync(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pulling.os, "fsync", fsync)
    with pytest.raises(StorageError, match="No space left on device"):
        pull("dtln", published)
    assert left_in(folder) == ["dtln.tflite"]
    assert (folder / "dtln.tflite").read_bytes() == b"old"


def test_folder_of_models_is_told_or_the_system_s_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pulling.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(FOLDER_VARIABLE, "~/mine")
    assert models_folder() == tmp_path / "mine"
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "x"))
    assert models_folder() == tmp_path / "x" / "raypipe" / "models"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert models_folder() == tmp_path / ".local" / "share" / "raypipe" / "models"
    monkeypatch.setattr(pulling.sys, "platform", "darwin")
    assert models_folder() == tmp_path / "Library" / "Application Support" / "raypipe" / "models"


def test_weights_that_do_not_fit_the_graph_are_named() -> None:
    skeleton = SKELETON.read_bytes()
    with pytest.raises(ModelError, match=r"'dense_1\.bias': found shape \(257,\), .* \(3,\)"):
        fill(skeleton, {"dense_1.bias": np.zeros(3, np.float32)}, "g")
    with pytest.raises(ModelError, match=r"g: has no tensor for the weights 'dense_9\.bias'"):
        fill(skeleton, {"dense_9.bias": np.zeros(3, np.float32)}, "g")


def test_skeleton_is_small_enough_for_the_wheel_and_holds_no_weights() -> None:
    assert SKELETON.stat().st_size < 200_000
