"""Outputs by what they are: a folder on a disk, or an address.

The one place that chooses; everybody else knows a `Place`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO

from raypipe.storage.files import write_whole
from raypipe.storage.local import LocalPlace
from raypipe.storage.local_hold import LocalHold
from raypipe.storage.paths import PRIVATE, is_address, join
from raypipe.storage.place import Place


def hold(root: str, name: str | None = None) -> AbstractContextManager[Place]:
    """Hold an output for the time of a run.

    Parameters
    ----------
    root : str
        Folder or address that outputs are relative to.
    name : str or None
        Name of the one output, where it is one file: then nothing is left behind.

    Raises
    ------
    OutputBusy
        If another run holds it.
    StorageError
        If it cannot be created or written.
    """
    if is_address(root):
        from raypipe.storage.bucket_hold import BucketHold  # heavy, and needed for addresses only

        return BucketHold(root, name)
    return LocalHold(root, resumable=name is None)


def place_at(root: str) -> Place:
    """An output that is looked at and not written."""
    if is_address(root):
        from raypipe.storage.bucket import BucketPlace

        return BucketPlace(root, "")
    return LocalPlace(root, os.path.join(root, PRIVATE), "")


def write_text(path: str, write: Callable[[IO[str]], None], doing: str) -> None:
    """Let a text file appear whole or not at all.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    if is_address(path):
        from raypipe.storage.bucket import write_object

        write_object(path, write, doing)
    else:
        write_whole(path, write, doing)


def report_of(output: str) -> str | None:
    """The report that every run into a folder leaves there, if there is one."""
    path = join(join(output, PRIVATE), "report.json")
    if is_address(path):
        from raypipe.storage.listing import exists

        return path if exists(path) else None
    return path if os.path.isfile(path) else None
