"""The collectors of a Ray run: one at first, more when writing falls behind.

Each file stays with one collector. A collector that is lost takes its
unpublished files with it; another takes its place at once, and the driver
begins those files again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayTaskError

from raypipe.errors import RaypipeError
from raypipe.execution.actors import CollectorActor
from raypipe.execution.events import CollectorLost, Collects, Event, SoundCollected
from raypipe.execution.losses import PROCESS_LOST, SOUND_LOST, cause_of

BUSY = 2
"""Unanswered calls at which a collector counts as busy."""

ANSWER_S = 900.0
"""Longest time for one call: a batch of files written and made durable on a slow disk, or one of
many hours read back and scaled."""

MOST_LOST_IN_A_ROW = 5
"""Collectors lost without one answer in between; then it is not bad luck."""


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
    calls: deque[_Call] = field(default_factory=deque)


class CollectorPool:
    """Collectors by index.

    Parameters
    ----------
    make : callable
        Builds a collector, given its index and a name; pickled to the actors.
    most : int
        As many as there may be.
    """

    def __init__(self, make: Callable[[int, str], Collects], most: int) -> None:
        self._make = make
        self._most = most
        self._seats: list[_Seat] = []
        self._lost_in_a_row = 0

    def start(self) -> None:
        """Start the first one."""
        self._add()

    def _add(self) -> None:
        self._seats.append(_Seat(len(self._seats)))
        self._occupy(self._seats[-1])

    def _occupy(self, seat: _Seat) -> None:
        seat.generation += 1
        name = f"collector-{seat.index}.{seat.generation}"
        seat.actor = CollectorActor.remote(seat.index, name)  # type: ignore[attr-defined]
        self._call(seat, seat.actor.load.remote(self._make), ())

    def _call(self, seat: _Seat, answer: Any, tickets: Sequence[int]) -> None:
        seat.calls.append(_Call(time.monotonic(), answer, tuple(tickets)))

    def choose(self) -> int:
        """The least busy one; where all are busy, a new one if there may be one."""
        least = min(self._seats, key=lambda s: (len(s.calls), s.index))
        if len(least.calls) > BUSY and len(self._seats) < self._most:
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
                ray.kill(seat.actor)
                yield self._replace(seat)

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
            self._lost_in_a_row = 0 if call.tickets else self._lost_in_a_row + 1
            if self._lost_in_a_row >= MOST_LOST_IN_A_ROW:
                raise RaypipeError("collectors die again and again; see Ray's logs") from error
            yield self._replace(seat)
        else:
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

    def _replace(self, seat: _Seat) -> CollectorLost:
        lost = CollectorLost(seat.index, None, seat.calls[0].tickets)
        seat.calls.clear()
        self._occupy(seat)
        return lost

    def close(self, wait_s: float) -> None:
        """Let the collectors put away what is unfinished."""
        refs = [seat.actor.close.remote() for seat in self._seats]
        if refs:
            ray.wait(refs, num_returns=len(refs), timeout=wait_s)
        for seat in self._seats:
            ray.kill(seat.actor)
