"""Opening an input: a local file as it is, an object by ranges.

Comes in: a path or an address. Goes out: an open file that can be read and moved
in, its size, or the beginnings of many objects before they are needed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

from raypipe.storage.paths import is_address
from raypipe.storage.remote import OPENED_AT_A_TIME, RemoteFile, object_at


def open_input(path: str) -> BinaryIO:
    """Open a file or an object for reading.

    Parameters
    ----------
    path : str
        Path or address.

    Raises
    ------
    OSError
        If this one is not there, is kept from us, or is no file.
    StorageError
        If its storage is in trouble. Both may also be raised while it is read.
    """
    if not is_address(path):
        return open(os.fsencode(path), "rb")
    return cast("BinaryIO", RemoteFile(object_at(path)))


def input_size(path: str) -> int:
    """Bytes of a regular file or an object.

    Raises
    ------
    OSError
        As `open_input`; IsADirectoryError for a folder, EINVAL for anything else that is no file.
    StorageError
        As `open_input`.
    """
    if is_address(path):
        return object_at(path).size
    found = os.stat(os.fsencode(path))
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, wanted is a file")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is a pipe, a socket or a device, wanted is a regular file")
    return found.st_size


@contextlib.contextmanager
def kept_open(path: str) -> Iterator[None]:
    """In the ``with`` block an object's first bytes are fetched once, however often it is opened.

    An error is left for those to find who open it.
    """
    held: RemoteFile | None = None
    if is_address(path):
        with contextlib.suppress(OSError):
            held = RemoteFile(object_at(path))
    try:
        yield
    finally:
        if held is not None:
            held.close()


def opened_together(paths: Iterable[str]) -> list[RemoteFile]:
    """Open many objects side by side, so that their first bytes are there when they are needed.

    What goes wrong is left for those to find who open them. Local files are passed over.

    Returns
    -------
    list of RemoteFile
        To be kept as long as what was fetched is to be kept.
    """
    addresses = [path for path in dict.fromkeys(paths) if is_address(path)]
    if len(addresses) < 2:
        return []
    with ThreadPoolExecutor(min(len(addresses), OPENED_AT_A_TIME), "open") as threads:
        return [file for file in threads.map(_opened_or_none, addresses) if file is not None]


def _opened_or_none(address: str) -> RemoteFile | None:
    try:
        return RemoteFile(object_at(address))
    except Exception:
        return None
