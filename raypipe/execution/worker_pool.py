"""The workers of a Ray run: started, fed, timed, replaced when they are lost.

Each worker has a short queue of batches; only the first of them is being
stepped, so only that one is suspected when the worker dies, and only its time
is taken. A worker that Ray finds no CPU for waits and holds nobody up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray.exceptions import RaySystemError, RayTaskError

from raypipe.errors import ModelError, RaypipeError
from raypipe.execution.events import (
    BatchDone,
    Event,
    Steps,
    WorkerLost,
    WorkerReady,
    WorkerRetired,
)
from raypipe.execution.losses import (
    NODE_LOST,
    PROCESS_LOST,
    SOUND_LOST,
    cannot_load,
    cause_of,
    first_line,
    why_lost,
)
from raypipe.execution.nodes import Nodes
from raypipe.execution.seat import Call, Seat, Terms
from raypipe.execution.waiting import Waiting, expected
from raypipe.types import FrameBatch

LOAD_S = 300.0
"""Longest time from a worker's arrival on a node until it has loaded the model."""

MOST_FAILED_STARTS = 3
"""Workers in a row that may die before they are ready; then it is not bad luck."""

Answer = tuple[Event, dict[int, Any]]
"""An event, and references to a batch's sound by collector."""

log = logging.getLogger(__name__)


class WorkerPool:
    """As many workers as asked for, if they find a place.

    Parameters
    ----------
    make : callable or Terms
        Builds a worker, given its name; or all that workers are started with.
    count : int
        Number of workers; see `resize`.
    nodes : Nodes, optional
        The cluster's nodes; None for a Ray of our own.
    """

    def __init__(
        self, make: Callable[..., Steps] | Terms, count: int, nodes: Nodes | None = None
    ) -> None:
        self._terms = make if isinstance(make, Terms) else Terms(make)
        self._nodes = nodes
        self._count = count
        self._seats: list[Seat] = []
        self._hired = 0
        self._failed_starts = 0
        self._waiting = Waiting(self._terms.memory_bytes, nodes)
        self.restarts = 0
        self.recycled = 0

    def start(self) -> None:
        """Begin to start all workers."""
        self.resize(self._count)

    def resize(self, count: int) -> None:
        """Want so many workers from now on.

        Further ones are asked for at once. Too many are let go only where they have no place yet;
        those that work go with their node, and are then not replaced.
        """
        self._count = count
        for seat in [s for s in reversed(self._seats) if s.arriving is not None]:
            if len(self._seats) > count:
                seat.vacate()
                self._seats.remove(seat)
        while len(self._seats) < count:
            self._hired += 1
            seat = Seat(self._hired)
            self._seats.append(seat)
            self._occupy(seat)

    def _need_head(self) -> None:
        """Calls for which Ray asks its head would wait for that without an end."""
        if self._nodes is not None:
            self._nodes.need_head()

    def _occupy(self, seat: Seat) -> None:
        self._need_head()
        placing = self._nodes.placing() if self._nodes else {"scheduling_strategy": "SPREAD"}
        seat.occupy(self._terms, placing)

    @property
    def expected(self) -> int:
        """Workers that are at work or may be soon; at least one."""
        return expected(self._seats)

    def by_node(self) -> dict[str, int]:
        """Workers that have a place, by their node's address."""
        found: dict[str, int] = {}
        for seat in self._seats:
            if seat.arrival is not None:
                found[seat.arrival.address] = found.get(seat.arrival.address, 0) + 1
        return found

    def submit(self, worker: str, batch: FrameBatch, timeout_s: float) -> None:
        """Queue a batch behind those that the worker has."""
        seat = next(s for s in self._seats if s.name == worker)
        collectors = tuple(sorted({s.collector for s in batch.segments}))
        count = len(batch.segments)
        # So the dashboard's list of calls tells of files; few names, as each is a series of
        # metrics, too.
        name = f"WorkerActor.step {count} file{'s' * (count != 1)}"
        refs = seat.actor.step.options(num_returns=1 + len(collectors), name=name).remote(
            batch, collectors
        )
        call = Call(batch.number, refs[0], dict(zip(collectors, refs[1:], strict=True)), timeout_s)
        if not seat.calls:
            call.since_s = time.monotonic()
        seat.calls.append(call)

    def pending(self) -> Iterator[Any]:
        """References that something may come of."""
        return (head for seat in self._seats if (head := seat.head()) is not None)

    def patience_s(self) -> float:
        """Seconds until the first deadline; infinite where none runs."""
        now_s = time.monotonic()
        heads = [seat.calls[0] for seat in self._seats if seat.calls and seat.ready]
        return min((c.since_s + c.timeout_s - now_s for c in heads), default=float("inf"))

    def answers(self, arrived: set[Any]) -> Iterator[Answer]:
        """What the arrived references and the passed deadlines mean; sound with each batch."""
        for seat in list(self._seats):
            if seat.head() in arrived:
                if seat.arriving is not None:
                    yield from self._arrived(seat)
                elif seat.loading is not None:
                    yield from self._loaded(seat)
                else:
                    yield from self._stepped(seat)
            elif seat.arriving is None and seat.loading is not None:
                if time.monotonic() > seat.since_s + LOAD_S:
                    yield self._never_loaded(seat), {}
            elif seat.calls and _late(seat.calls[0]):
                yield self._replace(seat, f"took longer than {seat.calls[0].timeout_s:g} s"), {}
        self._waiting.look(self._seats, self._count)

    def _arrived(self, seat: Seat) -> Iterator[Answer]:
        try:
            seat.arrival = ray.get(seat.arriving)
        except PROCESS_LOST as error:
            yield self._failed_start(seat, error), {}
            return
        except (RayTaskError, RaySystemError) as error:
            raise cannot_load(error) from error
        seat.arriving, seat.since_s = None, time.monotonic()
        assert seat.arrival is not None
        if seat.arrival.wrong and self._nodes is not None:
            node, wrong = seat.arrival.node, seat.arrival.wrong
            log.warning("left out: node %s (%s) %s", seat.arrival.address, node[:8], wrong)
            self._nodes.bar(node, wrong)
            yield self._replace(seat, "was on a node that cannot do the work"), {}

    def _loaded(self, seat: Seat) -> Iterator[Answer]:
        try:
            ray.get(seat.loading)
        except RayTaskError as error:
            cause = cause_of(error)
            if isinstance(cause, SOUND_LOST):  # the model's bytes, with the node that had them
                yield self._failed_start(seat, cause), {}
                return
            if isinstance(cause, ModelError) and self._nodes is not None and seat.arrival:
                raise ModelError(f"node {seat.arrival.address}: {cause}") from error
            raise cause from error
        except RaySystemError as error:
            raise cannot_load(error) from error
        except PROCESS_LOST as error:
            yield self._failed_start(seat, error), {}
            return
        self._failed_starts = 0
        seat.loading = None
        yield WorkerReady(seat.name), {}

    def _failed_start(self, seat: Seat, error: Exception) -> WorkerLost:
        node_lost = self._lost_node(seat, error)
        self._failed_starts += not node_lost
        if self._failed_starts >= MOST_FAILED_STARTS:
            raise RaypipeError(
                f"workers die while they load the model ({self._failed_starts} in a row): "
                f"{first_line(error)}"
            ) from error
        return self._replace(seat, why_lost(error), node_lost=node_lost)

    def _never_loaded(self, seat: Seat) -> WorkerLost:
        self._failed_starts += 1
        if self._failed_starts >= MOST_FAILED_STARTS or not any(s.ready for s in self._seats):
            raise RaypipeError(f"{seat.name} has not loaded the model in {LOAD_S:g} s: it hangs")
        return self._replace(seat, f"did not load the model in {LOAD_S:g} s")

    def _stepped(self, seat: Seat) -> Iterator[Answer]:
        try:
            result = ray.get(seat.calls[0].facts)
        except RayTaskError as error:
            cause = cause_of(error)
            if not isinstance(cause, SOUND_LOST):
                raise cause from error
            yield self._replace(seat, "lost what it was sent", node_lost=True), {}
            return
        except SOUND_LOST as error:  # it had answered; the answer went with its node
            yield self._replace(seat, why_lost(error), node_lost=True), {}
            return
        except PROCESS_LOST as error:
            lost = self._replace(seat, why_lost(error), node_lost=self._lost_node(seat, error))
            yield lost, {}
            return
        call = seat.calls.popleft()
        if seat.calls:
            seat.calls[0].since_s = time.monotonic()
        yield BatchDone(seat.name, result), call.sound
        if seat.growth.too_much(result.rss_bytes) and not seat.leaving:
            seat.leaving = True
            yield WorkerRetired(seat.name), {}
        if seat.leaving and not seat.calls:
            self.recycled += 1
            self._renew(seat)

    def _lost_node(self, seat: Seat, error: Exception) -> bool:
        if isinstance(error, NODE_LOST):
            return True
        if self._nodes is None or seat.arrival is None:
            return False
        return self._nodes.gone(seat.arrival.node)

    def _replace(self, seat: Seat, why: str, *, node_lost: bool = False) -> WorkerLost:
        name = seat.name
        numbers = self._renew(seat)
        self.restarts += 1
        running = numbers[0] if numbers else None
        return WorkerLost(name, running, tuple(numbers[1:]), why, node_lost)

    def _renew(self, seat: Seat) -> list[int]:
        """End a seat's actor and ask for another, unless there are seats enough without it."""
        self._need_head()
        numbers = seat.vacate()
        if len(self._seats) > self._count:
            self._seats.remove(seat)
        else:
            self._occupy(seat)
        return numbers

    def close(self) -> None:
        """End the workers, so that a Ray that is not ours has its CPUs back."""
        for seat in self._seats:
            seat.vacate()


def _late(call: Call) -> bool:
    return time.monotonic() > call.since_s + call.timeout_s
