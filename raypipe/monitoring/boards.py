"""Where a run's standing lies for ``raypipe top`` to be found, and how it is read there.

In a local output it is a file; on a cluster it is an entry in Ray's own
key-value store, found by whoever may attach to the cluster. Both are gone when
the run ends in order. ::

    OUT/.raypipe/status.json                replaced every second, whole or not at all
    raypipe:standing/RUN in the cluster     likewise
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Sequence
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
    """A file in the output's private folder."""

    def __init__(self, private: str) -> None:
        self._path = os.path.join(private, STATUS)

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


def file_standing(private: str) -> Document | None:
    """The standing in an output's private folder; None where there is none.

    Raises
    ------
    StorageError
        If it is there and cannot be read.
    """
    path = os.path.join(private, STATUS)
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


def cluster_standings() -> list[Document]:
    """Those of all runs of the cluster that this process is connected to."""
    kv = _kv()
    found = []
    for key in kv._internal_kv_list(PREFIX, namespace=NAMESPACE):
        document = _parsed(kv._internal_kv_get(key, namespace=NAMESPACE) or b"")
        if document is not None:  # else it has ended in between
            found.append(document)
    return sorted(found, key=lambda one: (one["updated_unix_s"] - one["elapsed_s"], one["run"]))


def _parsed(text: bytes) -> Document | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) and "updated_unix_s" in document else None


def _kv() -> Any:
    from ray.experimental import internal_kv

    return internal_kv
