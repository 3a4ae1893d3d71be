"""A Python file for C libraries: an error is kept, not raised through their code.

Comes in: an open file. Goes out: one that libsndfile can call back into, and the
error that one of its calls met, to be raised once the C code has returned.
"""

from __future__ import annotations

import os
from typing import Any


class Kept:
    """An open file whose errors are kept until `check`.

    libsndfile calls back into Python, where an exception would be printed and lost.

    Parameters
    ----------
    file : BinaryIO
        An open file, or what stands in for one.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._error: Exception | None = None

    def read(self, size: int) -> bytes:
        """As the file's; nothing once something went wrong."""
        try:
            return bytes(self._file.read(size)) if self._error is None else b""
        except Exception as error:
            self._error = error
            return b""

    def readinto(self, buffer: Any) -> int:
        """As `read`."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As the file's."""
        try:
            return int(self._file.seek(offset, whence))
        except Exception as error:
            self._error = self._error or error
            return -1

    def tell(self) -> int:
        """As the file's."""
        return int(self._file.tell())

    def check(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._error is not None:
            raise self._error
