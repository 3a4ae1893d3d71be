"""The collectors of a Ray run: one at first, more when writing falls behind.

Each file stays with one collector. A collector that is lost takes its
unpublished files with it; another takes its place at once, and the driver
begins those files again.
"""

from __future__ import annotations

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

MOST_LOST_IN_A_ROW = 5
"""Collectors lost without one answer in between; then it is not bad luck."""


@dataclass(slots=True)
class _Call:
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
        seat.calls.append(_Call(seat.actor.load.remote(self._make), ()))

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
        seat.calls.append(_Call(seat.actor.take.remote(sound, tuple(drop)), tuple(tickets)))

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

    def _answered(self, seat: _Seat) -> Iterator[Event]:
        call = seat.calls.popleft()
        try:
            answers = ray.get(call.answer)
        except SOUND_LOST:
            yield CollectorLost(seat.index, call.tickets)
        except RayTaskError as error:
            cause = cause_of(error)
            if not isinstance(cause, SOUND_LOST):
                raise cause from None
            yield CollectorLost(seat.index, call.tickets)
        except PROCESS_LOST as error:
            self._lost_in_a_row += 1
            if self._lost_in_a_row >= MOST_LOST_IN_A_ROW:
                raise RaypipeError("collectors die again and again; see Ray's logs") from error
            seat.calls.clear()
            self._occupy(seat)
            yield CollectorLost(seat.index, None, call.tickets)
        else:
            if call.tickets:
                self._lost_in_a_row = 0
            if isinstance(answers, list) and answers:
                yield SoundCollected(tuple(answers))

    def close(self, wait_s: float) -> None:
        """Let the collectors put away what is unfinished."""
        refs = [seat.actor.close.remote() for seat in self._seats]
        ray.wait(refs, num_returns=len(refs), timeout=wait_s)
