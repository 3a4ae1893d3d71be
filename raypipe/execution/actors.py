"""The two Ray actors, each a thin shell around the plain class that does the work.

They hold nothing that a result depends on. Loading happens in a method, not in
the constructor: an error there then reaches the driver as its own type. How an
actor introduces itself (`__repr__`) Ray asks once, when it is made; what it is at
shows in the names of its calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from raypipe.execution.events import Collects, Steps
from raypipe.execution.limits import allow_many_files, keep_memory
from raypipe.execution.sealed import sealed, unsealed
from raypipe.execution.shipping import Shipped, path_here
from raypipe.execution.sight import Sight, look
from raypipe.types import Collected, FrameBatch, Piece


@dataclass(frozen=True, slots=True)
class Arrival:
    """An actor's first word: it has a place."""

    node: str
    """Ray's id of its node."""
    address: str
    wrong: str
    """What its node cannot see; nothing where all is well."""


def _arrival(sight: Sight | None) -> Arrival:
    context = ray.get_runtime_context()
    wrong = look(sight) if sight is not None else ""
    return Arrival(str(context.get_node_id()), str(ray.util.get_node_ip_address()), wrong)


@ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)
class WorkerActor:
    """Steps batches; one for each CPU."""

    def __init__(self, name: str, label: str = "") -> None:
        self._name, self._label = name, label
        self._worker: Steps | None = None

    def __repr__(self) -> str:
        return _introduction(self._name, self._label)

    def arrive(self, sight: Sight | None) -> Arrival:
        """Say where it is, and whether that node sees what it must."""
        return _arrival(sight)

    def load(self, make: Callable[..., Steps], model: Shipped | None, content: Any) -> int:
        """Load the model; give the process id.

        Parameters
        ----------
        make : callable
            Builds the worker, given its name (and the model's path, where that is another here).
        model : Shipped or None
            Which model `content` holds; None: its path is good everywhere.
        content : array of uint8 or None
            The model's bytes, which Ray brings to each node once.
        """
        allow_many_files()
        keep_memory()
        path = path_here(model, content) if model is not None else None
        self._worker = make(self._name) if path is None else make(self._name, model_path=path)
        return os.getpid()

    def step(self, batch: FrameBatch, collectors: tuple[int, ...]) -> Any:
        """Facts, then one list of pieces for each of the collectors, as separate objects."""
        assert self._worker is not None, "load() comes first"
        result, pieces = self._worker.step(unsealed(batch))
        return (sealed(result), *(pieces.get(index, []) for index in collectors))


@ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)
class CollectorActor:
    """Writes pieces in the order in which the driver hands them over."""

    def __init__(self, index: int, name: str) -> None:
        self._index, self._name = index, name
        self._collector: Collects | None = None

    def __repr__(self) -> str:
        return _introduction(self._name, "")

    def load(self, make: Callable[[int, str], Collects], sight: Sight | None) -> Arrival:
        """Get ready to write, where this node sees the output; say where it is."""
        arrival = _arrival(sight)
        if not arrival.wrong:
            allow_many_files()
            keep_memory()
            self._collector = make(self._index, self._name)
        return arrival

    def take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        """See `Collects.take`."""
        assert self._collector is not None, "load() comes first"
        return self._collector.take(pieces, drop)

    def close(self) -> None:
        """Put away what is unfinished."""
        if self._collector is not None:
            self._collector.close()


def _introduction(name: str, label: str) -> str:
    """As on the dashboard's page of actors: ``raypipe-worker-3 dtln-int8 on 10.0.0.3``."""
    return " ".join(filter(None, (f"raypipe-{name}", label, "on", ray.util.get_node_ip_address())))
