"""Real Ray collectors that are killed, or whose sound is lost; what they do is fake."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from raypipe.errors import RaypipeError, StorageError  # noqa: E402
from raypipe.execution import collector_pool  # noqa: E402
from raypipe.execution.collector_pool import BUSY, CollectorPool, _Seat  # noqa: E402
from raypipe.execution.events import CollectorLost, Event, SoundCollected  # noqa: E402
from raypipe.execution.nodes import Nodes  # noqa: E402
from raypipe.execution.sight import Sight, sight_of  # noqa: E402
from raypipe.storage import LocalPlace  # noqa: E402
from tests.execution.fakes import (  # noqa: E402
    FakeCollector,
    cannot_begin,
    collector_dies,
    is_gone,
    until,
)

pytestmark = [pytest.mark.ray, pytest.mark.timeout(90)]
Start = Callable[..., tuple[CollectorPool, Callable[[], Sequence[Event]]]]


@pytest.fixture
def start(ray_cluster: None) -> Iterator[Start]:
    """A pool, and what reads its events."""
    pools = []

    def one(make: Any = FakeCollector, most: int = 1, **more: Any) -> tuple[CollectorPool, Any]:
        pool = CollectorPool(make, most, **more)
        pools.append(pool)
        pool.start()

        def events() -> list[Event]:
            refs = list(pool.pending())
            arrived = ray.wait(refs, timeout=0.5)[0] if refs else []
            return list(pool.answers(set(arrived)))

        return pool, events

    yield one
    for pool in pools:
        pool.close(1.0)


def pid_of(pool: CollectorPool, events: Callable[[], Sequence[Event]]) -> tuple[str, int]:
    """Name and process of the first collector."""
    pool.take(0, [], (), (5,))
    (answer,) = until(events, SoundCollected).answers
    name, pid = answer.reason.split()
    return name, int(pid)


def test_a_collector_killed_while_idle_is_replaced_with_its_next_call(start: Start) -> None:
    pool, events = start()
    name, pid = pid_of(pool, events)
    assert name == "collector-0.1"
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid)
    pool.take(0, [], (7, 8), ())
    pool.take(0, [], (9,), ())
    assert until(events, CollectorLost) == CollectorLost(0, None, (7, 8))
    name, other = pid_of(pool, events)
    assert (name, pool.backlog()) == ("collector-0.2", 0)
    assert other != pid


def test_a_collector_killed_by_what_it_writes_names_its_files(start: Start) -> None:
    pool, events = start()
    pool.take(0, [], (1,), ())
    pool.take(0, ["die"], (2, 3), ())
    assert until(events, CollectorLost) == CollectorLost(0, None, (2, 3))


@pytest.fixture
def two_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector_pool, "MOST_LOST_IN_A_ROW", 2)


def test_collectors_that_die_before_they_write_end_the_run(
    start: Start, two_in_a_row: None
) -> None:
    _, events = start(collector_dies)
    seen: list[Event] = []
    with pytest.raises(RaypipeError, match="collectors die again and again"):
        until(events, SoundCollected, seen)
    assert seen == [CollectorLost(0, None)]


def test_collectors_that_die_over_their_files_leave_it_to_the_driver(
    start: Start, two_in_a_row: None
) -> None:
    """Which counts what each file has cost."""
    pool, events = start()
    for number in range(3):
        pool.take(0, ["die"], (number,), ())
        assert until(events, CollectorLost) == CollectorLost(0, None, (number,))


def test_a_collector_that_does_not_answer_is_ended(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, events = start()
    _, pid = pid_of(pool, events)
    monkeypatch.setattr(collector_pool, "ANSWER_S", 0.5)
    pool.take(0, ["hang"], (7,), ())
    assert until(events, CollectorLost) == CollectorLost(0, None, (7,))
    assert is_gone(pid)
    monkeypatch.undo()
    assert pid_of(pool, events)[0] == "collector-0.2"


def test_lost_sound_costs_the_files_in_it_and_nothing_else(start: Start) -> None:
    pool, events = start()
    name, pid = pid_of(pool, events)
    pool.take(0, ["lost"], (7, 8), ())
    pool.take(0, [], (9,), (9,))
    seen: list[Event] = []
    assert until(events, CollectorLost, seen) == CollectorLost(0, (7, 8))
    (answer,) = until(events, SoundCollected, seen).answers
    assert (answer.ticket, answer.reason) == (9, f"{name} {pid}")


def test_what_a_collector_raises_comes_out_as_it_is(start: Start) -> None:
    pool, events = start()
    pool.take(0, ["fail"], (1,), ())
    with pytest.raises(StorageError, match="the disk is on fire"):
        until(events, SoundCollected)


def test_a_collector_that_cannot_begin_says_why(start: Start) -> None:
    _, events = start(cannot_begin)
    with pytest.raises(StorageError, match="nowhere: cannot write"):
        until(events, SoundCollected)


def test_another_collector_comes_in_only_where_all_are_busy(start: Start) -> None:
    pool, events = start(most=2)
    assert [pool.choose() for _ in range(3)] == [0, 0, 0]
    for number in range(BUSY + 1):
        pool.take(0, ["wait"], (number,), ())
    assert pool.backlog() > BUSY
    assert pool.choose() == 1
    assert pool.choose() == 1, "the less busy one"
    for number in range(BUSY + 5):
        pool.take(1, [], (number,), ())
    assert pool.choose() == 0, "there may be no more than two"
    while pool.backlog():
        assert events() == []


class Machines(Nodes):
    """One node, which is lost whenever anybody asks."""

    def gone(self, node: str) -> bool:
        assert node == self.driver
        return True


def test_files_at_a_collector_whose_machine_went_are_not_suspected(start: Start) -> None:
    pool, events = start(nodes=Machines())
    pid_of(pool, events)
    pool.take(0, ["die"], (2, 3), ())
    assert until(events, CollectorLost) == CollectorLost(0, None, ())


def test_a_collector_that_cannot_be_reached_is_ended(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, events = start()
    _, pid = pid_of(pool, events)

    def unreachable(ref: Any) -> Any:
        monkeypatch.undo()
        raise ray.exceptions.ActorUnavailableError("no route to host", None)

    pool.take(0, [], (7,), ())
    monkeypatch.setattr(collector_pool.ray, "get", unreachable)
    assert until(events, CollectorLost) == CollectorLost(0, None, ())
    assert is_gone(pid), "or it would go on publishing"
    assert pid_of(pool, events)[0] == "collector-0.2"


def test_a_collector_leaves_a_node_that_does_not_see_the_output(
    start: Start, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    nodes = Nodes()
    place = LocalPlace(str(tmp_path), str(tmp_path), "0" * 12)
    (tmp_path / "tmp").mkdir()
    sight = sight_of((), place)
    os.unlink(sight.token)
    os.rmdir(tmp_path / "tmp")
    _, events = start(nodes=nodes, sight=sight)
    seen: list[Event] = []
    assert until(events, CollectorLost, seen) == CollectorLost(0, None, ())
    wrong = f"cannot see {tmp_path}: no such folder; mount it there, or use a bucket"
    assert nodes.barred == {nodes.driver: wrong}
    assert caplog.messages[0].endswith(wrong)


def test_the_first_collector_stands_beside_the_driver_and_others_where_there_is_room(
    tmp_path: Path, ray_cluster: None
) -> None:
    nodes = Nodes()
    seen = Sight(output=str(tmp_path))
    first, second = _Seat(0), _Seat(1)
    pool = CollectorPool(FakeCollector, 2, nodes, seen)
    assert pool._placing(first)["scheduling_strategy"].node_id == nodes.driver
    assert pool._placing(second) == {"scheduling_strategy": "SPREAD"}
    assert CollectorPool(FakeCollector, 2, nodes, Sight())._placing(first) == pool._placing(second)
