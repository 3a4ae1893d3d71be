"""A function in a process of its own, for C code that may end it or never come back.

Comes in: a function of some module, and its arguments. Goes out: what it returns, or `Lost`. The
process is started at the first call and goes on with the next; after a loss there is a new one.
It needs no Ray, so that a run in one process is as safe as any.

Between the two go pickles, each behind its length in 8 bytes. The child keeps its own time (by
alarms that C code cannot put off), and ends when its parent does. What is counted is the time of
the processor, as an answer must not depend on how busy the machine is; a call that sleeps has
`ASLEEP` times as long.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any

LENGTH = struct.Struct("<Q")
ASLEEP = 20
PARENT_DEATH = 1
"""Linux's name for it, PR_SET_PDEATHSIG, from its prctl.h."""


class Lost(Exception):
    """The process ended over a call.

    Parameters
    ----------
    why : str
        ``crashed (SIGSEGV)`` or ``took longer than 60 s``.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Isolated:
    """Calls one function elsewhere.

    Parameters
    ----------
    function : callable
        Stands in a module under its own name.
    timeout_s : float
        Longest time of the processor for a call.
    """

    def __init__(self, function: Callable[..., Any], timeout_s: float) -> None:
        self._name = f"{function.__module__}:{function.__name__}"
        self._timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Call it.

        Raises
        ------
        Lost
            If the process ended over it.
        Exception
            What the function raised.
        """
        child = self._child = self._child or self._start()
        assert child.stdin is not None and child.stdout is not None
        try:
            _send(child.stdin, arguments)
            raised, answer = _receive(child.stdout)
        except (EOFError, OSError):
            raise Lost(self._why()) from None
        except BaseException:  # Ctrl-C: what it would still answer is no answer to the next call
            self.close()
            raise
        if raised:
            raise answer
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        command = (
            f"from raypipe.execution.isolated import serve; serve({self._name!r}, "
            f"{self._timeout_s!r})"
        )
        paths = os.pathsep.join(path for path in sys.path if path)
        return subprocess.Popen(
            [sys.executable, "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": paths},
        )

    def _why(self) -> str:
        child, self._child = self._child, None
        assert child is not None
        _close_pipes(child)
        code = child.wait()
        if code in (-signal.SIGALRM, -signal.SIGPROF):
            return f"took longer than {self._timeout_s:g} s"
        if code < 0:
            return f"crashed ({signal.Signals(-code).name})"
        return f"ended with exit code {code}"

    def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            _close_pipes(child)
            child.wait()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()


def _close_pipes(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def serve(name: str, timeout_s: float) -> None:
    """The child's life: take arguments, call, answer, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    for alarm in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(alarm, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGKILL)
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # what the C code prints is no answer
    module, _, function = name.partition(":")
    called = getattr(importlib.import_module(module), function)
    while True:
        try:
            arguments = _receive(sys.stdin.buffer)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, timeout_s)
        signal.setitimer(signal.ITIMER_REAL, ASLEEP * timeout_s)
        try:
            answer = False, called(*arguments)
        except Exception as error:
            answer = True, error
        for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        _send(answers, answer)


def _send(pipe: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, 5)
    pipe.write(LENGTH.pack(len(content)) + content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    (length,) = LENGTH.unpack(_exactly(pipe, LENGTH.size))
    return pickle.loads(_exactly(pipe, length))  # noqa: S301 - from our own process


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content
