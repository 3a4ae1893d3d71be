"""Single files of this machine: made durable, removed, let appear whole.

Comes in: paths. Goes out: what stands on the disk then; what the system refuses is a `StorageError`
that names the path.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from raypipe.storage.paths import storage_error


def make_durable(path: str) -> tuple[int, int]:
    """Sync a file; give its size and time of change.

    Raises
    ------
    StorageError
        If it cannot be opened, or the device refuses.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            found = os.fstat(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise storage_error(error, path, "write") from error
    return found.st_size, found.st_mtime_ns


def remove(path: str) -> None:
    """Remove a file, if it is there.

    Raises
    ------
    StorageError
        If the system refuses.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, path, "remove") from error


def write_whole(path: str, write: Callable[[IO[str]], None], doing: str) -> None:
    """Let a text file appear whole or not at all; a pipe or a device is written into.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    try:
        if _is_stream(path):
            with Path(path).open("w", encoding="utf-8") as stream:
                write(stream)
        else:
            _let_appear(path, write)
    except OSError as error:
        raise storage_error(error, path, doing) from error


def _let_appear(path: str, write: Callable[[IO[str]], None]) -> None:
    temporary = f"{path}.part"
    try:
        with Path(temporary).open("w", encoding="utf-8") as out:
            write(out)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _is_stream(path: str) -> bool:
    """True for what a file must not take the place of: ``/dev/stdout``, a named pipe."""
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable, where its file system can.

    Raises
    ------
    StorageError
        If the device refuses.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise storage_error(error, folder, "write") from error
