"""An object in a store, read as a file: by ranges, no more than is asked for.

Comes in: an address. Goes out: a `RemoteFile` that can be read and moved in. What is
fetched comes in stretches that grow while it is read on from where the last one ended::

    |head 64 KiB|           a header, with the size, in one request; kept
    |64 K|256 K| 512 K |    reading on: each four times the last, up to 512 KiB;
               | 512 K |    from then on the next one is fetched while this one is read
                   |64 K|   after a jump: small again

All open files of one object in one process share what was fetched, so that
probing, decoding and copying tags do not ask for the same header three times.
"""

from __future__ import annotations

import errno
import io
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any
from weakref import WeakValueDictionary

from raypipe.storage.address import store_of
from raypipe.storage.store import Found, Store
from raypipe.storage.web import NoRanges, WebStore

HEAD_BYTES = 64 << 10
"""Enough for the header of nearly every recording, and not much more than a request costs."""

GROWTH = 4
MOST_BYTES = 512 << 10
"""Longest stretch. A worker has up to three open files a lane, and each keeps one and fetches one:
200 MB at most for 64 lanes."""

OPENED_AT_A_TIME = 16
"""Objects whose first bytes, or whose next stretches, are fetched side by side."""


class RemoteObject:
    """One object and what was fetched of it; shared by all that have it open.

    Attributes
    ----------
    size : int
        Bytes.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._store: Store = store_of(address)
        self._lock = threading.Lock()
        self._fetched: IO[bytes] | None = None
        self._window, self._window_at, self._last = b"", 0, HEAD_BYTES // GROWTH
        self._ahead: Future[bytes] | None = None
        self._ahead_at = 0
        self._head = b""
        try:
            self._head, self._found = self._store.open(address, HEAD_BYTES)
        except NoRanges:
            self._found = Found(address, -1, "", 0)
        if self._found.size < 0:
            self._fetch_whole()
        self.size = self._found.size

    def read(self, start: int, stop: int) -> bytes:
        """Bytes from `start` to before `stop` or the end."""
        stop = min(stop, self.size)
        with self._lock:
            parts = []
            while start < stop:
                part = self._some(start, stop)
                parts.append(part)
                start += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _some(self, start: int, stop: int) -> bytes:
        if self._fetched is not None:
            self._fetched.seek(start)
            return self._fetched.read(stop - start)
        if start < len(self._head):
            return self._head[start:stop]
        at = start - self._window_at
        if not 0 <= at < len(self._window):
            self._fetch(start, stop)
            return self._some(start, stop)
        return self._window[at : at + stop - start]

    def _fetch(self, start: int, stop: int) -> None:
        """Move the window to `start`."""
        end = self._window_at + len(self._window) if self._window else len(self._head)
        self._last = min(self._last * GROWTH, MOST_BYTES) if start == end else HEAD_BYTES
        until = min(max(stop, start + self._last), start + MOST_BYTES, self.size)
        try:
            if self._ahead is not None and self._ahead_at == start:
                self._window = self._ahead.result()
            else:
                self._window = self._store.read(self._found, start, until)
            self._window_at, self._ahead = start, None
        except NoRanges:
            self._fetch_whole()
            return
        except FileExistsError as error:
            raise OSError(errno.ESTALE, "it was changed while it was read") from error
        self._look_ahead(start + len(self._window))

    def _look_ahead(self, start: int) -> None:
        """Where the object is read on and on, have the next stretch fetched meanwhile."""
        if self._last == MOST_BYTES and start < self.size:
            until = min(start + MOST_BYTES, self.size)
            self._ahead_at = start
            self._ahead = _threads().submit(self._store.read, self._found, start, until)

    def _fetch_whole(self) -> None:
        assert isinstance(self._store, WebStore), "other stores know ranges and sizes"
        self._fetched = self._store.fetch(self.address)
        size = self._fetched.seek(0, os.SEEK_END)
        self._found = Found(self.address, size, self._found.etag, self._found.mtime_ns)

    def __del__(self) -> None:
        ahead = getattr(self, "_ahead", None)
        if ahead is not None:
            ahead.cancel()
        fetched = getattr(self, "_fetched", None)
        if fetched is not None:
            fetched.close()


_ahead_threads: ThreadPoolExecutor | None = None


def _threads() -> ThreadPoolExecutor:
    """What fetches ahead in this process."""
    global _ahead_threads
    with _lock:
        if _ahead_threads is None:
            _ahead_threads = ThreadPoolExecutor(OPENED_AT_A_TIME, "ahead")
        return _ahead_threads


def _forget_threads() -> None:
    global _ahead_threads, _lock
    _ahead_threads, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget_threads)

_objects: WeakValueDictionary[str, RemoteObject] = WeakValueDictionary()
_opening: dict[str, threading.Lock] = {}
_lock = threading.Lock()


def object_at(address: str) -> RemoteObject:
    """The object as others have it open already, or a new look at it."""
    with _lock:
        opening = _opening.setdefault(address, threading.Lock())
    with opening:
        found = _objects.get(address)
        if found is None:
            found = _objects[address] = RemoteObject(address)
    with _lock:
        _opening.pop(address, None)
    return found


class RemoteFile(io.RawIOBase):
    """An open object, as decoders want a file to be.

    Attributes
    ----------
    name : str
        Its address.
    """

    def __init__(self, remote: RemoteObject) -> None:
        super().__init__()
        self.name = remote.address
        self._object: RemoteObject | None = remote
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; nothing is fetched."""
        base = (0, self._position, self._remote().size)[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, "moved to before the beginning")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Current position."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as there are, up to `size`."""
        remote = self._remote()
        stop = remote.size if size is None or size < 0 else self._position + size
        data = remote.read(self._position, stop)
        self._position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Let go of what was fetched, if nobody else has the object open."""
        self._object = None
        super().close()

    def _remote(self) -> RemoteObject:
        if self._object is None:
            raise ValueError("the file is closed")
        return self._object
