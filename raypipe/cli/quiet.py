"""Keeps the chatter of C libraries (mpg123, FFmpeg, TFLite) off the user's terminal.

They write to file descriptor 2 directly, past Python. For the time of a run
that descriptor leads nowhere, while Python's own ``sys.stderr`` goes on to
where it pointed before.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def c_libraries_silenced() -> Iterator[None]:
    """Inside the ``with`` block only Python writes to the standard error."""
    try:
        number = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # replaced by something that is no file
        yield
        return
    kept = os.dup(number)
    before = sys.stderr
    sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)
        after, sys.stderr = sys.stderr, before
        after.close()
