"""A function in its own process: answers, errors, crashes, hangs."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import pytest

from raypipe.execution.isolated import Isolated, Lost


def work(what: str, *more: object) -> object:
    """Is called elsewhere."""
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "sleep":
        time.sleep(60)
    while what == "hang":
        pass
    if what == "leave":
        os._exit(3)
    if what == "raise":
        raise ValueError("no such thing")
    if what == "print":
        os.write(1, b"noise of a C library")
        sys.stdout.flush()
    return os.getpid(), more


def test_it_answers_from_one_other_process() -> None:
    isolated = Isolated(work, 30)
    sound = np.arange(300_000.0)
    pid, (echo,) = isolated("echo", sound)
    assert pid != os.getpid()
    assert np.array_equal(echo, sound)
    assert isolated("print")[0] == pid
    with pytest.raises(ValueError, match="no such thing"):
        isolated("raise")
    assert isolated("echo")[0] == pid
    isolated.close()
    isolated.close()


def test_a_crash_costs_one_call() -> None:
    isolated = Isolated(work, 30)
    with pytest.raises(Lost, match=r"^crashed \(SIGSEGV\)$"):
        isolated("crash")
    with pytest.raises(Lost, match=r"^ended with exit code 3$"):
        isolated("leave")
    assert isolated("echo", 1)[1] == (1,)
    isolated.close()


@pytest.mark.parametrize("how", ["hang", "sleep"])
def test_a_hang_ends_in_time(how: str) -> None:
    isolated = Isolated(work, 0.1)
    with pytest.raises(Lost, match=r"^took longer than 0\.1 s$"):
        isolated(how)
    isolated.close()


def test_its_process_ends_with_it() -> None:
    isolated = Isolated(work, 30)
    pid = isolated("echo")[0]
    del isolated
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
