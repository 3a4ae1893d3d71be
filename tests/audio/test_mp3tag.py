from __future__ import annotations

import io
from pathlib import Path

import mutagen.id3

from raypipe.audio import mp3tag
from tests import signals
from tests.audio import files


def test_the_length_header_is_found_behind_tags(tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", "MP3")
    files.write(path, signals.bursts(20000), files.target("MP3", "MPEG_LAYER_III"))
    with open(path, "rb") as file:
        assert mp3tag.tells_length(file)
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.TIT2(encoding=3, text="x" * 30000))
    tags.save(path)
    with open(path, "rb") as file:
        assert mp3tag.tells_length(file)
    data = Path(path).read_bytes()
    for mark in (b"Xing", b"Info"):
        data = data.replace(mark, b"----")
    assert not mp3tag.tells_length(io.BytesIO(data))


def test_an_unbounded_file_gives_its_bytes_then_nothing_then_zeros() -> None:
    file = mp3tag.UnboundedFile(io.BytesIO(bytes(range(1, 101))))
    end = file.seek(0, 2)
    assert end > 5000
    assert not file.exhausted
    file.seek(0)
    assert file.read(100) == bytes(range(1, 101))
    assert file.read(10) == b""
    assert file.exhausted
    file.seek(-128, 2)
    assert file.read(128) == bytes(128)
