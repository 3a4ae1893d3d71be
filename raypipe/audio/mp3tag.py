"""Whether an MP3 says how long it is.

Without a Xing, Info or VBRI header the length is a guess from the first frames, which
can be ten times too short for variable bit rates; libsndfile stops at its guess.
"""

from __future__ import annotations

from typing import BinaryIO

_FIRST_FRAME_BYTES = 4096
"""The length header lies in the first frame; frames are shorter than this."""
_TAG_BYTES = 128
"""Size of an ID3v1 tag, which stands at the end of a file."""
_MARKS = (b"Xing", b"Info", b"VBRI")


def tells_length(file: BinaryIO) -> bool:
    """True where a length header stands in the first frame."""
    file.seek(0)
    head = file.read(10)
    start = 0
    while head[:3] == b"ID3" and len(head) == 10:
        # Sizes in ID3v2 have seven bits a byte.
        size = (head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]
        start += 10 + size + (10 if head[5] & 0x10 else 0)
        file.seek(start)
        head = file.read(10)
    file.seek(start)
    first = file.read(_FIRST_FRAME_BYTES)
    return any(mark in first for mark in _MARKS)


class UnboundedFile:
    """A file that says it is longer than it is, so that no decoder stops before its end.

    mpg123 guesses the sound's length from the file's; a file that claims many times its
    size gives a guess that is never too short, and reading still ends where the bytes end.
    The last bytes, where mpg123 looks for a tag, are zeros.

    Attributes
    ----------
    exhausted : bool
        True once more bytes were wanted than there are.
    """

    _STRETCH = 64
    """Above the ratio of the largest to the smallest MP3 bit rate (448 to 8 kbit/s)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self._position = file.seek(0)
        self.exhausted = False

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; the end is where the stretched file would end."""
        base = (0, self._position, self._size * self._STRETCH)[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Current position."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as there are bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int) -> bytes:
        """Read as far as there are bytes."""
        if self._position >= self._size * self._STRETCH - _TAG_BYTES:
            data = bytes(min(size, _TAG_BYTES))
        else:
            self._file.seek(self._position)
            data = self._file.read(size)
            self.exhausted = self.exhausted or len(data) < size
        self._position += len(data)
        return data
