"""Real Ray workers that are killed, hang, or never come up; the steps themselves are fakes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from raypipe.errors import ModelError, RaypipeError, StorageError  # noqa: E402
from raypipe.execution import worker_pool  # noqa: E402
from raypipe.execution.events import BatchDone, Event, WorkerLost, WorkerReady  # noqa: E402
from raypipe.execution.worker_pool import MOST_FAILED_STARTS, WorkerPool  # noqa: E402
from tests.execution.fakes import (  # noqa: E402
    FakeWorker,
    batch,
    cannot_load,
    dies_once,
    dies_while_loading,
    hangs_while_loading,
    is_gone,
    until,
)

pytestmark = [pytest.mark.ray, pytest.mark.timeout(90)]
Start = Callable[..., tuple[WorkerPool, Callable[[], Sequence[Event]]]]


@pytest.fixture
def start(ray_cluster: None) -> Iterator[Start]:
    """A pool, and what reads its events."""
    pools = []

    def one(make: Any = FakeWorker, count: int = 1) -> tuple[WorkerPool, Any]:
        pool = WorkerPool(make, count)
        pools.append(pool)
        pool.start()

        def events() -> list[Event]:
            refs = list(pool.pending())
            timeout_s = max(0.0, min(0.5, pool.patience_s()))
            arrived = ray.wait(refs, timeout=timeout_s)[0] if refs else []
            return [event for event, _ in pool.answers(set(arrived))]

        return pool, events

    yield one
    for pool in pools:
        pool.close()


def test_two_workers_step_in_two_processes(start: Start) -> None:
    pool, events = start(count=2)
    seen: list[Event] = []
    until(events, WorkerReady, seen)
    while len(seen) < 2:
        until(events, WorkerReady, seen)
    assert {event.worker for event in seen} == {"worker-1", "worker-2"}  # type: ignore[union-attr]
    pool.submit("worker-1", batch(1), 60)
    pool.submit("worker-2", batch(2), 60)
    one, two = until(events, BatchDone, seen), until(events, BatchDone, seen)
    assert {one.result.number, two.result.number} == {1, 2}
    assert one.result.rss_bytes != two.result.rss_bytes


def test_a_worker_killed_while_idle_is_replaced_and_the_batch_is_given_back(start: Start) -> None:
    pool, events = start()
    assert until(events, WorkerReady) == WorkerReady("worker-1")
    pool.submit("worker-1", batch(1), 60)
    pid = until(events, BatchDone).result.rss_bytes
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid)
    pool.submit("worker-1", batch(2), 60)
    seen: list[Event] = []
    assert until(events, WorkerReady, seen) == WorkerReady("worker-1.2")
    assert seen[0] == WorkerLost("worker-1", 2, (), "crashed")
    pool.submit("worker-1.2", batch(2), 60)
    assert until(events, BatchDone).result.number == 2
    assert pool.restarts == 1


def test_only_the_batch_that_was_being_stepped_is_suspected(start: Start) -> None:
    pool, events = start()
    until(events, WorkerReady)
    for number, what in ((1, "step"), (2, "die"), (3, "step")):
        pool.submit("worker-1", batch(number, what), 60)
    assert until(events, BatchDone).result.number == 1
    assert until(events, WorkerLost) == WorkerLost("worker-1", 2, (3,), "crashed")
    until(events, WorkerReady)


def test_a_worker_that_hangs_is_ended_after_its_time(start: Start) -> None:
    pool, events = start()
    until(events, WorkerReady)
    pool.submit("worker-1", batch(1), 60)
    pid = until(events, BatchDone).result.rss_bytes
    pool.submit("worker-1", batch(2, "hang"), 0.5)
    pool.submit("worker-1", batch(3), 0.5)
    lost = until(events, WorkerLost)
    assert lost == WorkerLost("worker-1", 2, (3,), "took longer than 0.5 s")
    assert is_gone(pid)
    assert pool.patience_s() == float("inf")


def test_workers_that_die_while_they_load_end_the_run_the_third_time(start: Start) -> None:
    _, events = start(dies_while_loading)
    seen: list[Event] = []
    with pytest.raises(RaypipeError, match=r"die while they load the model \(3 in a row\)"):
        until(events, WorkerReady, seen)
    assert seen == [WorkerLost(name, None, (), "crashed") for name in ("worker-1", "worker-1.2")]
    assert len(seen) == MOST_FAILED_STARTS - 1


def test_one_death_while_loading_is_bad_luck(start: Start, tmp_path: Path) -> None:
    _, events = start(partial(dies_once, tmp_path / "mark"))
    assert until(events, WorkerReady) == WorkerReady("worker-1.2")


def test_a_model_that_cannot_be_loaded_is_a_model_error(start: Start) -> None:
    _, events = start(cannot_load)
    with pytest.raises(ModelError, match="model: found no weights, wanted some") as caught:
        until(events, WorkerReady)
    assert type(caught.value) is ModelError


def test_what_a_step_raises_comes_out_as_it_is(start: Start) -> None:
    pool, events = start()
    until(events, WorkerReady)
    pool.submit("worker-1", batch(1, "fail"), 60)
    with pytest.raises(StorageError, match="the disk is on fire"):
        until(events, BatchDone)


def test_a_model_that_does_not_load_ends_the_run_after_its_time(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "LOAD_S", 0.5)
    _, events = start(hangs_while_loading)
    with pytest.raises(RaypipeError, match=r"worker-1 has not loaded the model in 0\.5 s"):
        until(events, WorkerReady)


def test_closed_workers_are_gone_even_where_they_hang(start: Start) -> None:
    pool, events = start()
    until(events, WorkerReady)
    pool.submit("worker-1", batch(1), 60)
    pid = until(events, BatchDone).result.rss_bytes
    pool.submit("worker-1", batch(2, "hang"), 60)
    pool.close()
    assert is_gone(pid)
    pool.close()
