"""Files behind ``http://`` and ``https://``: read only, by ranges where the server can do that.

A server that cannot, or that does not say how long a file is, has its file
fetched once to this machine's temporary folder.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from raypipe.errors import StorageError
from raypipe.storage.paths import show
from raypipe.storage.store import Found, Store, found_in, whole


class WebStore(Store):
    """Files by their web addresses, over fsspec's HTTP file system."""

    def walk(self, address: str) -> Iterator[Found]:
        """Nobody can list the web."""
        raise StorageError(f"{show(address)}: a web server cannot be listed")

    def path(self, address: str) -> str:
        """The address itself."""
        return address

    def stat(self, address: str) -> Found | None:
        """What the server says of a file; size -1 where it does not say how long it is."""
        try:
            info = self.tried(lambda: self.fs.info(address), address, "look at")
        except FileNotFoundError:
            return None
        if info.get("size") is None:
            info = info | {"size": -1}
        return found_in(address, info)

    def open(self, address: str, size: int) -> tuple[bytes, Found]:
        """The first bytes, and what the server says of the file."""
        found = self.stat(address)
        if found is None:
            raise FileNotFoundError(2, "no such file on the server")
        return self.read(found, 0, min(size, found.size)) if found.size > 0 else b"", found

    def _read(self, found: Found, start: int, stop: int) -> bytes:
        try:
            with self.fs.open(
                found.address, block_size=1, cache_type="none", size=found.size
            ) as file:
                file.seek(start)
                return whole(file.read(stop - start), stop - start)
        except ValueError as error:
            raise NoRanges(found.address) from error

    def fetch(self, address: str) -> IO[bytes]:
        """The whole file, in a temporary file that is gone once it is closed."""
        return self.tried(lambda: self._fetch(address), address, "read")

    def _fetch(self, address: str) -> IO[bytes]:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            self.fs.get_file(address, file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def upload(self, path: str, address: str, stop: threading.Event) -> Found:
        """Nothing is written to the web."""
        raise StorageError(f"{show(address)}: can be read, but not written")


class NoRanges(Exception):
    """The server gives whole files only."""
