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
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from raypipe.errors import StorageError
from raypipe.storage.files import make_durable, remove, sync_folder, write_whole
from raypipe.storage.paths import show, storage_error
from raypipe.storage.place import Stamp

PATH_ERRORS = (
    errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ENOTEMPTY, errno.ELOOP,
    errno.EXDEV,
)  # fmt: skip
"""The output path of this one file cannot be (or lies on another disk, behind a link inside OUT,
where nothing can appear at once); everything else is the storage's fault."""

SYNC_THREADS = 8
"""Files that are made durable at a time; file systems commit them together."""


@dataclass(frozen=True, slots=True)
class LocalPlace:
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

    @property
    def near_workers(self) -> bool:
        """True: every process of the run sees the folder."""
        return True

    def publisher(self, name: str) -> LocalPublisher:
        """For a process that publishes."""
        return LocalPublisher(self, name)

    def exists(self, output: str) -> bool:
        """True where something stands at this output."""
        return os.path.lexists(self.final(output))

    def stands(self, output: str, size: int, stamp: Stamp | None, *, fresh: bool = False) -> bool:
        """True where this file stands there; its time of change counts if one is given."""
        try:
            found = os.stat(self.final(output))
        except OSError:
            return False
        return found.st_size == size and stamp in (None, found.st_mtime_ns)

    def may_be(self, output: str, size: int, stamp: Stamp) -> bool:
        """As `stands`: a rename keeps size and time."""
        return self.stands(output, size, stamp)

    def parts(self, run: str = "") -> Iterator[Iterable[str]]:
        """Lines of each part of the journal, or of one run's; each is read as it is asked for."""
        for part in Path(self.journal).glob(f"{run}-*.jsonl" if run else "*.jsonl"):
            yield _lines(part)

    def part(self, writer: str) -> LocalPart:
        """A new part of this run's; the file is created with its first line."""
        return LocalPart(os.path.join(self.journal, f"{self.run}-{writer}.jsonl"))

    def write_report(self, write: Callable[[IO[str]], None]) -> None:
        """Let the report appear in the private folder."""
        write_whole(os.path.join(self.private, "report.json"), write, "write the report")

    def mark(self, name: str) -> None:
        """Leave a mark for runs to come."""
        with contextlib.suppress(OSError), open(os.path.join(self.private, name), "w"):
            pass

    def marked(self, name: str) -> bool:
        """True where that mark was left."""
        return os.path.exists(os.path.join(self.private, name))

    def unmark(self, name: str) -> None:
        """Take the mark away."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.private, name))


class LocalPart:
    """A part of the journal: a file that is only ever appended to."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def append(self, text: str, *, durable: bool) -> None:
        """Add whole lines."""
        try:
            if self._file is None:
                self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115
            self._file.write(text)
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise storage_error(error, self._path, "write the journal") from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


class LocalPublisher:
    """Writes next to the outputs, and renames.

    Parameters
    ----------
    place : LocalPlace
        Where to.
    name : str
        The process's own in the run.
    """

    def __init__(self, place: LocalPlace, name: str) -> None:
        self._place = place
        self._threads = ThreadPoolExecutor(SYNC_THREADS, f"sync-{name}")

    def temporary(self, name: str) -> str:
        """Path for an unfinished file."""
        return self._place.temporary(name)

    def seal(self, paths: Sequence[str]) -> dict[str, tuple[int, Stamp]]:
        """Make files durable; give size and time of change."""
        return dict(zip(paths, self._threads.map(make_durable, paths), strict=True))

    def publish(self, moves: Sequence[tuple[str, str]]) -> list[Stamp | OSError]:
        """Rename each file into place, then make the new names durable."""
        answers: list[Stamp | OSError] = []
        folders: set[str] = set()
        for path, output in moves:
            final = self._place.final(output)
            folder = os.path.dirname(final)
            folders |= _new_folders(folder)
            try:
                stamp = os.stat(path).st_mtime_ns
                os.makedirs(folder, exist_ok=True)
                os.replace(path, final)
            except OSError as error:
                if error.errno not in PATH_ERRORS:
                    raise storage_error(error, final, "publish") from error
                answers.append(error)
            else:
                answers.append(stamp)
                folders.add(folder)
        for folder in sorted(folders, key=len, reverse=True):
            if os.path.isdir(folder):
                sync_folder(folder)
        return answers

    def withdraw(self, output: str) -> None:
        """Remove an output."""
        remove(self._place.final(output))

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown()


def _lines(part: Path) -> Iterator[str]:
    try:
        with part.open(encoding="utf-8", errors="replace") as lines:
            yield from lines
    except OSError as error:
        raise storage_error(error, part, "read the journal") from error


def _new_folders(folder: str) -> set[str]:
    """The folders whose entries will change when this one is made: its parents, up to one there."""
    found = set()
    while not os.path.isdir(folder) and (parent := os.path.dirname(folder)) != folder:
        folder = parent
        found.add(folder)
    return found
