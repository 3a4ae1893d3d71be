"""Where a run's standing lies for ``raypipe top`` to be found, and how it is read there.

All are replaced every second, whole or not at all, and gone when the run ends. ::

    OUT/.raypipe/status.json            in an output on a disk, seen by whoever shares it
    ~/.cache/raypipe/runs/RUN.json      for those at this machine who do not know OUT by heart
    raypipe:standing/RUN                in a cluster's key-value store, for who may attach to it
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from raypipe.errors import StorageError
from raypipe.monitoring.standing import Document
from raypipe.storage import storage_error

STATUS = "status.json"
"""Name of the file in the output's private folder."""

NAMESPACE = b"raypipe"
PREFIX = b"standing/"

FORGOTTEN_S = 3600.0
"""An entry that nobody has renewed for so long is of a run that was killed."""

LAST_WORD_S = 5.0
"""Longest wait for a board at the end of a run."""


class Board(Protocol):
    """A place where a standing lies."""

    def put(self, text: bytes) -> None:
        """Put a new one there."""

    def clear(self) -> None:
        """Take it away."""


class FileBoard:
    """A file; its folder is there, or can be made in a folder that is."""

    def __init__(self, path: str) -> None:
        self._path = path

    def put(self, text: bytes) -> None:
        """Write beside it, then rename."""
        temporary = f"{self._path}.part"
        Path(temporary).write_bytes(text)
        os.replace(temporary, self._path)

    def clear(self) -> None:
        """Remove it."""
        for path in (self._path, f"{self._path}.part"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


class MachineBoard(FileBoard):
    """A file among those of all of this user's runs."""

    def __init__(self, run: str) -> None:
        super().__init__(os.path.join(machine_folder(), f"{run}.json"))
        self._swept = False

    def put(self, text: bytes) -> None:
        """Write it; the first time also take away what killed runs have left."""
        if not self._swept:
            self._swept = True
            os.makedirs(machine_folder(), exist_ok=True)
            for path in Path(machine_folder()).iterdir():
                if time.time() - path.stat().st_mtime > FORGOTTEN_S:
                    path.unlink()
        super().put(text)


class ClusterBoard:
    """An entry in the cluster's key-value store; the process must be connected to Ray."""

    def __init__(self, run: str) -> None:
        self._key = PREFIX + run.encode()
        self._swept = False

    def put(self, text: bytes) -> None:
        """Replace the entry; the first time also take away what killed runs have left."""
        kv = _kv()
        if not self._swept:
            self._swept = True
            for document in cluster_standings():
                if time.time() - document["updated_unix_s"] > FORGOTTEN_S:
                    kv._internal_kv_del(PREFIX + document["run"].encode(), namespace=NAMESPACE)
        kv._internal_kv_put(self._key, text, overwrite=True, namespace=NAMESPACE)

    def clear(self) -> None:
        """Remove it."""
        _kv()._internal_kv_del(self._key, namespace=NAMESPACE)


class Noticeboards:
    """Puts the newest standing on all boards from a thread, so that none can hold the run up.

    Parameters
    ----------
    boards : sequence of Board
        Where to.
    """

    def __init__(self, boards: Sequence[Board]) -> None:
        self._boards = boards
        self._news = threading.Event()
        self._newest: Document | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="standing", daemon=True)
        if boards:
            self._thread.start()

    def put(self, document: Document) -> None:
        """Take a new standing; returns at once."""
        self._newest = document
        self._news.set()

    def close(self) -> None:
        """Clear the boards; waits a while where one does not answer."""
        self._over = True
        self._news.set()
        if self._boards:
            self._thread.join(LAST_WORD_S)

    def _run(self) -> None:
        while not self._over:
            self._news.wait()
            self._news.clear()
            if self._newest is not None and not self._over:
                text = json.dumps(self._newest).encode()
                for board in self._boards:
                    with contextlib.suppress(Exception):  # who looks on must not end the run
                        board.put(text)
        for board in self._boards:
            with contextlib.suppress(Exception):
                board.clear()


def machine_folder() -> str:
    """Where this user's runs tell how they stand."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(root, "raypipe", "runs")


def status_path(private: str) -> str:
    """The file in an output's private folder."""
    return os.path.join(private, STATUS)


def file_standing(path: str) -> Document | None:
    """The standing in a file; None where there is none.

    Raises
    ------
    StorageError
        If it is there and cannot be read.
    """
    try:
        text = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, path, "read") from error
    document = _parsed(text)
    if document is None:
        raise StorageError(f"{path}: is not what a run of raypipe writes")
    return document


def machine_standings() -> list[Document]:
    """Those of all runs that this user has on this machine."""
    texts = []
    for path in Path(machine_folder()).glob("*.json"):
        with contextlib.suppress(OSError):  # it has just ended
            texts.append(path.read_bytes())
    return _sorted(filter(None, map(_parsed, texts)))


def cluster_standings() -> list[Document]:
    """Those of all runs of the cluster that this process is connected to."""
    kv = _kv()
    keys = kv._internal_kv_list(PREFIX, namespace=NAMESPACE)
    texts = (kv._internal_kv_get(key, namespace=NAMESPACE) or b"" for key in keys)
    return _sorted(filter(None, map(_parsed, texts)))  # one that has just ended is empty


def _sorted(documents: Iterable[Document]) -> list[Document]:
    """The oldest run first."""
    return sorted(documents, key=lambda one: (one["updated_unix_s"] - one["elapsed_s"], one["run"]))


def _parsed(text: bytes) -> Document | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) and "updated_unix_s" in document else None


def _kv() -> Any:
    from ray.experimental import internal_kv

    return internal_kv
