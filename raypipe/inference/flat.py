"""Following a flatbuffer's offsets by hand.

Comes in: bytes and a position. Goes out: a position, or bytes. All numbers are
little-endian; an offset counts from where it stands. What points outside raises
`struct.error`; callers say which file that was.
"""

from __future__ import annotations

import struct


def offset(content: bytes | memoryview, at: int) -> int:
    """What the offset that stands here points at."""
    return at + int(struct.unpack_from("<I", content, at)[0])


def field(content: bytes | memoryview, table: int, number: int) -> int:
    """Position of a table's field, 0 where it is left out."""
    vtable = table - int(struct.unpack_from("<i", content, table)[0])
    if vtable < 0:
        raise struct.error("a table points before the file")
    slot = 4 + 2 * number
    if slot >= struct.unpack_from("<H", content, vtable)[0]:
        return 0
    inside = int(struct.unpack_from("<H", content, vtable + slot)[0])
    return table + inside if inside else 0


def vector(content: bytes | memoryview, at: int) -> list[int]:
    """Positions of the tables in the vector that this field points at."""
    if not at:
        return []
    start = offset(content, at)
    (count,) = struct.unpack_from("<I", content, start)
    if count > len(content):
        raise struct.error("a vector is longer than the file")
    return [offset(content, start + 4 + 4 * i) for i in range(count)]


def text(content: bytes | memoryview, at: int) -> bytes:
    """The bytes that this field points at; none where it is left out."""
    if not at:
        return b""
    start = offset(content, at)
    (count,) = struct.unpack_from("<I", content, start)
    return struct.unpack_from(f"<{count}s", content, start + 4)[0]  # type: ignore[no-any-return]
