"""Who holds an output folder: one run at a time, and what dead ones left is swept.

The lock is the system's own (flock), so that it is free the moment its holder is
dead, however it died.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import time
import uuid
from types import TracebackType
from typing import IO

from raypipe.errors import OutputBusy, StorageError
from raypipe.storage.files import sync_folder
from raypipe.storage.local import LocalPlace
from raypipe.storage.paths import PRIVATE, show, storage_error

UNFINISHED = re.compile(r"[0-9a-f]{12}-\d+-")
"""How the names of unfinished files begin: the run and the ticket."""

ABANDONED_S = 60.0
"""A one-file run's private folder is left alone for so long: it may not be locked yet."""


class LocalHold:
    """Holds an output folder for one run; a context manager that gives the `LocalPlace`.

    Parameters
    ----------
    root : str
        Output folder; created if missing.
    resumable : bool
        False where the output is one file: then nothing is left behind.

    Raises
    ------
    OutputBusy
        If another run holds it.
    StorageError
        If it cannot be created or written.
    """

    def __init__(self, root: str, *, resumable: bool = True) -> None:
        run = uuid.uuid4().hex[:12]
        private = PRIVATE if resumable else f"{PRIVATE}-{run}"
        self.place = LocalPlace(root, os.path.join(root, private), run)
        self.resumable = resumable
        self._made_root = False
        self._lock: IO[str] | None = None

    def __enter__(self) -> LocalPlace:
        place = self.place
        try:
            self._take(place)
        except OSError as error:
            self._let_go()
            raise storage_error(error, place.root, "write into the output") from error
        except BaseException:
            self._let_go()
            raise
        return place

    def _take(self, place: LocalPlace) -> None:
        self._made_root = not os.path.isdir(place.root)
        unfinished = os.path.join(place.private, "tmp")
        for folder in (place.private, unfinished, place.journal):
            if os.path.islink(folder):
                raise StorageError(f"{show(folder)}: is a link; unfinished files must lie in OUT")
            if self.resumable or folder != place.journal:
                os.makedirs(folder, exist_ok=True)
        self._lock = _lock(os.path.join(place.private, "lock"), place)
        _sweep(unfinished)
        _sweep_abandoned(place)
        sync_folder(place.private)
        sync_folder(place.root)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            with contextlib.suppress(OSError):
                _sweep(os.path.join(self.place.private, "tmp"))
        if not self.resumable:
            shutil.rmtree(self.place.private, ignore_errors=True)
            if self._made_root:
                with contextlib.suppress(OSError):
                    os.rmdir(self.place.root)
        if self._lock is not None:
            self._lock.close()


def _lock(path: str, place: LocalPlace) -> IO[str]:
    handle = open(path, "a+", encoding="utf-8")  # noqa: SIM115 - held open for the run
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.seek(0)
        holder = handle.read().partition(" ")[2].strip()
        handle.close()
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise OutputBusy(
                f"{show(place.root)}: another run is writing here ({holder or 'unknown'}); "
                "wait for it, or choose another output"
            ) from error
        raise
    handle.seek(0)
    handle.truncate()
    handle.write(f"{place.run} process {os.getpid()} on {os.uname().nodename}\n")
    handle.flush()
    return handle


def _sweep(folder: str) -> None:
    """Remove what dead runs left unfinished, and nothing that has another name than theirs."""
    for entry in os.scandir(folder):
        if UNFINISHED.match(entry.name):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.path)


def _sweep_abandoned(place: LocalPlace) -> None:
    """Remove the private folders of dead runs whose output was one file in the same folder."""
    own = os.path.basename(place.private)
    with contextlib.suppress(OSError):
        for entry in os.scandir(place.root):
            old = time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED_S
            ours = entry.name.startswith(PRIVATE + "-") and entry.name != own
            if ours and old and entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    lock = os.path.join(entry.path, "lock")
                    with open(lock, encoding="utf-8") as handle:
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(entry.path, ignore_errors=True)
