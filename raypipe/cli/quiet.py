"""Keeps the chatter of C libraries (mpg123, FFmpeg, TFLite) off the user's terminal.

They write to file descriptor 2 directly, past Python. For the time of a run
that descriptor leads nowhere, while Python's own ``sys.stderr`` goes on to
where it pointed before.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

STANDARD_ERROR = 2


class ToStandardError(logging.StreamHandler[TextIO]):
    """Writes log lines to what `sys.stderr` is at the moment, not to what it was at first."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Where they go."""
        return sys.stderr


def logs_told(level: str = "warning") -> None:
    """From now on what Python's libraries and raypipe log goes to the standard error."""
    logging.basicConfig(
        level=level.upper(), format="raypipe: %(message)s", handlers=[ToStandardError()]
    )


@contextmanager
def c_libraries_silenced() -> Iterator[None]:
    """Inside the ``with`` block only Python writes to the standard error."""
    try:
        kept = os.dup(STANDARD_ERROR)
    except OSError:  # it is closed
        yield
        return
    before = sys.stderr
    if _leads_there(before):
        sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, errors="backslashreplace")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STANDARD_ERROR)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(kept)
        if sys.stderr is not before:
            after, sys.stderr = sys.stderr, before
            after.close()


def _leads_there(stream: object) -> bool:
    try:
        return stream.fileno() == STANDARD_ERROR  # type: ignore[attr-defined, no-any-return]
    except (AttributeError, OSError, ValueError):  # replaced by something that is no file
        return False
