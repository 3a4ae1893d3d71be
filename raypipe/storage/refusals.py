"""Of an output, everything that a store refuses is the storage's fault, one object's too."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from raypipe.errors import StorageError
from raypipe.storage.paths import show

_WORDS = {
    errno.ENOENT: "there is no such bucket, or somebody removes things in it",
    errno.EACCES: "access denied",
    errno.EEXIST: "somebody else writes there",
}


@contextmanager
def refusals(address: str, doing: str) -> Iterator[None]:
    """In the ``with`` block an `OSError` becomes a `StorageError` that names address and cause."""
    try:
        yield
    except OSError as error:
        cause = _WORDS.get(error.errno or 0) or error.strerror or str(error)
        raise StorageError(f"{show(address)}: cannot {doing} it: {cause}") from error
