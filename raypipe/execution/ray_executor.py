"""The executor on Ray: a pool of workers, a pool of collectors, one place to wait.

Work in flight is bounded by the driver, which submits no more than `depth`
batches a worker and looks at `backlog`; samples go from worker to collector
through Ray's object store and never through the driver. On a cluster the number
of workers follows its CPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayError

from raypipe.execution.cluster import ray_session
from raypipe.execution.collector_pool import CollectorPool
from raypipe.execution.events import BatchDone, Collects, Event, Steps, WorkerLost
from raypipe.execution.losses import GOES_ON, PROCESS_LOST, SOUND_LOST, broken_ray
from raypipe.execution.nodes import Nodes
from raypipe.execution.seat import Terms
from raypipe.execution.shipping import ship
from raypipe.execution.sight import Sight, check_nodes
from raypipe.execution.worker_pool import WorkerPool
from raypipe.inference.model_file import ModelFile
from raypipe.types import FrameBatch

CLOSE_S = 5.0
"""Collectors get so long to put away unfinished files."""


@dataclass(frozen=True, slots=True)
class Crew:
    """How many workers, and what a cluster is told of them."""

    asked: int | None = None
    """Exactly so many; None: as many as the cluster has CPUs, whenever that changes."""
    most: int | None = None
    """No more than these, where `asked` does not say."""
    local: int = 1
    """As many on a Ray of our own, where `asked` does not say."""
    memory_bytes: int = 0
    """What each declares; 0: nothing."""
    model: ModelFile | None = None
    """What they load; its bytes go to other nodes."""
    run: str = ""
    """The run's id; with it, actors have names."""
    see: Callable[[], Sight] | None = None
    """Gives what every node must see."""
    comes_to: str = GOES_ON
    """What is said of the work so far where the cluster is lost."""

    def count(self, cpus: int) -> int:
        """Workers wanted where there are so many CPUs; one even where there is none yet."""
        if self.asked is not None:
            return self.asked
        return max(1, min(cpus, self.most or cpus))


class RayExecutor:
    """Runs batches on Ray actors.

    Parameters
    ----------
    make_worker : callable
        Builds a worker, given its name.
    make_collector : callable or None
        Builds a collector, given its index and a name; None: there are none, see `fetch`.
    address : str or None
        Cluster to attach to; None: a local Ray of our own.
    crew : Crew
        How many workers, and their terms.
    dashboard : callable, optional
        See `ray_session`.
    """

    depth = 2

    def __init__(
        self,
        make_worker: Callable[..., Steps],
        make_collector: Callable[[int, str], Collects] | None,
        address: str | None = None,
        crew: Crew | None = None,
        dashboard: Callable[[str], None] | None = None,
    ) -> None:
        self._makers = make_worker, make_collector
        self._stack = ExitStack()
        self._address = address
        self._crew = crew or Crew()
        self._dashboard = dashboard
        self.watched = dashboard is not None or address is not None or ray.is_initialized()
        self._sound: dict[int, tuple[dict[int, Any], dict[int, tuple[int, ...]]]] = {}
        self._tickets: dict[int, dict[int, tuple[int, ...]]] = {}
        self._nodes: Nodes | None = None
        self._workers = WorkerPool(make_worker, 0)
        self._collectors: CollectorPool | None = None

    @property
    def workers(self) -> int:
        """Workers that are at work, or may be soon."""
        return self._workers.expected

    def start(self) -> None:
        """Connect to Ray, look at the nodes, and begin to start the actors.

        Raises
        ------
        UsageError
            If there is no Ray, or a node cannot see what it must.
        """
        crew = self._crew
        local = crew.count(crew.local)
        ours = self._stack.enter_context(ray_session(self._address, local, self._dashboard))
        make_worker, make_collector = self._makers
        terms = Terms(make_worker, crew.model.card.name if crew.model else "", crew.run)
        sight = None
        if ours:
            count = local
        else:
            nodes = self._nodes = Nodes(crew.comes_to)
            sight = crew.see() if crew.see is not None else None
            if sight is not None:
                check_nodes(nodes, sight)
            terms = _on_cluster(terms, crew, nodes, sight)
            count = crew.count(nodes.cpus)
        self._workers = WorkerPool(terms, count, self._nodes)
        if make_collector is not None:
            self._collectors = CollectorPool(make_collector, count, self._nodes, sight, crew.run)
            self._collectors.start()
        self._workers.start()

    def choose_collector(self) -> int:
        """See `CollectorPool.choose`; 0 where there are none."""
        return self._collectors.choose() if self._collectors is not None else 0

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
        assert self._collectors is not None, "there are none: fetch() is meant"
        sound, tickets = self._sound.pop(number)
        for index, ref in sound.items():
            gone = [ticket for ticket in tickets[index] if ticket in drop]
            self._collectors.take(index, ref, tickets[index], gone)

    def fetch(self, number: int) -> list[Any] | None:
        """What the worker has made of a batch; None where its node took it along."""
        sound, _ = self._sound.pop(number)
        try:
            return [one for part in ray.get(list(sound.values())) for one in part]
        except (*PROCESS_LOST, *SOUND_LOST):
            return None

    def drop(self, collector: int, ticket: int) -> None:
        """Let a collector forget a file."""
        if self._collectors is not None:
            self._collectors.take(collector, [], (), (ticket,))

    def backlog(self) -> int:
        """Calls to collectors that are not answered yet."""
        return self._collectors.backlog() if self._collectors is not None else 0

    def events(self, wait_s: float) -> list[Event]:
        """What has happened; waits at most `wait_s`, or until the first deadline.

        Raises
        ------
        RaypipeError
            If Ray itself has failed, or workers cannot be had; what a worker or a collector
            raised comes as it is.
        """
        try:
            self._follow_the_cluster()
            return self._events(wait_s)
        except RayError as error:
            raise broken_ray(error, self._crew.comes_to) from error

    def _follow_the_cluster(self) -> None:
        nodes = self._nodes
        if nodes is not None and nodes.due():
            nodes.look()
            nodes.refuse_lost_head()
            count = self._crew.count(nodes.cpus)
            self._workers.resize(count)
            if self._collectors is not None:
                self._collectors.most = count

    def _events(self, wait_s: float) -> list[Event]:
        collectors = self._collectors
        refs = [*self._workers.pending(), *(collectors.pending() if collectors else ())]
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
        if collectors is not None:
            events.extend(collectors.answers(set(arrived)))
        return events

    def facts(self) -> dict[str, object]:
        """Workers now and by node; how many were lost, and recycled for their memory."""
        found: dict[str, object] = {
            "workers": self.workers,
            "workers_lost": self._workers.restarts,
            "workers_recycled": self._workers.recycled,
            "collectors_lost": self._collectors.restarts if self._collectors is not None else 0,
        }
        if self._nodes is not None:
            found["nodes"] = self._workers.by_node()
            found["nodes_left_out"] = sorted(self._nodes.barred.values())
        return found

    def close(self) -> None:
        """Stop the actors, and Ray if it is ours."""
        try:
            if self._nodes is None or not self._nodes.head_lost:
                self._workers.close()
                if self._collectors is not None:
                    self._collectors.close(CLOSE_S)
        except RayError:
            pass  # Ray itself is gone: nothing is left to be stopped
        finally:
            self._stack.close()


def _on_cluster(terms: Terms, crew: Crew, nodes: Nodes, sight: Sight | None) -> Terms:
    """Terms for workers that may stand on other machines than the driver."""
    # No more than the largest node has: a worker must fit somewhere, whatever was estimated.
    memory_bytes = min(crew.memory_bytes, nodes.largest_memory_bytes or crew.memory_bytes)
    terms = replace(terms, sight=sight, memory_bytes=memory_bytes)
    shipped = ship(crew.model, nodes.driver) if crew.model is not None else None
    if shipped is None:
        return terms
    return replace(terms, model=shipped[0], content=shipped[1])
