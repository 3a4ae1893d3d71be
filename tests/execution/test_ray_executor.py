"""The executor on Ray beyond what the contract asks: order of events, and what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from raypipe.execution.events import (  # noqa: E402
    Event,
    WorkerLost,
    WorkerReady,
)
from raypipe.execution.ray_executor import RayExecutor  # noqa: E402
from tests.execution.fakes import FakeCollector, FakeWorker, batch, until  # noqa: E402


class Saying:
    """A pool that says what it is told to say."""

    def __init__(self, *events: Any) -> None:
        self._events = events

    def pending(self) -> Iterator[Any]:
        return iter(())

    def patience_s(self) -> float:
        return 0.0

    def submit(self, worker: str, batch: Any, timeout_s: float) -> None:
        pass

    def answers(self, arrived: set[Any]) -> Iterator[Any]:
        yield from self._events


def executor_of(workers: Saying, collectors: Saying) -> RayExecutor:
    executor = RayExecutor(FakeWorker, FakeCollector, 1, None)
    executor._workers, executor._collectors = workers, collectors  # type: ignore[assignment]
    return executor


@pytest.mark.xfail(strict=True, reason="the tickets of a lost batch are kept until the end")
def test_nothing_is_remembered_of_a_batch_that_was_lost() -> None:
    lost: Event = WorkerLost("worker-1", 1, (2,), "crashed")
    executor = executor_of(Saying((lost, {})), Saying())
    executor.submit("worker-1", batch(1), 60)
    executor.submit("worker-1", batch(2), 60)
    assert executor.events(0) == [lost]
    assert executor._tickets == {}


@pytest.mark.ray
def test_a_closed_executor_gives_its_cpus_back(ray_cluster: None) -> None:
    """Though somebody, a traceback for one, still holds it."""
    before = ray.cluster_resources()["CPU"]
    executor = RayExecutor(FakeWorker, FakeCollector, None, None)
    executor.start()
    assert executor.workers == before
    until(lambda: executor.events(0.5), WorkerReady)
    executor.close()
    end_s = time.monotonic() + 10
    while ray.available_resources().get("CPU", 0) < before and time.monotonic() < end_s:
        time.sleep(0.2)
    assert ray.available_resources().get("CPU", 0) == before


def test_a_cluster_that_is_not_there_is_the_users_to_mend() -> None:
    """In a process of its own: in this one a Ray may be running already."""
    script = (
        "from raypipe.execution.ray_executor import RayExecutor\n"
        "from raypipe.errors import UsageError\n"
        "executor = RayExecutor(None, None, None, '127.0.0.1:1')\n"
        "try: executor.start()\n"
        "except UsageError as error: print(error)\n"
        "executor.close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "no Ray cluster can be reached at 127.0.0.1:1" in done.stdout, done.stderr[-500:]
