"""A worker's place in the pool: its actor, how far that has come, the batches it has.

::

    asked for ──► arrived on a node ──► model loaded ──► steps batches ──► (leaving)
                  `arriving` answers    `loading` answers
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray

from raypipe.execution.actors import Arrival, WorkerActor
from raypipe.execution.events import Steps
from raypipe.execution.growth import Growth
from raypipe.execution.shipping import Shipped
from raypipe.execution.sight import Sight


@dataclass(frozen=True, slots=True)
class Terms:
    """What every worker of a run is started with."""

    make: Callable[..., Steps]
    """Builds a worker, given its name; pickled to the actors."""
    label: str = ""
    """The model's name, for people."""
    run: str = ""
    """The run's id; with it, actors have names."""
    memory_bytes: int = 0
    """What a worker declares; 0: nothing."""
    sight: Sight | None = None
    """What its node must see."""
    model: Shipped | None = None
    content: Any = None
    """Reference to the model's bytes."""


@dataclass(slots=True)
class Call:
    """A batch that a worker has."""

    number: int
    facts: Any
    """Reference to the `BatchResult`."""
    sound: dict[int, Any]
    """Reference to the pieces, by collector."""
    timeout_s: float
    since_s: float = 0.0
    """When it came to the head of the queue (monotonic clock)."""


@dataclass(slots=True)
class Seat:
    """Its actor changes when it is lost or has grown too large."""

    index: int
    generation: int = 0
    actor: Any = None
    arriving: Any = None
    """Reference to the answer of `arrive`; None once it has answered."""
    loading: Any = None
    """Reference to the answer of `load`; None once it has answered."""
    since_s: float = 0.0
    """When it was asked for, or arrived (monotonic clock)."""
    arrival: Arrival | None = None
    calls: deque[Call] = field(default_factory=deque)
    growth: Growth = field(default_factory=Growth)
    leaving: bool = False
    """True where it gets no further batches and is replaced after those that it has."""

    @property
    def name(self) -> str:
        """As reports name it."""
        again = f".{self.generation}" if self.generation > 1 else ""
        return f"worker-{self.index}{again}"

    @property
    def ready(self) -> bool:
        """True where it has loaded its model."""
        return self.actor is not None and self.loading is None

    def head(self) -> Any:
        """Reference to the next thing that it will answer; None where it has nothing to do."""
        if self.arriving is not None:
            return self.arriving
        if self.loading is not None:
            return self.loading
        return self.calls[0].facts if self.calls else None

    def occupy(self, terms: Terms, placing: dict[str, Any]) -> None:
        """Ask Ray for an actor."""
        self.generation += 1
        options = dict(placing)
        if terms.memory_bytes:
            options["memory"] = terms.memory_bytes
        if terms.run:
            options["name"] = f"raypipe-{terms.run}-{self.name}"
        self.actor = WorkerActor.options(**options).remote(self.name, terms.label)  # type: ignore[attr-defined]
        self.arriving = self.actor.arrive.remote(terms.sight)
        self.loading = self.actor.load.remote(terms.make, terms.model, terms.content)
        self.since_s = time.monotonic()
        self.arrival, self.leaving, self.growth = None, False, Growth()

    def vacate(self) -> list[int]:
        """End the actor, also one that cannot be reached; give the batches that it had."""
        numbers = [call.number for call in self.calls]
        self.calls.clear()
        if self.actor is not None:
            ray.kill(self.actor)
        self.actor = self.arriving = self.loading = None
        return numbers
