"""The chunks of WAV, RF64, W64, AIFF, CAF and AU files, without decoding anything.

In comes an open file, out goes where each chunk lies and how many bytes of sound the
header promises. libsndfile shortens such promises to what the file holds without a word;
`promise` is how raypipe notices.

::

    RIFF, RF64   id 4, size 4 (little), body, pad to even      RF64 keeps big sizes in ds64
    W64          id 16 (GUID), size 8 (little, with its 24)    body padded to 8
    AIFF         id 4, size 4 (big), body, pad to even
    CAF          id 4, size 8 (big, -1: to the end)            after an 8-byte file header
    AU           no chunks: offset and size of the sound stand in the header
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Protocol

_MOST_CHUNKS = 4096
"""Files with more chunks than this are taken for broken; the rest is not looked at."""


class Seekable(Protocol):
    """What is needed of an open file."""

    def read(self, size: int, /) -> bytes:
        """Read."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk, as its own header describes it."""

    name: bytes
    """Identifier, 4 bytes (W64: the first 4 of the GUID)."""
    offset: int
    """Where the body starts in the file."""
    size: int
    """Bytes of the body as promised; may reach beyond the file."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A file's chunks in their order."""

    kind: str
    """``RIFF``, ``RF64``, ``W64``, ``AIFF``, ``CAF``, ``AU``, or empty where it is none."""
    big: bool
    """True where numbers are big-endian."""
    chunks: tuple[Chunk, ...]
    file_size: int
    """Bytes in the file."""

    def find(self, name: bytes) -> Chunk | None:
        """First chunk of that name."""
        return next((chunk for chunk in self.chunks if chunk.name == name), None)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a header says about the sound, beside what the file holds."""

    promised: int
    """Bytes of sound that the header names."""
    held: int
    """Bytes from the start of the sound to the end of the file."""
    streaming: bool
    """True where the size is a placeholder that was never filled in."""


def walk(file: Seekable) -> Layout:
    """List the chunks of a file; the first damaged header ends the list."""
    file_size = file.seek(0, 2)
    file.seek(0)
    head = file.read(40)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        kind, big, start, style = head[:4].decode(), head[:4] == b"RIFX", 12, "4s4"
    elif head[:4] == b"riff" and head[24:28] == b"wave":
        kind, big, start, style = "W64", False, 40, "16s8"
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        kind, big, start, style = "AIFF", True, 12, "4s4"
    elif head[:4] == b"caff":
        kind, big, start, style = "CAF", True, 8, "4s8"
    elif head[:4] in (b".snd", b"dns.") and len(head) >= 12:
        big = head[:4] == b".snd"
        offset, size = struct.unpack(">II" if big else "<II", head[4:12])
        return Layout("AU", big, (Chunk(b"data", offset, size),), file_size)
    else:
        return Layout("", False, (), file_size)
    kind = "RIFF" if kind == "RIFX" else kind
    return Layout(kind, big, _chunks(file, start, style, big, file_size), file_size)


def _chunks(file: Seekable, start: int, style: str, big: bool, end: int) -> tuple[Chunk, ...]:
    header = struct.Struct(
        (">" if big else "<") + {"4s4": "4sI", "16s8": "16sq", "4s8": "4sq"}[style]
    )
    found: list[Chunk] = []
    long_data = 0
    position = start
    while position + header.size <= end and len(found) < _MOST_CHUNKS:
        file.seek(position)
        name, size = header.unpack(file.read(header.size))
        body = position + header.size
        if style == "16s8":
            size -= header.size
        if name[:4] == b"ds64":
            long_data = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))[0]
        elif name[:4] == b"data" and size == 0xFFFFFFFF and long_data:
            size = long_data
        if style == "4s8" and size == -1:
            size = end - body
        if size < 0:
            break
        found.append(Chunk(name[:4], body, size))
        position = body + (size + 7) // 8 * 8 if style == "16s8" else body + size
        if style == "4s4":
            position += size % 2
    return tuple(found)


def promise(layout: Layout) -> Promise | None:
    """What the header promises of sound; None where the file has no such header."""
    chunk = layout.find(b"SSND" if layout.kind == "AIFF" else b"data")
    if chunk is None:
        return None
    # The sound of AIFF starts after offset and block size, that of CAF after an edit count.
    lead = {"AIFF": 8, "CAF": 4}.get(layout.kind, 0)
    if chunk.size == 0 and _followed(layout, chunk):
        return Promise(0, 0, False)
    held = max(0, layout.file_size - chunk.offset - lead)
    promised = max(0, chunk.size - lead)
    return Promise(promised, held, _is_placeholder(chunk.size, layout))


def _followed(layout: Layout, chunk: Chunk) -> bool:
    """Whether a chunk comes next, and not sound that looks like one."""
    after = layout.chunks[layout.chunks.index(chunk) + 1 :]
    return any(
        each.name.isascii() and each.name.decode().isprintable() and each.name.strip()
        for each in after[:1]
    )


def _is_placeholder(size: int, layout: Layout) -> bool:
    """Sizes that encoders write before they know better, and leave where they cannot seek.

    0, or close below 2**31 or 2**32 (the limit less the size of the headers).
    """
    if layout.kind in ("W64", "CAF"):
        return size == 0
    return size == 0 or 0x7FFF0000 <= size <= 0x80000100 or 0xFFFF0000 <= size <= 0xFFFFFFFF


class UnclosedFile:
    """A RIFF file with a true size in place of the 0 in its data chunk.

    Parameters
    ----------
    file : Seekable
        The file.
    at : int
        Where the size stands.
    size : int
        Bytes of sound.
    """

    def __init__(self, file: Seekable, at: int, size: int) -> None:
        self._file = file
        self._at = at
        self._size = struct.pack("<I", min(size, 0xFFFFFFFF))
        self._position = file.seek(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move."""
        self._position = self._file.seek(offset, whence)
        return self._position

    def tell(self) -> int:
        """Current position."""
        return self._position

    def read(self, size: int) -> bytes:
        """Read, with the size put in."""
        data = bytearray(self._file.read(size))
        for index, value in enumerate(self._size):
            at = self._at + index - self._position
            if 0 <= at < len(data):
                data[at] = value
        self._position += len(data)
        return bytes(data)

    def readinto(self, buffer: memoryview) -> int:
        """As `read`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
