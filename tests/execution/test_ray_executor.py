"""The executor on Ray beyond what the contract asks: order of events, and what it leaves behind."""

from __future__ import annotations

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
from raypipe.execution.ray_executor import Crew, RayExecutor  # noqa: E402
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
    executor = RayExecutor(FakeWorker, FakeCollector, None, Crew(1))
    executor._workers, executor._collectors = workers, collectors  # type: ignore[assignment]
    return executor


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
    executor = RayExecutor(FakeWorker, FakeCollector)
    executor.start()
    assert executor.workers == before
    until(lambda: executor.events(0.5), WorkerReady)
    executor.close()
    end_s = time.monotonic() + 10
    while ray.available_resources().get("CPU", 0) < before and time.monotonic() < end_s:
        time.sleep(0.2)
    assert ray.available_resources().get("CPU", 0) == before


def test_a_clusters_cpus_are_not_counted_before_it_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: 1 // 0)
    executor = RayExecutor(FakeWorker, FakeCollector, "127.0.0.1:1")
    executor.close()
