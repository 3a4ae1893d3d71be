"""What an executor tells the driver, and the few words that both executors speak.

The driver submits batches and reads events; it never sees samples. Whether a lost
worker is replaced, and when, is the executor's business: a new one says that it is ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from raypipe.types import BatchResult, Collected, FrameBatch, Piece


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker has loaded the model and takes batches."""

    worker: str


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A worker has stepped a batch; its sound waits for `Executor.collect`."""

    worker: str
    result: BatchResult


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker is gone."""

    worker: str
    running: int | None
    """Number of the batch that it was at, the suspect; None where it was idle."""
    waiting: tuple[int, ...]
    """Batches that stood behind that one and are beyond suspicion."""
    why: str
    """``crashed`` or ``took longer than 60 s``, for a person."""
    node_lost: bool = False
    """True where its machine went with it, or cannot be reached: the batch is hardly to blame."""


@dataclass(frozen=True, slots=True)
class WorkerRetired:
    """A worker takes no further batches; those that it has are still answered."""

    worker: str


@dataclass(frozen=True, slots=True)
class SoundCollected:
    """A collector has written what one batch (or the end of a file) gave it."""

    answers: tuple[Collected, ...]


@dataclass(frozen=True, slots=True)
class CollectorLost:
    """A collector is gone with all that it had not published, or a batch's sound is."""

    collector: int
    tickets: tuple[int, ...] | None
    """Files whose sound is lost; None: all that were this collector's."""
    suspects: tuple[int, ...] = ()
    """Files whose sound it was writing when it died."""


Event: TypeAlias = (
    WorkerReady | BatchDone | WorkerLost | WorkerRetired | SoundCollected | CollectorLost
)


class Steps(Protocol):
    """The worker's side: loads a model once, steps batches."""

    def step(self, batch: FrameBatch) -> tuple[BatchResult, Mapping[int, Sequence[Any]]]:
        """Facts for the driver; and by collector, sound (`Piece`) or what else it is to have."""

    def close(self) -> None:
        """Let go of the files that are open."""


class Collects(Protocol):
    """The collector's side: writes pieces in order, publishes whole files."""

    def take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        """Write pieces; forget the tickets in `drop`; say what was published."""

    def close(self) -> None:
        """Put away whatever is unfinished."""


class Executor(Protocol):
    """Runs batches somewhere. `InlineExecutor` and `RayExecutor` are peers."""

    @property
    def workers(self) -> int:
        """As many as there are or will soon be; known once `start` was called, and may change."""

    watched: bool
    """True where somebody may look at the metrics of this Ray, now or after the run."""

    depth: int
    """Batches that a worker should have at a time, so that it never waits for the driver."""

    def start(self) -> None:
        """Begin to start workers; `WorkerReady` follows for each."""

    def choose_collector(self) -> int:
        """Index of the collector that should get the next opened file."""

    def submit(self, worker: str, batch: FrameBatch, timeout_s: float) -> None:
        """Queue a batch behind those that the worker already has."""

    def collect(self, number: int, drop: Sequence[int]) -> None:
        """Hand a stepped batch's sound to its collectors, but for the tickets in `drop`."""

    def fetch(self, number: int) -> list[Any] | None:
        """Instead of `collect`, where there are no collectors: what the worker has made of a batch,
        once; None where that was lost."""

    def drop(self, collector: int, ticket: int) -> None:
        """Let a collector forget a file that will not be finished."""

    def backlog(self) -> int:
        """Calls to collectors that are not answered yet."""

    def events(self, wait_s: float) -> list[Event]:
        """What has happened; waits at most so long for something to happen."""

    def facts(self) -> dict[str, object]:
        """What the report is to say of where the work was done."""

    def close(self) -> None:
        """Stop everything at once."""
