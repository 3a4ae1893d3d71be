"""How much of the machine a process of a run may use."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import resource

OUR_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What a file cannot be blamed for."""

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


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's names for two of its settings, from its malloc.h."""

LARGEST_KEPT_BYTES = 1 << 28


def keep_memory() -> None:
    """Let malloc reuse the memory of sound instead of giving it back and asking again.

    A batch allocates and frees the same arrays as the one before. By default glibc maps each of
    them anew, and the kernel clears every page of it again. Other C libraries go on as they do.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, LARGEST_KEPT_BYTES)
