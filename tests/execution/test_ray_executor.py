"""The executor on Ray beyond what the contract asks: order of events, and what it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from raypipe.errors import RaypipeError  # noqa: E402
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


@pytest.mark.parametrize(
    ("crew", "cpus", "wanted"),
    [
        (Crew(), 5, 5),
        (Crew(), 0, 1),
        (Crew(most=3), 5, 3),
        (Crew(most=3), 2, 2),
        (Crew(most=3), 0, 1),
        (Crew(asked=4), 0, 4),
        (Crew(asked=4), 100, 4),
    ],
)
def test_workers_follow_the_cpus_unless_a_number_was_asked_for(
    crew: Crew, cpus: int, wanted: int
) -> None:
    assert crew.count(cpus) == wanted


class Broken(Saying):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def pending(self) -> Iterator[Any]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ray.exceptions.LocalRayletDiedError(), "Ray's process on this machine has died; what was"),
        (
            ray.exceptions.RpcError("head is gone\nat line 5"),
            "Ray has failed: head is gone at line 5; what",
        ),
        (ray.exceptions.RuntimeEnvSetupError("no pip"), "Ray has failed: .*no pip"),
    ],
)
def test_where_ray_itself_has_failed_it_says_so_in_one_sentence(
    error: Exception, words: str
) -> None:
    executor = executor_of(Broken(error), Saying())
    with pytest.raises(RaypipeError, match=words) as caught:
        executor.events(0)
    assert "\n" not in str(caught.value)


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
