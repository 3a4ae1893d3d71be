from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import IO

import pytest

from raypipe.errors import OutputBusy, StorageError, UsageError
from raypipe.storage import (
    LocalHold,
    LocalPlace,
    absolute,
    path_or_address,
    show,
    storage_error,
    too_long,
    write_text,
)


def test_a_second_run_is_refused_and_told_who_holds_the_output(tmp_path: Path) -> None:
    with (
        LocalHold(str(tmp_path)) as place,
        pytest.raises(OutputBusy, match=f"process {os.getpid()} on "),
        LocalHold(str(tmp_path)),
    ):
        pass
    with LocalHold(str(tmp_path)) as again:
        assert again.still_ours()
        assert not place.still_ours()


def test_what_a_dead_run_left_is_swept(tmp_path: Path) -> None:
    with LocalHold(str(tmp_path)) as place:
        Path(place.temporary("1-sound")).write_bytes(b"half")
    left = LocalPlace(place.root, place.private, "0123456789ab")
    Path(left.temporary("2-sound")).write_bytes(b"half")
    Path(place.private, "tmp/mine.wav").write_bytes(b"not raypipe's")
    with LocalHold(str(tmp_path)):
        assert os.listdir(tmp_path / ".raypipe/tmp") == ["mine.wav"]


def test_a_link_in_the_place_of_the_private_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "out/.raypipe").mkdir(parents=True)
    (tmp_path / "out/.raypipe/tmp").symlink_to(tmp_path / "precious")
    with pytest.raises(StorageError, match="is a link"):
        LocalHold(str(tmp_path / "out")).__enter__()


def test_a_name_never_leaves_the_output(tmp_path: Path) -> None:
    place = LocalPlace(str(tmp_path), str(tmp_path / ".raypipe"), "0123456789ab")
    assert place.final("a/../b.wav") == f"{tmp_path}/b.wav"
    for name in ("../a.wav", "/a.wav", "a/../../b.wav"):
        with pytest.raises(StorageError, match="would lie outside"):
            place.final(name)


def test_a_single_file_leaves_nothing_behind(tmp_path: Path) -> None:
    with LocalHold(str(tmp_path), resumable=False) as place:
        Path(place.temporary("1-sound")).write_bytes(b"half")
    assert os.listdir(tmp_path) == []


def test_an_abandoned_private_folder_is_swept_but_a_held_one_is_not(tmp_path: Path) -> None:
    dead = tmp_path / ".raypipe-0123456789ab"
    dead.mkdir()
    (dead / "lock").write_text("0123456789ab process 1 on nowhere")
    os.utime(dead, (0, 0))
    with (
        LocalHold(str(tmp_path), resumable=False) as first,
        LocalHold(str(tmp_path), resumable=False) as second,
    ):
        assert not dead.exists()
        assert first.still_ours() and second.still_ours()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"file/out: cannot write into the output: a part of"):
        LocalHold(str(tmp_path / "file/out")).__enter__()


def test_errors_say_path_and_cause() -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    assert str(storage_error(error, "/a/b", "write")) == (
        "/a/b: cannot write: no space is left on the device"
    )


def test_paths_are_shown_on_one_line() -> None:
    assert show("a\nb") == "a\\nb"
    assert show(os.fsdecode(b"\xff.wav")) == "\\xff.wav"
    assert show("Grüße.wav") == "Grüße.wav"


def test_addresses() -> None:
    assert path_or_address("/a/b") == "/a/b"
    assert path_or_address("file:///a/b") == "/a/b"
    assert path_or_address("S3://bucket/A") == "s3://bucket/A"
    with pytest.raises(UsageError, match="not ftp://"):
        path_or_address("ftp://host/a")


def test_secrets_of_web_addresses_are_not_shown() -> None:
    signed = "https://me:secret@host/a.wav?X-Amz-Signature=secret#t"
    assert show(signed) == absolute(signed) == "https://host/a.wav"
    assert show("/a?b@c") == "/a?b@c"


def test_long_names_are_counted_in_bytes() -> None:
    assert not too_long("a/" + "q" * 255, "/out")
    assert "255 bytes" in too_long("a/" + "é" * 128, "/out")
    assert not too_long("a/" + "é" * 128, "s3://bucket/out")
    assert "1024 bytes" in too_long("a" * 1021, "s3://bucket/out")


def a_line(out: IO[str]) -> None:
    out.write("a line\n")


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text(str(pipe), a_line, "write")
    assert pipe.is_fifo()
    reader.join(30)
    assert read == ["a line\n"]
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_device_is_written_into_and_its_error_is_told(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="full: cannot write: no space is left"):
        write_text(str(tmp_path / "full"), a_line, "write")
    assert [p.name for p in tmp_path.iterdir()] == ["full"]
    assert (tmp_path / "full").is_symlink()
