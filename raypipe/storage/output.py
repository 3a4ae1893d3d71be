"""Outputs by what they are: a folder on a disk, or an address.

The one place that chooses; everybody else knows a `Place`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO

from raypipe.storage.local import LocalPlace, write_whole
from raypipe.storage.local_hold import LocalHold
from raypipe.storage.paths import PRIVATE
from raypipe.storage.place import Place


def hold(root: str, *, resumable: bool = True) -> AbstractContextManager[Place]:
    """Hold an output for the time of a run.

    Parameters
    ----------
    root : str
        Output folder or address.
    resumable : bool
        False where the output is one file: then nothing is left behind.

    Raises
    ------
    OutputBusy
        If another run holds it.
    StorageError
        If it cannot be created or written.
    """
    return LocalHold(root, resumable=resumable)


def place_at(root: str) -> Place:
    """An output that is looked at and not written."""
    return LocalPlace(root, os.path.join(root, PRIVATE), "")


def write_text(path: str, write: Callable[[IO[str]], None], doing: str) -> None:
    """Let a text file appear whole or not at all.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    write_whole(path, write, doing)
