"""Processes of a peer's own: answers, failures, and one thread in each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.peers.processes import THREADS, PeerFailed, alone, in_pool


def threads() -> list[str | None]:
    return [os.environ.get(name) for name in THREADS]


def refuse() -> None:
    raise ValueError("no\nmore of it")


def die() -> None:
    os._exit(7)


class Touch:
    """Writes a file for each task, named by the process, once another process does so too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, task: object) -> None:
        (self.folder / f"{task}-{os.getpid()}-{os.environ.get(THREADS[0])}").touch()
        for _ in range(3000):
            if len({path.name.split("-")[1] for path in self.folder.iterdir()}) == 2:
                return
            time.sleep(0.01)


class Broken:
    """Cannot be made."""

    def __init__(self) -> None:
        raise ValueError("no model")


def make_refusing() -> Callable[[object], object]:
    return lambda task: refuse()


def test_a_function_alone_gives_its_answer_from_another_process() -> None:
    assert alone(os.getpid) != os.getpid()
    assert alone(max, 3, 5) == 5


def test_each_process_computes_with_one_thread_and_ours_is_left_as_it_was() -> None:
    before = threads()
    assert alone(threads) == ["1"] * len(THREADS)
    assert threads() == before


def test_an_error_arrives_as_its_first_line() -> None:
    with pytest.raises(PeerFailed, match=r"^ValueError: no$"):
        alone(refuse)


def test_a_process_that_dies_is_named_with_its_exit_code() -> None:
    with pytest.raises(PeerFailed, match="exit code 7"):
        alone(die)


def test_a_process_that_hangs_is_given_up() -> None:
    with pytest.raises(PeerFailed, match=r"more than 0\.5 s"):
        alone(time.sleep, 60, limit_s=0.5)


def test_a_pool_does_every_task_once_in_so_many_processes(tmp_path: Path) -> None:
    assert in_pool(partial(Touch, tmp_path), range(6), 2) > 0
    made = [path.name.split("-") for path in tmp_path.iterdir()]
    assert sorted(task for task, *_ in made) == list("012345")
    assert len({process for _, process, _ in made}) == 2
    assert {threads for *_, threads in made} == {"1"}


def test_a_pool_that_cannot_start_says_so() -> None:
    with pytest.raises(PeerFailed, match="could not start"):
        in_pool(Broken, [1], 2)


def test_a_task_that_fails_fails_the_pool() -> None:
    with pytest.raises(PeerFailed, match=r"^ValueError: no$"):
        in_pool(make_refusing, [1], 1)
