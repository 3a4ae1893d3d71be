"""The chunks beside the sound in WAV, RF64, W64 and AIFF files: bext, iXML, LIST, cue, ID3 ...

In come two open files and their chunks, out goes the destination with the source's side
chunks appended byte for byte and its sizes put right. Sample positions in them stay true,
because length and rate are kept.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from raypipe.audio.chunks import Chunk, Layout
from raypipe.errors import UnreadableAudio
from raypipe.storage.inputs import open_input

_SOUND_CHUNKS = frozenset(
    {b"fmt ", b"data", b"fact", b"PEAK", b"ds64", b"JUNK", b"junk", b"PAD ", b"FLLR", b"filr"}
    | {b"COMM", b"SSND", b"FVER", b"levl"}
)
"""Chunks that describe the sound itself; the writer has made its own."""
_FAMILIES = ({"RIFF", "RF64"}, {"AIFF"})
_COPY_BYTES = 1 << 20
_ROOM = 2**32 - 2**16
"""Bytes that a file with 32-bit sizes may have."""
_EXTENSIBLE = 0xFFFE
_MASK_AT = 20
"""Where the channel mask stands in an extensible fmt chunk."""
_INFO_NAMES = {
    b"INAM": "title",
    b"IART": "artist",
    b"IPRD": "album",
    b"ICMT": "comment",
    b"ICRD": "date",
    b"IGNR": "genre",
    b"ITRK": "tracknumber",
    b"ICOP": "copyright",
}
_MOST_INFO_BYTES = 1 << 20


def same_family(one: Layout, other: Layout) -> bool:
    """True where chunks of one file can stand in the other as they are."""
    return one.big == other.big and any({one.kind, other.kind} <= kinds for kinds in _FAMILIES)


def is_bare(source: Layout) -> bool:
    """True where a WAV or AIFF file has its sound and nothing beside it to carry."""
    return any(source.kind in kinds for kinds in _FAMILIES) and all(
        chunk.name in _SOUND_CHUNKS and not (chunk.name == b"fmt " and chunk.size >= _MASK_AT + 4)
        for chunk in source.chunks
    )


def choose(
    file: BinaryIO, source: Layout, destination: Layout
) -> tuple[list[Chunk], tuple[str, ...]]:
    """Chunks to be carried, and notes on those that cannot be."""
    wanted, lost = [], []
    room = destination.file_size
    for chunk in source.chunks:
        if chunk.name in _SOUND_CHUNKS or not chunk.size:
            continue
        room += chunk.size + 9
        cut = chunk.offset + chunk.size > source.file_size
        too_large = destination.kind != "RF64" and room > _ROOM
        if cut or too_large or not chunk.name.isascii():
            lost.append(chunk.name.decode("ascii", "replace").strip())
        else:
            wanted.append(chunk)
    return wanted, (f"side chunks left out: {', '.join(lost)}",) if lost else ()


def append(reader: BinaryIO, wanted: list[Chunk], writer: BinaryIO, layout: Layout) -> None:
    """Copy chunks to the end of a file and make its outer size true.

    Raises
    ------
    OSError
        Where the system refuses the destination.
    UnreadableAudio
        Where it refuses the source.
    """
    if not wanted:
        return
    order = ">" if layout.big else "<"
    end = writer.seek(0, os.SEEK_END)
    if end % 2:
        writer.write(b"\0")
    for chunk in wanted:
        writer.write(chunk.name + struct.pack(f"{order}I", chunk.size))
        reader.seek(chunk.offset)
        left = chunk.size
        while left:
            block = _source_bytes(reader, min(left, _COPY_BYTES))
            writer.write(block)
            left -= len(block)
        if chunk.size % 2:
            writer.write(b"\0")
    size = writer.tell() - 8
    long_sizes = layout.find(b"ds64")
    if layout.kind == "RF64" and long_sizes is not None:
        writer.seek(long_sizes.offset)
        writer.write(struct.pack("<Q", size))
    else:
        writer.seek(4)
        writer.write(struct.pack(f"{order}I", size))


def _source_bytes(reader: BinaryIO, size: int) -> bytes:
    """Read of the source: what goes wrong here is not the destination's fault."""
    try:
        block = reader.read(size)
    except OSError as error:
        reason = f"its side chunks cannot be read: {error.strerror or error}"
        raise UnreadableAudio(os.fsdecode(reader.name), reason) from error
    if not block:
        raise UnreadableAudio(os.fsdecode(reader.name), "became shorter while it was copied")
    return block


def copy_channel_mask(
    reader: BinaryIO, source: Layout, writer: BinaryIO, destination: Layout
) -> None:
    """Which loudspeaker each channel is for: kept where both files say so."""
    one, other = source.find(b"fmt "), destination.find(b"fmt ")
    if one is None or other is None or min(one.size, other.size) < _MASK_AT + 4:
        return
    fields = []
    for file, chunk in ((reader, one), (writer, other)):
        file.seek(chunk.offset)
        fields.append(file.read(_MASK_AT + 4))
    tags = {struct.unpack("<HH", body[:4]) for body in fields}
    if len(tags) == 1 and next(iter(tags))[0] == _EXTENSIBLE:
        writer.seek(other.offset + _MASK_AT)
        writer.write(fields[0][_MASK_AT:])


def info_fields(path: str, layout: Layout) -> dict[str, list[str]]:
    """Text of a WAV's LIST/INFO chunk by common name.

    Raises
    ------
    OSError
        Where the system refuses.
    """
    found: dict[str, list[str]] = {}
    with open_input(path) as file:
        for chunk in layout.chunks:
            if chunk.name != b"LIST":
                continue
            file.seek(chunk.offset)
            body = file.read(min(chunk.size, _MOST_INFO_BYTES))
            if body[:4] == b"INFO":
                found.update(_entries(body[4:], layout.big))
    return found


def _entries(body: bytes, big: bool) -> dict[str, list[str]]:
    found = {}
    at = 0
    while at + 8 <= len(body):
        name = body[at : at + 4]
        size = int.from_bytes(body[at + 4 : at + 8], "big" if big else "little")
        text = body[at + 8 : at + 8 + size].split(b"\0")[0].decode("utf-8", "replace").strip()
        if name in _INFO_NAMES and text:
            found[_INFO_NAMES[name]] = [text]
        at += 8 + size + size % 2
    return found
