"""The two Ray actors, each a thin shell around the plain class that does the work.

They hold nothing that a result depends on. Loading happens in a method, not in
the constructor: an error there then reaches the driver as its own type.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import ray

from raypipe.execution.events import Collects, Steps
from raypipe.execution.limits import allow_many_files, keep_memory
from raypipe.types import Collected, FrameBatch, Piece


@ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)
class WorkerActor:
    """Steps batches; one for each CPU."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._worker: Steps | None = None

    def __repr__(self) -> str:
        return f"raypipe-{self._name}"

    def load(self, make: Callable[[str], Steps]) -> int:
        """Load the model; give the process id."""
        allow_many_files()
        keep_memory()
        self._worker = make(self._name)
        return os.getpid()

    def step(self, batch: FrameBatch, collectors: tuple[int, ...]) -> Any:
        """Facts, then one list of pieces for each of the collectors, as separate objects."""
        assert self._worker is not None, "load() comes first"
        result, pieces = self._worker.step(batch)
        return (result, *(pieces.get(index, []) for index in collectors))


@ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)
class CollectorActor:
    """Writes pieces in the order in which the driver hands them over."""

    def __init__(self, index: int, name: str) -> None:
        self._index, self._name = index, name
        self._collector: Collects | None = None

    def __repr__(self) -> str:
        return f"raypipe-{self._name}"

    def load(self, make: Callable[[int, str], Collects]) -> int:
        """Get ready to write; give the process id."""
        allow_many_files()
        keep_memory()
        self._collector = make(self._index, self._name)
        return os.getpid()

    def take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        """See `Collects.take`."""
        assert self._collector is not None, "load() comes first"
        return self._collector.take(pieces, drop)

    def close(self) -> None:
        """Put away what is unfinished."""
        if self._collector is not None:
            self._collector.close()
