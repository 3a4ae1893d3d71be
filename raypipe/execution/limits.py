"""How much of the machine a process of a run may use."""

from __future__ import annotations

import contextlib
import resource

MANY_FILES = 1 << 16


def allow_many_files() -> None:
    """Let this process open as many files as the system allows it.

    A collector has a file open for every lane of every worker, three times over; the usual soft
    limit of 1024, or macOS's 256, is soon reached.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
