"""Where one process writes files for a store, and uploads those that are whole."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Protocol

from raypipe.storage.address import store_of
from raypipe.storage.files import remove
from raypipe.storage.place import Stamp
from raypipe.storage.refusals import refusals
from raypipe.storage.scratch import Scratch
from raypipe.storage.store import size_of

UPLOADS_AT_A_TIME = 8
"""Files; each keeps up to 16 MiB in memory, and four parts of 8 MiB more where it is bigger."""


class Addresses(Protocol):
    """What is needed of the place."""

    root: str

    def final(self, output: str) -> str:
        """Address of an output."""


class BucketPublisher:
    """Writes in a temporary folder of this machine, and uploads.

    Parameters
    ----------
    place : Addresses
        Where to.
    name : str
        The process's own in the run.
    """

    def __init__(self, place: Addresses, name: str) -> None:
        self._place = place
        self._scratch = Scratch()
        self._threads = ThreadPoolExecutor(UPLOADS_AT_A_TIME, f"publish-{name}")
        self._stop = threading.Event()

    def temporary(self, name: str) -> str:
        """Path for an unfinished file."""
        return self._scratch.path(name)

    def seal(self, paths: Sequence[str]) -> dict[str, tuple[int, Stamp]]:
        """Size, and the etag that the store is expected to give."""
        store = store_of(self._place.root)
        etags = self._threads.map(store.expected_etag, paths)
        return {path: (size_of(path), f"~{etag}") for path, etag in zip(paths, etags, strict=True)}

    def publish(self, moves: Sequence[tuple[str, str]]) -> list[Stamp | OSError]:
        """Upload all, some at a time; the first that the store refuses ends the others."""
        uploads = [self._threads.submit(self._upload, path, output) for path, output in moves]
        _, waiting = wait(uploads, return_when=FIRST_EXCEPTION)
        if waiting:
            self._stop.set()
            for upload in waiting:
                upload.cancel()
            wait(waiting)
        with refusals(self._place.root, "publish into"):
            for upload in uploads:
                if upload.done() and not upload.cancelled() and upload.exception():
                    upload.result()
            return [upload.result() for upload in uploads]

    def _upload(self, path: str, output: str) -> Stamp:
        address = self._place.final(output)
        found = store_of(address).upload(path, address, self._stop)
        remove(path)
        return found.etag

    def withdraw(self, output: str) -> None:
        """Remove an output."""
        address = self._place.final(output)
        with refusals(address, "remove"):
            store_of(address).remove([address])

    def close(self) -> None:
        """Stop uploads that are under way, and remove what is unfinished."""
        self._stop.set()
        self._threads.shutdown(cancel_futures=True)
        self._scratch.close()
