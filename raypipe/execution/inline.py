"""The executor without Ray: one worker and one collector in this process.

A peer of `RayExecutor`: the same words, the same bytes. It starts at once and
is what small jobs and most tests use. What it cannot do is outlive a decoder
or a model that kills or hangs the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raypipe.execution.events import (
    BatchDone,
    Collects,
    Event,
    SoundCollected,
    Steps,
    WorkerReady,
)
from raypipe.execution.limits import allow_many_files
from raypipe.types import FrameBatch

NAME = "inline"


class InlineExecutor:
    """Runs each batch when events are asked for.

    Parameters
    ----------
    make_worker : callable
        Builds the worker, given its name.
    make_collector : callable, optional
        Builds the collector, given its index and a name; without one, see `fetch`.
    """

    depth = 1
    workers = 1
    watched = False

    def __init__(
        self,
        make_worker: Callable[[str], Steps],
        make_collector: Callable[[int, str], Collects] | None = None,
    ) -> None:
        self._make_worker = make_worker
        self._make_collector = make_collector
        self._worker: Steps | None = None
        self._collector: Collects | None = None
        self._batches: deque[FrameBatch] = deque()
        self._sound: dict[int, Mapping[int, Sequence[Any]]] = {}
        self._events: list[Event] = []

    def start(self) -> None:
        """Load the model and say that the worker is ready."""
        allow_many_files()
        self._worker = self._make_worker(NAME)
        if self._make_collector is not None:
            self._collector = self._make_collector(0, NAME)
        self._events.append(WorkerReady(NAME))

    def choose_collector(self) -> int:
        """There is one."""
        return 0

    def submit(self, worker: str, batch: FrameBatch, timeout_s: float) -> None:
        """Queue the batch; no deadline can be held in one's own process."""
        self._batches.append(batch)

    def collect(self, number: int, drop: Sequence[int]) -> None:
        """Write the batch's sound now."""
        pieces = [piece for part in self._sound.pop(number).values() for piece in part]
        self._take(pieces, drop)

    def fetch(self, number: int) -> list[Any]:
        """What the worker has made of a batch."""
        return [one for part in self._sound.pop(number).values() for one in part]

    def drop(self, collector: int, ticket: int) -> None:
        """Let the collector forget a file."""
        self._take([], (ticket,))

    def _take(self, pieces: list[Any], drop: Sequence[int]) -> None:
        assert self._collector is not None, "start() comes first"
        answers = self._collector.take(pieces, drop)
        if answers:
            self._events.append(SoundCollected(tuple(answers)))

    def backlog(self) -> int:
        """Nothing waits: sound is written when it is collected."""
        return 0

    def events(self, wait_s: float) -> list[Event]:
        """Step one batch, if any is queued and nothing else is to be told first."""
        if not self._events and self._batches:
            assert self._worker is not None, "start() comes first"
            batch = self._batches.popleft()
            result, self._sound[batch.number] = self._worker.step(batch)
            self._events.append(BatchDone(NAME, result))
        events, self._events = self._events, []
        return events

    def facts(self) -> dict[str, object]:
        """One worker, in this process."""
        return {"workers": self.workers}

    def close(self) -> None:
        """Put away what is unfinished."""
        if self._worker is not None:
            self._worker.close()
        if self._collector is not None:
            self._collector.close()
