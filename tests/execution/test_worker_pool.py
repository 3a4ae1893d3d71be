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
from raypipe.execution import growth, waiting, worker_pool  # noqa: E402
from raypipe.execution.events import (  # noqa: E402
    BatchDone,
    Event,
    WorkerLost,
    WorkerReady,
    WorkerRetired,
)
from raypipe.execution.nodes import Nodes  # noqa: E402
from raypipe.execution.seat import Terms  # noqa: E402
from raypipe.execution.worker_pool import MOST_FAILED_STARTS, WorkerPool  # noqa: E402
from tests.execution.fakes import (  # noqa: E402
    FakeWorker,
    LeakyWorker,
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


def test_a_worker_that_grows_goes_after_the_batches_that_it_has(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stepped twice, and nobody is suspected."""
    monkeypatch.setattr(growth, "SETTLED_BATCHES", 3)
    pool, events = start(LeakyWorker)
    until(events, WorkerReady)
    for number in range(1, 8):
        pool.submit("worker-1", batch(number), 60)
    seen: list[Event] = []
    assert until(events, WorkerReady, seen) == WorkerReady("worker-1.2")
    done = [event for event in seen if isinstance(event, BatchDone)]
    assert [event.result.number for event in done] == list(range(1, 8))
    assert {event.worker for event in done} == {"worker-1"}
    assert [e for e in seen if not isinstance(e, BatchDone)] == [
        WorkerRetired("worker-1"), WorkerReady("worker-1.2"),
    ]  # fmt: skip
    assert seen.index(WorkerRetired("worker-1")) == seen.index(done[4]) + 1
    assert (pool.recycled, pool.restarts) == (1, 0)
    (old,) = {event.result.busy_s["worker-1"] for event in done}
    assert is_gone(int(old))
    pool.submit("worker-1.2", batch(8), 60)
    assert until(events, BatchDone).result.number == 8


def test_workers_that_find_no_cpu_hold_nobody_up(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cpus = int(ray.cluster_resources()["CPU"])
    monkeypatch.setattr(waiting, "SOON_S", 1000.0)
    pool, events = start(count=cpus + 2)
    seen: list[Event] = []
    while len(seen) < cpus:
        until(events, WorkerReady, seen)
    assert pool.expected == cpus + 2, "others may soon have a CPU, too"
    monkeypatch.setattr(waiting, "SOON_S", 0.0)
    assert pool.expected == cpus
    pool.submit(seen[0].worker, batch(1), 60)  # type: ignore[union-attr]
    until(events, BatchDone)
    said = f"waiting for room: 2 of {cpus + 2} workers (1 CPU each) have no node yet"
    assert caplog.messages == [said], "said once"
    pool.resize(cpus)
    assert pool.expected == cpus
    ready = {event.worker for event in seen}  # type: ignore[union-attr]
    assert ready == {f"worker-{n + 1}" for n in range(cpus + 2)} & ready
    pool.resize(cpus - 1)
    pool.submit(seen[0].worker, batch(2), 60)  # type: ignore[union-attr]
    assert until(events, BatchDone).result.number == 2, "those that work are left alone"


def test_a_lost_worker_is_not_replaced_where_there_is_no_cpu_for_it_any_more(start: Start) -> None:
    pool, events = start(count=2)
    seen: list[Event] = []
    while len(seen) < 2:
        until(events, WorkerReady, seen)
    pool.resize(1)
    pool.submit("worker-1", batch(1, "die"), 60)
    assert until(events, WorkerLost) == WorkerLost("worker-1", 1, (), "crashed")
    assert pool.expected == 1
    pool.resize(2)
    assert until(events, WorkerReady) == WorkerReady("worker-3"), "no name is given twice"


def test_where_no_worker_ever_finds_a_place_the_run_ends_and_says_what_was_asked_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "SOON_S", 0.2)
    monkeypatch.setattr(waiting, "PLACE_S", 1.0)
    _, events = start(Terms(FakeWorker, memory_bytes=10**13))
    wanted = r"no worker found a place in 1 s: 1 of 1 workers \(1 CPU and 10000\.0 GB each\) have"
    with pytest.raises(RaypipeError, match=wanted):
        until(events, WorkerReady)


def test_a_call_whose_input_was_lost_blames_nobody(start: Start) -> None:
    pool, events = start()
    until(events, WorkerReady)
    pool.submit("worker-1", batch(1, "lost"), 60)
    lost = until(events, WorkerLost)
    assert lost == WorkerLost("worker-1", 1, (), "lost what it was sent", node_lost=True)


@pytest.mark.parametrize(
    "error",
    [
        ray.exceptions.ActorUnavailableError("no route to host", None),
        ray.exceptions.ObjectReconstructionFailedError("00" * 28),
    ],
    ids=["it cannot be reached", "its answer went with its node"],
)
def test_a_worker_whose_machine_is_gone_is_ended_and_its_batch_is_not_suspected(
    start: Start, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pool, events = start()
    until(events, WorkerReady)
    pool.submit("worker-1", batch(1), 60)
    pid = until(events, BatchDone).result.rss_bytes

    def gone(ref: Any) -> Any:
        monkeypatch.undo()
        raise error

    pool.submit("worker-1", batch(2), 60)
    pool.submit("worker-1", batch(3), 60)
    monkeypatch.setattr(worker_pool.ray, "get", gone)
    assert until(events, WorkerLost) == WorkerLost("worker-1", 2, (3,), "crashed", node_lost=True)
    assert is_gone(pid), "though it may still be at work"
    assert until(events, WorkerReady) == WorkerReady("worker-1.2")


def test_actors_introduce_themselves(start: Start) -> None:
    nodes = Nodes()
    (node,) = nodes
    pool, events = start(Terms(FakeWorker, label="dtln-int8", run="0123456789ab"))
    until(events, WorkerReady)
    assert "raypipe-0123456789ab-worker-1" in ray.util.list_named_actors()
    asked = pool._seats[0].actor.__ray_call__.remote(repr)
    assert ray.get(asked) == f"raypipe-worker-1 dtln-int8 on {node.address}"
    assert pool.by_node() == {node.address: 1}
