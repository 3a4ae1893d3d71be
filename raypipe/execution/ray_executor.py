"""The executor on Ray: a pool of workers, a pool of collectors, one place to wait.

Work in flight is bounded by the driver, which submits no more than `depth`
batches a worker and looks at `backlog`; samples go from worker to collector
through Ray's object store and never through the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import ray
from ray.exceptions import RayError

from raypipe.execution.cluster import ray_session
from raypipe.execution.collector_pool import CollectorPool
from raypipe.execution.events import BatchDone, Collects, Event, Steps, WorkerLost
from raypipe.execution.worker_pool import WorkerPool
from raypipe.types import FrameBatch

CLOSE_S = 5.0
"""Collectors get so long to put away unfinished files."""


class RayExecutor:
    """Runs batches on Ray actors.

    Parameters
    ----------
    make_worker : callable
        Builds a worker, given its name.
    make_collector : callable
        Builds a collector, given its index and a name.
    workers : int or None
        Number of workers; None: one for each CPU of the cluster.
    address : str or None
        Cluster to attach to; None: a local Ray of our own.
    local_workers : int
        Workers of a local Ray, where `workers` does not say.
    dashboard : callable, optional
        See `ray_session`.
    """

    depth = 2

    def __init__(
        self,
        make_worker: Callable[[str], Steps],
        make_collector: Callable[[int, str], Collects],
        workers: int | None,
        address: str | None,
        local_workers: int = 1,
        dashboard: Callable[[str], None] | None = None,
    ) -> None:
        self._makers = make_worker, make_collector
        self._stack = ExitStack()
        self._address = address
        self._asked_workers = workers
        self._local_workers = local_workers
        self._dashboard = dashboard
        self.watched = dashboard is not None or address is not None or ray.is_initialized()
        self.workers = workers or 1
        self._sound: dict[int, tuple[dict[int, Any], dict[int, tuple[int, ...]]]] = {}
        self._tickets: dict[int, dict[int, tuple[int, ...]]] = {}
        self._workers = WorkerPool(make_worker, 0)
        self._collectors = CollectorPool(make_collector, 0)

    def start(self) -> None:
        """Connect to Ray and begin to start the actors."""
        local = self._asked_workers or self._local_workers
        cpus = self._stack.enter_context(ray_session(self._address, local, self._dashboard))
        self.workers = self._asked_workers or cpus
        make_worker, make_collector = self._makers
        self._workers = WorkerPool(make_worker, self.workers)
        self._collectors = CollectorPool(make_collector, self.workers)
        self._collectors.start()
        self._workers.start()

    def choose_collector(self) -> int:
        """See `CollectorPool.choose`."""
        return self._collectors.choose()

    def submit(self, worker: str, batch: FrameBatch, timeout_s: float) -> None:
        """Queue a batch behind those that the worker already has."""
        tickets: dict[int, tuple[int, ...]] = {}
        for segment in batch.segments:
            have = tickets.get(segment.collector, ())
            tickets[segment.collector] = (*have, segment.ticket)
        self._tickets[batch.number] = tickets
        self._workers.submit(worker, batch, timeout_s)

    def collect(self, number: int, drop: Sequence[int]) -> None:
        """Hand the batch's sound, by reference, to its collectors."""
        sound, tickets = self._sound.pop(number)
        for index, ref in sound.items():
            gone = [ticket for ticket in tickets[index] if ticket in drop]
            self._collectors.take(index, ref, tickets[index], gone)

    def drop(self, collector: int, ticket: int) -> None:
        """Let a collector forget a file."""
        self._collectors.take(collector, [], (), (ticket,))

    def backlog(self) -> int:
        """Calls to collectors that are not answered yet."""
        return self._collectors.backlog()

    def events(self, wait_s: float) -> list[Event]:
        """What has happened; waits at most `wait_s`, or until the first deadline."""
        refs = [*self._workers.pending(), *self._collectors.pending()]
        arrived: list[Any] = []
        if refs:
            patience_s = max(0.0, min(wait_s, self._workers.patience_s()))
            arrived, waiting = ray.wait(refs, num_returns=1, timeout=patience_s)
            if waiting:
                arrived += ray.wait(waiting, num_returns=len(waiting), timeout=0)[0]
        events: list[Event] = []
        for event, sound in self._workers.answers(set(arrived)):
            if isinstance(event, BatchDone):
                number = event.result.number
                self._sound[number] = sound, self._tickets.pop(number)
            elif isinstance(event, WorkerLost):
                for lost in (event.running, *event.waiting):
                    self._tickets.pop(lost or 0, None)
            events.append(event)
        events.extend(self._collectors.answers(set(arrived)))
        return events

    def close(self) -> None:
        """Stop the actors, and Ray if it is ours."""
        try:
            self._workers.close()
            self._collectors.close(CLOSE_S)
        except RayError:
            pass  # Ray itself is gone: nothing is left to be stopped
        finally:
            self._stack.close()
