"""The workers of a Ray run: started, fed, timed, replaced when they are lost.

Each worker has a short queue of batches; only the first of them is being
stepped, so only that one is suspected when the worker dies, and only its time
is taken.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RaySystemError, RayTaskError

from raypipe.errors import RaypipeError
from raypipe.execution.actors import WorkerActor
from raypipe.execution.events import BatchDone, Event, Steps, WorkerLost, WorkerReady
from raypipe.execution.losses import PROCESS_LOST, cause_of
from raypipe.types import FrameBatch

LOAD_S = 300.0
"""Longest time from asking for a worker until it has loaded the model."""

MOST_FAILED_STARTS = 3
"""Workers in a row that may die before they are ready; then it is not bad luck."""


@dataclass(slots=True)
class _Call:
    number: int
    facts: Any
    """Reference to the `BatchResult`."""
    sound: dict[int, Any]
    """Reference to the pieces, by collector."""
    timeout_s: float
    since_s: float = 0.0
    """When it came to the head of the queue (monotonic clock)."""


@dataclass(slots=True)
class _Seat:
    """A worker's place; its actor changes when it is lost."""

    index: int
    generation: int = 0
    actor: Any = None
    loading: Any = None
    """Reference to the answer of `load`; None once it has answered."""
    since_s: float = 0.0
    """When it began to load (monotonic clock)."""
    calls: deque[_Call] = field(default_factory=deque)

    @property
    def name(self) -> str:
        again = f".{self.generation}" if self.generation > 1 else ""
        return f"worker-{self.index}{again}"


class WorkerPool:
    """As many workers as asked for, always.

    Parameters
    ----------
    make : callable
        Builds a worker, given its name; pickled to the actors.
    count : int
        Number of workers.
    """

    def __init__(self, make: Callable[[str], Steps], count: int) -> None:
        self._make = make
        self._seats = [_Seat(index) for index in range(1, count + 1)]
        self._failed_starts = 0
        self.restarts = 0

    def start(self) -> None:
        """Begin to start all workers."""
        for seat in self._seats:
            self._occupy(seat)

    def _occupy(self, seat: _Seat) -> None:
        seat.generation += 1
        seat.actor = WorkerActor.options(  # type: ignore[attr-defined]
            scheduling_strategy="SPREAD"
        ).remote(seat.name)
        seat.loading = seat.actor.load.remote(self._make)
        seat.since_s = time.monotonic()

    def submit(self, worker: str, batch: FrameBatch, timeout_s: float) -> None:
        """Queue a batch behind those that the worker has."""
        seat = next(s for s in self._seats if s.name == worker)
        collectors = tuple(sorted({s.collector for s in batch.segments}))
        refs = seat.actor.step.options(num_returns=1 + len(collectors)).remote(batch, collectors)
        call = _Call(batch.number, refs[0], dict(zip(collectors, refs[1:], strict=True)), timeout_s)
        if not seat.calls:
            call.since_s = time.monotonic()
        seat.calls.append(call)

    def pending(self) -> Iterator[Any]:
        """References that something may come of."""
        for seat in self._seats:
            if seat.loading is not None:
                yield seat.loading
            elif seat.calls:
                yield seat.calls[0].facts

    def patience_s(self) -> float:
        """Seconds until the first deadline; infinite where none runs."""
        now_s = time.monotonic()
        heads = [seat.calls[0] for seat in self._seats if seat.calls and seat.loading is None]
        return min((c.since_s + c.timeout_s - now_s for c in heads), default=float("inf"))

    def answers(self, arrived: set[Any]) -> Iterator[tuple[Event, dict[int, Any]]]:
        """What the arrived references and the passed deadlines mean; sound with each batch."""
        for seat in self._seats:
            if seat.loading is not None:
                if seat.loading in arrived:
                    yield from self._loaded(seat)
                elif time.monotonic() > seat.since_s + LOAD_S:
                    raise RaypipeError(
                        f"{seat.name} has not loaded the model in {LOAD_S:g} s: either loading "
                        "hangs, or Ray has no free CPU for it"
                    )
            elif seat.calls and seat.calls[0].facts in arrived:
                yield from self._stepped(seat)
            elif seat.calls and self._late(seat.calls[0]):
                timeout_s = seat.calls[0].timeout_s
                ray.kill(seat.actor)
                yield self._replace(seat, f"took longer than {timeout_s:g} s"), {}

    def _late(self, call: _Call) -> bool:
        return time.monotonic() > call.since_s + call.timeout_s

    def _loaded(self, seat: _Seat) -> Iterator[tuple[Event, dict[int, Any]]]:
        try:
            ray.get(seat.loading)
        except RayTaskError as error:
            raise cause_of(error) from error
        except RaySystemError as error:
            raise RaypipeError(
                "a worker cannot load raypipe; is the same version installed on every node? "
                f"{_first_line(error)}"
            ) from error
        except PROCESS_LOST as error:
            self._failed_starts += 1
            if self._failed_starts >= MOST_FAILED_STARTS:
                raise RaypipeError(
                    f"workers die while they load the model ({self._failed_starts} in a row): "
                    f"{_first_line(error)}"
                ) from error
            yield self._replace(seat, "crashed"), {}
            return
        self._failed_starts = 0
        seat.loading = None
        yield WorkerReady(seat.name), {}

    def _stepped(self, seat: _Seat) -> Iterator[tuple[Event, dict[int, Any]]]:
        try:
            result = ray.get(seat.calls[0].facts)
        except RayTaskError as error:
            raise cause_of(error) from error
        except PROCESS_LOST:
            yield self._replace(seat, "crashed"), {}
            return
        call = seat.calls.popleft()
        if seat.calls:
            seat.calls[0].since_s = time.monotonic()
        yield BatchDone(seat.name, result), call.sound

    def close(self) -> None:
        """End the workers, so that a Ray that is not ours has its CPUs back."""
        for seat in self._seats:
            if seat.actor is not None:
                ray.kill(seat.actor)
                seat.actor = None

    def _replace(self, seat: _Seat, why: str) -> WorkerLost:
        numbers = [call.number for call in seat.calls]
        lost = WorkerLost(seat.name, numbers[0] if numbers else None, tuple(numbers[1:]), why)
        seat.calls.clear()
        self.restarts += 1
        self._occupy(seat)
        return lost


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
