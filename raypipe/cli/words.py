"""Numbers as people read them, and lines for the standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

import click

from raypipe.errors import StorageError


def clock(seconds: float) -> str:
    """Seconds as ``h:mm:ss`` or ``m:ss``; below ten seconds with a decimal."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"


def gigabytes(size: int) -> str:
    """Bytes as ``1.2 GB``, ``3.4 MB`` or ``5 kB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1000:.0f} kB"


def counted(number: int, noun: str, many: str = "") -> str:
    """``1 file``, ``2 files``; `many` where an s is not enough."""
    return f"{number} {noun}" if number == 1 else f"{number} {many or noun + 's'}"


_results: ContextVar[TextIO | None] = ContextVar("results", default=None)


@contextmanager
def results_alone() -> Iterator[None]:
    """Inside the ``with`` block the standard output takes what `say` says, and nothing else.

    Ray prints there when a worker dies, which the report tells better.
    """
    before = sys.stdout
    token = _results.set(before)
    with open(os.devnull, "w") as nowhere:
        sys.stdout = nowhere
        try:
            yield
        finally:
            sys.stdout = before
            _results.reset(token)


def say(line: str) -> None:
    """Print a result on the standard output.

    Raises
    ------
    BrokenPipeError
        If nobody reads it.
    StorageError
        If it cannot be written.
    """
    try:
        click.echo(line, file=_results.get() or sys.stdout)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"the standard output cannot be written: {error.strerror}") from error
