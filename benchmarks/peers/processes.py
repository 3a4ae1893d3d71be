"""Processes of a peer's own, with one thread in each.

Comes in: a function and what it is called with, or how to make a worker and its tasks.
Goes out: what the function gave, or the seconds that the tasks took, start-up not counted.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any

from raypipe.inference.interpreter import first_line

START_LIMIT_S = 120.0
"""Loading a model takes a second or two."""
LIMIT_S = 3600.0
"""A peer that takes longer hangs."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

Work = Callable[[Any], object]
"""Does one task."""


class PeerFailed(Exception):
    """A peer could not do its work; the text says why."""


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started inside the ``with`` block compute with one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def alone(function: Callable[..., Any], *arguments: object, limit_s: float = LIMIT_S) -> Any:
    """Call a function in a fresh process and give what it returns.

    Parameters
    ----------
    function : callable
        Of a module's top level, as it is found by its name there.
    *arguments
        What it is called with; pickled.
    limit_s : float
        Seconds after which it is given up.

    Raises
    ------
    PeerFailed
        If it raises, dies or takes too long.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments))
    with one_thread_each():
        process.start()
    theirs.close()
    try:
        if not ours.poll(limit_s):
            raise PeerFailed(f"took more than {limit_s:g} s")
        done, value = ours.recv()
        process.join(START_LIMIT_S)
    except EOFError:
        process.join()
        raise PeerFailed(f"died with exit code {process.exitcode}") from None
    finally:
        ours.close()
        process.kill()
        process.join()
    if not done:
        raise PeerFailed(value)
    return value


def _answer(
    pipe: Connection[Any, Any], function: Callable[..., Any], arguments: tuple[object, ...]
) -> None:
    try:
        answer = True, function(*arguments)
    except Exception as error:
        answer = False, f"{type(error).__name__}: {first_line(error)}"
    pipe.send(answer)


def in_pool(
    make: Callable[[], Work], tasks: Sequence[object], processes: int, limit_s: float = LIMIT_S
) -> float:
    """Seconds that a `multiprocessing.Pool` takes over the tasks, its start not counted.

    Parameters
    ----------
    make : callable
        Called once in each process; what it gives is called with each task.
    tasks : sequence
        Handed out one by one.
    processes : int
        How many.
    limit_s : float
        Seconds after which it is given up.

    Raises
    ------
    PeerFailed
        If a process cannot start, a task raises, or it takes too long.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    with one_thread_each():
        pool = context.Pool(processes, _begin, (make, barrier))
    with pool:
        try:
            barrier.wait(START_LIMIT_S)
            begin_s = time.perf_counter()
            pool.map_async(_work, tasks, chunksize=1).get(limit_s)
            return time.perf_counter() - begin_s
        except BrokenBarrierError:
            raise PeerFailed("a process of the pool could not start") from None
        except multiprocessing.TimeoutError:
            raise PeerFailed(f"took more than {limit_s:g} s") from None
        except Exception as error:
            raise PeerFailed(f"{type(error).__name__}: {first_line(error)}") from error


_made: list[Work] = []
"""This process's worker, once it is made."""


def _begin(make: Callable[[], Work], barrier: Barrier) -> None:
    try:
        _made[:] = [make()]
    except BaseException:
        barrier.abort()
        raise
    barrier.wait(START_LIMIT_S)


def _work(task: object) -> None:
    _made[0](task)
