from __future__ import annotations

import struct
from pathlib import Path

import mutagen.flac
import mutagen.id3
import mutagen.mp3
import mutagen.oggvorbis
import mutagen.wave
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raypipe.audio import chunks
from raypipe.audio.tags import copy_tags
from tests import signals
from tests.audio import files

COVER = b"\xff\xd8\xff\xe0 not really a picture " * 20
SUBTYPES = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}
TAGGED = ["FLAC", "OGG", "MP3", "WAV", "AIFF"]


def sound_file(folder: Path, stem: str, container: str) -> str:
    path = files.path_for(folder, stem, container)
    files.write(path, signals.bursts(9000), target(container))
    return path


def target(container: str) -> files.SoundTarget:
    return files.target(container, SUBTYPES.get(container, "PCM_16"))


def tagged_flac(folder: Path) -> str:
    path = sound_file(folder, "source", "FLAC")
    tagged = mutagen.flac.FLAC(path)
    tagged["title"], tagged["artist"] = "Ein Lied — ♫", ["One", "Two"]
    tagged["tracknumber"], tagged["comment"], tagged["mood"] = "3/9", "a comment", "glad"
    picture = mutagen.flac.Picture()
    picture.data, picture.mime, picture.type = COVER, "image/jpeg", 3
    tagged.add_picture(picture)
    tagged.save()
    return path


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)


def read_chunks(path: str) -> dict[bytes, bytes]:
    data = Path(path).read_bytes()
    with open(path, "rb") as file:
        layout = chunks.walk(file)
    assert layout.kind in ("RF64", "AIFF") or struct.unpack("<I", data[4:8])[0] == len(data) - 8
    return {c.name: data[c.offset : c.offset + c.size] for c in layout.chunks}


@pytest.mark.parametrize("container", TAGGED)
def test_text_and_cover_reach_every_container_that_takes_them(
    container: str, tmp_path: Path
) -> None:
    source = tagged_flac(tmp_path)
    out = sound_file(tmp_path, "out", container)
    before = files.read(out)
    assert copy_tags(source, out, target(container)) == ()
    after = files.read(out)
    assert before[0] == after[0]
    assert files.same(before[1], after[1])
    found = mutagen.File(out)
    if container in ("FLAC", "OGG"):
        assert found["title"] == ["Ein Lied — ♫"]
        assert found["artist"] == ["One", "Two"]
        assert found["mood"] == ["glad"]
    else:
        assert found.tags["TIT2"].text == ["Ein Lied — ♫"]
        assert found.tags["TPE1"].text == ["One", "Two"]
        assert found.tags["TXXX:mood"].text == ["glad"]
        assert found.tags.getall("COMM")[0].text == ["a comment"]
        assert found.tags.getall("APIC")[0].data == COVER
    # and back again
    back = sound_file(tmp_path, "back", "FLAC")
    assert copy_tags(out, back, target("FLAC")) == ()
    returned, first = mutagen.flac.FLAC(back), mutagen.flac.FLAC(source)
    assert sorted(returned.tags) == sorted(first.tags)
    assert returned.pictures[0].data == COVER


def test_id3_frames_are_copied_as_they_are(tmp_path: Path) -> None:
    source, out = (sound_file(tmp_path, stem, "MP3") for stem in ("a", "b"))
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.PRIV(owner="someone", data=b"\0\1\2"))
    tags.add(mutagen.id3.TIT2(encoding=3, text="title"))
    tags.save(source)
    assert copy_tags(source, out, target("MP3")) == ()
    found = mutagen.mp3.MP3(out).tags
    assert found.getall("PRIV")[0].data == b"\0\1\2"
    assert found["TIT2"].text == ["title"]


@pytest.mark.parametrize("out_container", ["WAV", "RF64", "WAVEX"])
def test_side_chunks_of_a_wav_are_copied_byte_for_byte(out_container: str, tmp_path: Path) -> None:
    source = sound_file(tmp_path, "source", "WAV")
    side = {b"bext": bytes(range(256)) * 3, b"iXML": b"<odd/>x", b"cue ": bytes(28), b"smpl": b"s"}
    data = Path(source).read_bytes() + b"".join(chunk(n, b) for n, b in side.items())
    Path(source).write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    out = str(tmp_path / "out.wav")
    files.write(out, signals.bursts(9001), target(out_container))
    before = files.read(out)
    assert copy_tags(source, out, target(out_container)) == ()
    after = files.read(out)
    assert before[0] == after[0]
    assert files.same(before[1], after[1])
    found = read_chunks(out)
    assert {name: found[name] for name in side} == side


def test_info_of_a_wav_becomes_comments_of_a_flac(tmp_path: Path) -> None:
    source = sound_file(tmp_path, "source", "WAV")
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"name\0") + chunk(b"IART", b"who\0"))
    with open(source, "ab") as file:
        file.write(info)
    out = sound_file(tmp_path, "out", "FLAC")
    assert copy_tags(source, out, target("FLAC")) == ()
    found = mutagen.flac.FLAC(out)
    assert (found["title"], found["artist"]) == (["name"], ["who"])


def test_the_channel_mask_of_an_extensible_wav_is_kept(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
    wanted = files.target("WAVEX", "PCM_16", 6)
    for path in paths:
        files.write(path, signals.noise(100, 6), wanted)
    data = bytearray(Path(paths[0]).read_bytes())
    at = data.index(b"fmt ") + 8 + 20
    data[at : at + 4] = struct.pack("<I", 0x60F)
    Path(paths[0]).write_bytes(data)
    assert copy_tags(*paths, wanted) == ()
    assert struct.unpack("<I", read_chunks(paths[1])[b"fmt "][20:24]) == (0x60F,)


def test_what_a_container_cannot_take_is_noted(tmp_path: Path) -> None:
    out = sound_file(tmp_path, "out", "CAF")
    notes = copy_tags(tagged_flac(tmp_path), out, target("CAF"))
    assert notes == (
        "CAF takes no tags, left out: artist, comment, mood, title, tracknumber, pictures",
    )


def test_a_source_without_tags_gives_no_notes(tmp_path: Path) -> None:
    for container in TAGGED:
        source, out = (sound_file(tmp_path, stem, container) for stem in ("a", "b"))
        before = Path(out).read_bytes()
        assert copy_tags(source, out, target(container)) == ()
        if container not in ("FLAC", "OGG"):
            assert Path(out).read_bytes() == before


def test_damaged_side_chunks_are_a_note(tmp_path: Path) -> None:
    source, out = (sound_file(tmp_path, stem, "WAV") for stem in ("a", "b"))
    with open(source, "ab") as file:
        file.write(struct.pack("<4sI", b"bext", 10**6) + b"cut short")
    before = Path(out).read_bytes()
    assert copy_tags(source, out, target("WAV")) == ("side chunks left out: bext",)
    assert Path(out).read_bytes() == before


@settings(
    max_examples=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    container=st.sampled_from(TAGGED),
    changes=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=30),
)
def test_damaged_tags_are_notes_and_leave_the_sound_alone(
    container: str, changes: list[tuple[int, int]], tmp_path: Path
) -> None:
    source = sound_file(tmp_path, "damaged", container)
    copy_tags(tagged_flac(tmp_path), source, target(container))
    data = bytearray(Path(source).read_bytes())
    for at, value in changes:
        data[-at if container in ("WAV", "AIFF") else at] = value
    Path(source).write_bytes(data)
    out = sound_file(tmp_path, "out", "FLAC")
    before = files.read(out)
    notes = copy_tags(source, out, target("FLAC"))
    assert all("\n" not in note for note in notes)
    after = files.read(out)
    assert before[0] == after[0]
    assert files.same(before[1], after[1])
