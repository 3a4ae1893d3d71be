"""The executor in this process: what it says, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from raypipe.errors import ModelError
from raypipe.execution.events import BatchDone, SoundCollected, WorkerReady
from raypipe.execution.inline import NAME, InlineExecutor
from raypipe.types import BatchResult, Collected, Fault, FrameBatch, Piece
from tests.execution.fakes import FakeWorker, batch, cannot_load


class Taking:
    """Notes what it gets."""

    def __init__(self, index: int, name: str) -> None:
        self.seen: list[tuple[list[object], tuple[int, ...]]] = []
        self.closed = 0

    def take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        self.seen.append((list(pieces), tuple(drop)))
        return [Fault(ticket, "dropped") for ticket in drop]

    def close(self) -> None:
        self.closed += 1


class Sounding(FakeWorker):
    """Makes words instead of pieces."""

    def step(self, batch: FrameBatch) -> tuple[BatchResult, dict[int, list[Piece]]]:
        result, _ = super().step(batch)
        return result, {0: [f"sound {batch.number}"]}  # type: ignore[list-item]


@pytest.fixture
def taking() -> Taking:
    return Taking(0, NAME)


@pytest.fixture
def executor(taking: Taking) -> InlineExecutor:
    executor = InlineExecutor(Sounding, lambda index, name: taking)
    executor.start()
    assert executor.events(0) == [WorkerReady(NAME)]
    return executor


def test_batches_are_stepped_one_at_a_time_in_order(executor: InlineExecutor) -> None:
    for number in (1, 2, 3):
        executor.submit(NAME, batch(number), 1.0)
    seen = []
    for _ in range(3):
        (event,) = executor.events(0)
        assert isinstance(event, BatchDone)
        executor.collect(event.result.number, ())
        seen.append(event.result.number)
    assert seen == [1, 2, 3]
    assert executor.events(0) == []


def test_what_was_collected_is_told_before_the_next_batch_steps(executor: InlineExecutor) -> None:
    executor.submit(NAME, batch(1), 1.0)
    executor.events(0)
    executor.submit(NAME, batch(2), 1.0)
    executor.collect(1, (10,))
    assert executor.events(0) == [SoundCollected((Fault(10, "dropped"),))]
    (event,) = executor.events(0)
    assert isinstance(event, BatchDone)


def test_sound_is_handed_over_once(executor: InlineExecutor, taking: Taking) -> None:
    executor.submit(NAME, batch(7), 1.0)
    executor.events(0)
    executor.collect(7, (5,))
    executor.drop(0, 6)
    assert taking.seen == [(["sound 7"], (5,)), ([], (6,))]
    assert executor._sound == {}
    assert executor.backlog() == 0


def test_a_collector_with_nothing_to_say_makes_no_event(executor: InlineExecutor) -> None:
    executor.submit(NAME, batch(1), 1.0)
    executor.events(0)
    executor.collect(1, ())
    assert executor.events(0) == []


def test_it_closes_its_collector(executor: InlineExecutor, taking: Taking) -> None:
    executor.close()
    assert taking.closed == 1


def test_it_can_be_closed_before_its_start(taking: Taking) -> None:
    executor = InlineExecutor(cannot_load, lambda index, name: taking)
    with pytest.raises(ModelError):
        executor.start()
    executor.close()
    assert taking.closed == 0
