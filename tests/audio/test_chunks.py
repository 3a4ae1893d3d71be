from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raypipe.audio import chunks
from tests import signals
from tests.audio import files


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU"])
def test_the_promise_is_what_was_written(container: str, tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", container)
    files.write(path, signals.noise(501, 2), files.target(container, "PCM_16", 2))
    with open(path, "rb") as file:
        promise = chunks.promise(chunks.walk(file))
    assert promise is not None
    assert promise.promised == 501 * 2 * 2
    assert promise.held >= promise.promised
    assert not promise.streaming


def test_other_files_have_no_chunks() -> None:
    for data in (b"", b"fLaC", b"RIFF....AVI ", b"OggS" * 30):
        layout = chunks.walk(io.BytesIO(data))
        assert layout.chunks == ()
        assert chunks.promise(layout) is None


def test_an_empty_data_chunk_that_is_followed_by_another_is_no_placeholder() -> None:
    head = struct.pack("<4sI4s", b"RIFF", 100, b"WAVE")
    empty = struct.pack("<4sI", b"data", 0)
    info = struct.pack("<4sI4s", b"LIST", 4, b"INFO")
    followed = chunks.promise(chunks.walk(io.BytesIO(head + empty + info)))
    assert followed == chunks.Promise(0, 0, False)
    unclosed = chunks.promise(chunks.walk(io.BytesIO(head + empty + bytes(range(128, 228)) * 3)))
    assert unclosed is not None
    assert unclosed.streaming
    assert unclosed.held == 300


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([b"RIFF\0\0\0\0WAVE", b"FORM\0\0\0\0AIFF", b"caff\0\1\0\0", b".snd"]),
    st.binary(max_size=200),
)
def test_damaged_chunks_end_the_list_and_never_fail(head: bytes, tail: bytes) -> None:
    layout = chunks.walk(io.BytesIO(head + tail))
    assert layout.file_size == len(head) + len(tail)
    chunks.promise(layout)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 40)), min_size=1, max_size=8))
def test_an_unclosed_file_reads_alike_in_any_cut(reads: list[tuple[int, int]]) -> None:
    data = bytes(range(100))
    mended = data[:40] + struct.pack("<I", 56) + data[44:]
    file = chunks.UnclosedFile(io.BytesIO(data), 40, 56)
    for at, size in reads:
        file.seek(at)
        buffer = bytearray(size)
        got = file.readinto(memoryview(buffer))
        assert bytes(buffer[:got]) == mended[at : at + size]
        assert file.tell() == at + got
