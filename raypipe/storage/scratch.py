"""A folder on this machine for files that are not finished, gone when its process is.

What a killed process leaves is removed by the next one: each folder is locked
for as long as its process lives.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from typing import IO

from raypipe.storage.paths import storage_error

PREFIX = "raypipe-unfinished-"


class Scratch:
    """A temporary folder (below ``TMPDIR``), made with the first path that is asked for."""

    def __init__(self) -> None:
        self._folder = ""
        self._lock: IO[bytes] | None = None

    def path(self, name: str) -> str:
        """Path for a file in it.

        Raises
        ------
        StorageError
            If it cannot be made.
        """
        if not self._folder:
            _sweep(tempfile.gettempdir())
            try:
                self._folder = tempfile.mkdtemp(prefix=PREFIX)
                self._lock = open(os.path.join(self._folder, "lock"), "wb")  # noqa: SIM115
                fcntl.flock(self._lock, fcntl.LOCK_EX)
            except OSError as error:
                raise storage_error(error, tempfile.gettempdir(), "create") from error
        return os.path.join(self._folder, name)

    def close(self) -> None:
        """Remove it with all that is in it."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
        self._folder, self._lock = "", None


def _sweep(parent: str) -> None:
    with contextlib.suppress(OSError):
        for entry in os.scandir(parent):
            if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
                _sweep_one(entry.path)


def _sweep_one(folder: str) -> None:
    """Remove a folder whose process is dead; one that is being made has no lock file yet."""
    with contextlib.suppress(OSError), open(os.path.join(folder, "lock"), "rb") as lock:
        if os.stat(folder).st_uid == os.getuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
