"""A store of objects: the few calls that raypipe makes, over any of fsspec's file systems.

Comes in: addresses. Goes out: bytes, and what the store says of an object. Every
call is tried again where that may help (`retry`). `s3.py` and `web.py` have the
stores that need or can do more.
"""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from raypipe.storage.retry import Retrier
from raypipe.storage.troubles import ShortAnswer


@dataclass(frozen=True, slots=True)
class Found:
    """What a store says of an object."""

    address: str
    size: int
    """Bytes."""
    etag: str
    """What it calls this very content; empty where it calls it nothing."""
    mtime_ns: int
    """Time of the last change by the store's own clock; 0 where it does not tell."""


class Store:
    """Objects behind one of fsspec's file systems (Google's, Azure's, and those of tests).

    Parameters
    ----------
    fs : fsspec.AbstractFileSystem
        Used by many threads at once.
    """

    def __init__(self, fs: Any) -> None:
        self.fs = fs
        self.tried = Retrier()

    def walk(self, address: str) -> Iterator[Found]:
        """Every object below a folder, one folder's entries in memory at a time.

        Raises
        ------
        StorageError
            Where the store refuses. A folder that is not there has no objects.
        """
        begin = self.path(address)
        folders = [begin]
        while folders:
            folder = folders.pop()
            try:
                entries = self.tried(lambda: self.fs.ls(folder, detail=True), address, "list")  # noqa: B023
            except FileNotFoundError:
                continue
            for info in entries:
                path = self.path(info["name"])
                if info["type"] == "directory":
                    if path.rstrip("/") != folder.rstrip("/"):
                        folders.append(path)
                elif path.startswith(f"{begin}/") and not info["name"].endswith("/"):
                    yield found_in(address.rstrip("/") + path[len(begin) :], info)

    def path(self, address: str) -> str:
        """The file system's own way to write an address."""
        return str(self.fs._strip_protocol(address)).rstrip("/")

    def stat(self, address: str) -> Found | None:
        """What the store says of one object; None where there is none.

        Raises
        ------
        PermissionError, StorageError
            Where it refuses.
        """
        try:
            info = self.tried(lambda: self.fs.info(self.path(address)), address, "look at")
        except FileNotFoundError:
            return None
        return found_in(address, info) if info["type"] == "file" else None

    def open(self, address: str, size: int) -> tuple[bytes, Found]:
        """The first bytes of an object, at most so many, and what the store says of it.

        Raises
        ------
        FileNotFoundError, PermissionError, StorageError
            Where it is not there, is kept from us, or the store refuses.
        """
        found = self.stat(address)
        if found is None:
            raise FileNotFoundError(2, "no such object")
        return self.read(found, 0, min(size, found.size)), found

    def read(self, found: Found, start: int, stop: int) -> bytes:
        """Bytes of an object, from `start` to before `stop`.

        Raises
        ------
        FileNotFoundError, FileExistsError, PermissionError, StorageError
            Where it is gone, was changed, is kept from us, or the store refuses.
        """
        if start >= stop:
            return b""
        return self.tried(lambda: self._read(found, start, stop), found.address, "read")

    def _read(self, found: Found, start: int, stop: int) -> bytes:
        data: bytes = self.fs.cat_file(self.path(found.address), start=start, end=stop)
        return whole(data, stop - start)

    def read_all(self, address: str) -> bytes:
        """A small object's bytes; raises as `read` does."""
        return self.tried(lambda: bytes(self.fs.cat_file(self.path(address))), address, "read")

    def put(self, address: str, data: bytes, *, new: bool = False, instead_of: str = "") -> Found:
        """Let a small object appear.

        Parameters
        ----------
        address : str
            Where.
        data : bytes
            Its content.
        new : bool
            Only where there is none yet.
        instead_of : str
            Only in the place of the one with this etag; stores that cannot do that are not asked.

        Raises
        ------
        FileExistsError
            Where there is one already, or another one.
        PermissionError, StorageError
            Where the store refuses.
        """
        mode = "create" if new else "overwrite"
        self.tried(lambda: self.fs.pipe_file(self.path(address), data, mode=mode), address, "write")
        return self._just_written(address)

    def upload(self, path: str, address: str, stop: threading.Event) -> Found:
        """Let a file of this machine appear, whole or not at all.

        Parameters
        ----------
        path, address : str
            From where to where.
        stop : threading.Event
            Once it is set, an upload that goes on for long ends with `InterruptedError`.

        Raises
        ------
        PermissionError, StorageError, InterruptedError
            Where the store refuses, or it was stopped.
        """
        self.tried(lambda: self.fs.put_file(path, self.path(address)), address, "publish")
        return self._just_written(address)

    def _just_written(self, address: str) -> Found:
        found = self.stat(address)
        if found is None:
            raise FileNotFoundError(2, "it vanished as soon as it was written")
        return found

    def expected_etag(self, path: str) -> str:
        """The etag that a file will have once it is uploaded; empty where that is not known."""
        return ""

    def remove(self, addresses: Iterable[str]) -> None:
        """Remove objects; those that are not there are no error."""
        for address in addresses:
            try:
                self.tried(lambda: self.fs.rm_file(self.path(address)), address, "remove")  # noqa: B023
            except FileNotFoundError:
                continue

    def abort_uploads(self, address: str, is_ours: Callable[[str], bool]) -> int:
        """End uploads below an address that nobody will finish; gives their number.

        Google and Azure forget them by themselves, and show them to nobody.
        """
        return 0


def whole(data: bytes, size: int) -> bytes:
    """The same bytes, or `ShortAnswer` where some are missing."""
    if len(data) != size:
        raise ShortAnswer(f"{len(data)} of {size} bytes came")
    return data


def found_in(address: str, info: dict[str, Any]) -> Found:
    """What fsspec's description of a file says."""
    etag = info.get("ETag") or info.get("etag") or info.get("generation") or ""
    return Found(address, int(info.get("size") or 0), str(etag).strip('"'), _mtime_ns(info))


def _mtime_ns(info: dict[str, Any]) -> int:
    for name in ("LastModified", "last_modified", "mtime", "updated", "modified", "created"):
        value = info.get(name)
        if isinstance(value, str):
            try:
                value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                continue
        if isinstance(value, datetime.datetime):
            return int(value.timestamp()) * 10**9 + value.microsecond * 1000
        if isinstance(value, int | float):
            return int(value * 1e9)
    return 0


def size_of(path: str) -> int:
    """Bytes of a file of this machine."""
    return os.stat(path).st_size
