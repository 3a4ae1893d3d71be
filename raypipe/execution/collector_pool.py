"""The collectors of a Ray run: one at first, more when writing falls behind.

Each file stays with one collector. A collector that is lost takes its
unpublished files with it; another takes its place at once, and the driver
begins those files again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raypipe.errors import RaypipeError
from raypipe.execution.actors import Arrival, CollectorActor
from raypipe.execution.events import CollectorLost, Collects, Event, SoundCollected
from raypipe.execution.losses import NODE_LOST, PROCESS_LOST, SOUND_LOST, cause_of
from raypipe.execution.nodes import Nodes
from raypipe.execution.sight import Sight

BUSY = 2
"""Unanswered calls at which a collector counts as busy."""

ANSWER_S = 900.0
"""Longest time for one call: a batch of files written and made durable on a slow disk, or one of
many hours read back and scaled."""

MOST_LOST_IN_A_ROW = 5
"""Collectors lost without one answer in between; then it is not bad luck."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Call:
    since_s: float
    """When it came to the head of the queue (monotonic clock)."""
    answer: Any
    tickets: tuple[int, ...]
    """Files whose sound the call carries."""


@dataclass(slots=True)
class _Seat:
    index: int
    generation: int = 0
    actor: Any = None
    node: str = ""
    """Ray's id of its node, once it has said so."""
    calls: deque[_Call] = field(default_factory=deque)


class CollectorPool:
    """Collectors by index.

    Parameters
    ----------
    make : callable
        Builds a collector, given its index and a name; pickled to the actors.
    most : int
        As many as there may be.
    nodes : Nodes, optional
        The cluster's nodes; None for a Ray of our own.
    sight : Sight, optional
        What a collector's node must see.
    run : str
        The run's id; with it, actors have names.
    """

    def __init__(
        self,
        make: Callable[[int, str], Collects],
        most: int,
        nodes: Nodes | None = None,
        sight: Sight | None = None,
        run: str = "",
    ) -> None:
        self._make = make
        self.most = most
        self._nodes, self._sight, self._run = nodes, sight, run
        self._seats: list[_Seat] = []
        self._lost_in_a_row = 0
        self.restarts = 0

    def start(self) -> None:
        """Start the first one."""
        self._add()

    def _add(self) -> None:
        self._seats.append(_Seat(len(self._seats)))
        self._occupy(self._seats[-1])

    def _occupy(self, seat: _Seat) -> None:
        seat.generation += 1
        name = f"collector-{seat.index}.{seat.generation}"
        self._need_head()
        options = self._placing(seat)
        if self._run:
            options["name"] = f"raypipe-{self._run}-{name}"
        seat.actor = CollectorActor.options(**options).remote(seat.index, name)  # type: ignore[attr-defined]
        self._call(seat, seat.actor.load.remote(self._make, self._sight), ())

    def _need_head(self) -> None:
        """Calls for which Ray asks its head would wait for that without an end."""
        if self._nodes is not None:
            self._nodes.need_head()

    def _placing(self, seat: _Seat) -> dict[str, Any]:
        """The first one beside the driver, which is known to see an output folder."""
        if self._nodes is None:
            return {}
        if seat.index == 0 and self._sight is not None and self._sight.output:
            # Not soft: with that Ray takes another node at times, where this one has no CPU.
            here = NodeAffinitySchedulingStrategy(self._nodes.driver, soft=False)
            return {"scheduling_strategy": here}
        return self._nodes.placing()

    def _call(self, seat: _Seat, answer: Any, tickets: Sequence[int]) -> None:
        seat.calls.append(_Call(time.monotonic(), answer, tuple(tickets)))

    def choose(self) -> int:
        """The least busy one; where all are busy, a new one if there may be one."""
        least = min(self._seats, key=lambda s: (len(s.calls), s.index))
        if len(least.calls) > BUSY and len(self._seats) < self.most:
            self._add()
            return len(self._seats) - 1
        return least.index

    def take(self, index: int, sound: Any, tickets: Sequence[int], drop: Sequence[int]) -> None:
        """Hand pieces (or a reference to them) over."""
        seat = self._seats[index]
        self._call(seat, seat.actor.take.remote(sound, tuple(drop)), tickets)

    def backlog(self) -> int:
        """Calls without an answer."""
        return sum(len(seat.calls) for seat in self._seats)

    def pending(self) -> Iterator[Any]:
        """References that something may come of: the oldest call of each collector."""
        return (seat.calls[0].answer for seat in self._seats if seat.calls)

    def answers(self, arrived: set[Any]) -> Iterator[Event]:
        """What the arrived references mean."""
        for seat in self._seats:
            if seat.calls and seat.calls[0].answer in arrived:
                yield from self._answered(seat)
            elif seat.calls and time.monotonic() > seat.calls[0].since_s + ANSWER_S:
                yield self._replace(seat, seat.calls[0].tickets)

    def _answered(self, seat: _Seat) -> Iterator[Event]:
        call = seat.calls[0]
        try:
            answers = ray.get(call.answer)
        except SOUND_LOST:
            self._next(seat)
            yield CollectorLost(seat.index, call.tickets)
        except RayTaskError as error:
            cause = cause_of(error)
            if not isinstance(cause, SOUND_LOST):
                raise cause from error
            self._next(seat)
            yield CollectorLost(seat.index, call.tickets)
        except PROCESS_LOST as error:
            # One that dies while it writes has suspects, whose strikes end that by themselves.
            suspects = () if self._lost_node(seat, error) else call.tickets
            self._lost_in_a_row = 0 if suspects else self._lost_in_a_row + 1
            if self._lost_in_a_row >= MOST_LOST_IN_A_ROW:
                raise RaypipeError("collectors die again and again; see Ray's logs") from error
            yield self._replace(seat, suspects)
        else:
            if isinstance(answers, Arrival):
                seat.node = answers.node
                if answers.wrong and self._nodes is not None:
                    log.warning("left out: node %s %s", answers.address, answers.wrong)
                    self._nodes.bar(answers.node, answers.wrong)
                    yield self._replace(seat, ())
                    return
            self._next(seat)
            if call.tickets:
                self._lost_in_a_row = 0
            if isinstance(answers, list) and answers:
                yield SoundCollected(tuple(answers))

    def _next(self, seat: _Seat) -> None:
        """The head of the queue is answered; the next one's time begins."""
        seat.calls.popleft()
        if seat.calls:
            seat.calls[0].since_s = time.monotonic()

    def _lost_node(self, seat: _Seat, error: Exception) -> bool:
        if isinstance(error, NODE_LOST):
            return True
        return self._nodes is not None and bool(seat.node) and self._nodes.gone(seat.node)

    def _replace(self, seat: _Seat, suspects: tuple[int, ...]) -> CollectorLost:
        self._need_head()
        ray.kill(seat.actor)  # one that cannot be reached may still be at work
        seat.calls.clear()
        seat.node = ""
        self.restarts += 1
        self._occupy(seat)
        return CollectorLost(seat.index, None, suspects)

    def close(self, wait_s: float) -> None:
        """Let the collectors put away what is unfinished."""
        refs = [seat.actor.close.remote() for seat in self._seats]
        if refs:
            ray.wait(refs, num_returns=len(refs), timeout=wait_s)
        for seat in self._seats:
            ray.kill(seat.actor)
