"""Ctrl-C: the first one stops a run in order, the second ends the process at once.

The second is left to the system, because Python hears no signal while a C
library (Ray at its farewell) holds the main thread.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

INTERRUPTED = 130
"""Exit code of what was interrupted."""

STOPPING = "raypipe: stopping; Ctrl-C again stops at once\n"
CLEAR_LINE_AND_SHOW_CURSOR = "\r\x1b[2K\x1b[?25h"
"""A bar may stand in this line, and it has hidden the cursor."""


@contextlib.contextmanager
def interrupts_heard(words: str = STOPPING) -> Iterator[None]:
    """Inside the ``with`` block SIGINT and SIGTERM raise `KeyboardInterrupt`, once.

    `words` are said at once, on the standard error.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        _say_at_once(words)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_at_once(words: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # no terminal: nobody to tell
        place = sys.stderr.fileno()
        clear = CLEAR_LINE_AND_SHOW_CURSOR if os.isatty(place) else ""
        os.write(place, (clear + words).encode())  # print() may be in use just now
