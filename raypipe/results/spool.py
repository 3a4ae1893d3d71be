"""Lines that are kept on disk, below ``TMPDIR``, until a report is written.

Comes in: lines as they come about. Goes out: each one again, by where it lies. Nobody else sees
the file; it is gone with the process, however that ends.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from raypipe.storage import storage_error


class Spool:
    """A file of lines without a name.

    Parameters
    ----------
    doing : str
        What fails where the disk refuses, as a verb: ``keep the rows``.

    Raises
    ------
    StorageError
        If no file can be made.
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._end = 0
        with self._telling():
            self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - see finalize
        weakref.finalize(self, self._file.close)

    def add(self, line: bytes) -> int:
        """Keep a line, without its end; give where it lies.

        Raises
        ------
        StorageError
            If the disk refuses; what was kept before stays whole.
        """
        # Written past the file object, which would try again and again what the disk refused.
        file, rest, end = self._file.fileno(), memoryview(line + b"\n"), self._end
        with self._telling():
            try:
                while rest:
                    written = os.pwrite(file, rest, end)
                    rest, end = rest[written:], end + written
            except OSError:
                os.ftruncate(file, self._end)
                raise
        lies, self._end = self._end, end
        return lies

    def line(self, lies: int) -> bytes:
        """The line that lies there, without its end."""
        with self._telling():
            self._file.seek(lies)
            return self._file.readline().removesuffix(b"\n")

    def __iter__(self) -> Iterator[bytes]:
        """All lines, in the order in which they came."""
        lies = 0
        while lies < self._end:
            line = self.line(lies)
            yield line
            lies += len(line) + 1

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise storage_error(error, tempfile.tempdir or "TMPDIR", self._doing) from error
