"""The output folder: who holds it, where unfinished files lie, how whole ones appear.

::

    OUT/
      .raypipe/            left in place: a second run finds here what is done
        lock               held (flock) by the run that writes here; its text names the run
        journal/*.jsonl    see results/journal.py
        tmp/               unfinished files, short names; empty after a run
      speech/a.wav         appears by rename, whole or not at all

Where OUT is one file, there is nothing to resume: the same folder stands beside
it under a name of its own and is gone after the run.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from raypipe.errors import OutputBusy, StorageError, UsageError

PRIVATE = ".raypipe"
NAME_MAX_BYTES = 255

UNFINISHED = re.compile(r"[0-9a-f]{12}-\d+-")
"""How the names of unfinished files begin: the run and the ticket."""

ABANDONED_S = 60.0
"""A one-file run's private folder is left alone for so long: it may not be locked yet."""

_WORDS = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EIO: "the device reports an input/output error",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
}


def storage_error(error: OSError, path: str | os.PathLike[str], doing: str) -> StorageError:
    """Turn what the system said into one sentence that names path and cause.

    Parameters
    ----------
    error : OSError
        As raised by the system.
    path : path
        What was being worked on.
    doing : str
        The verb: ``write``, ``create``, ``publish``.
    """
    cause = _WORDS.get(error.errno or 0) or error.strerror or str(error)
    return StorageError(f"{show(os.fspath(path))}: cannot {doing}: {cause}")


def show(path: str) -> str:
    """A path as it can be printed: control signs and undecodable bytes are escaped."""
    plain = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def local_path(path: str | os.PathLike[str]) -> str:
    """The path on this machine's file system that a path or ``file://`` address stands for.

    Raises
    ------
    UsageError
        If it is an address of another kind, such as ``s3://``.
    """
    text = os.fspath(path)
    if "://" not in text:
        return text
    from fsspec.core import split_protocol  # heavy, and needed for addresses only

    protocol, rest = split_protocol(text)
    if protocol == "file":
        return str(rest)
    raise UsageError(f"{text}: only paths and file:// addresses can be used, not {protocol}://")


@dataclass(frozen=True, slots=True)
class Place:
    """An output folder as any process of the run sees it."""

    root: str
    """Folder that output paths are relative to."""
    private: str
    """Folder for the lock, the journal and unfinished files."""
    run: str
    """Id of the run that holds it."""

    @property
    def journal(self) -> str:
        """Folder of the journal's parts."""
        return os.path.join(self.private, "journal")

    def temporary(self, name: str) -> str:
        """Path for an unfinished file; on the same file system as the output, with a short name."""
        return os.path.join(self.private, "tmp", f"{self.run}-{name}")

    def final(self, relative: str) -> str:
        """Path under which an output appears; it never leaves the root."""
        path = os.path.normpath(relative)
        if os.path.isabs(path) or path.split(os.sep)[0] == os.pardir:
            raise StorageError(f"{show(relative)}: would lie outside {show(self.root)}")
        return os.path.join(self.root, path)

    def still_ours(self) -> bool:
        """False once another run has taken the place over: an orphaned process must stop."""
        path = os.path.join(self.private, "lock")
        try:
            return Path(path).read_text().startswith(self.run)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_error(error, path, "read") from error


class Hold:
    """Holds an output folder for one run; a context manager that gives the `Place`.

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
        self.place = Place(root, os.path.join(root, private), run)
        self.resumable = resumable
        self._made_root = False
        self._lock: IO[str] | None = None

    def __enter__(self) -> Place:
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

    def _take(self, place: Place) -> None:
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


def _lock(path: str, place: Place) -> IO[str]:
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


def _sweep_abandoned(place: Place) -> None:
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


def free_bytes(path: str) -> int | None:
    """Bytes free where `path` is or would be; None where the system does not tell."""
    while path and not os.path.exists(path):
        path = os.path.dirname(os.path.abspath(path))
    try:
        return shutil.disk_usage(path or ".").free
    except OSError:
        return None


def name_fits(relative: str) -> bool:
    """True where every part of the path is short enough for a file system."""
    encoding = sys.getfilesystemencoding()
    return all(
        len(part.encode(encoding, "surrogateescape")) <= NAME_MAX_BYTES
        for part in relative.split("/")
    )
