"""Where a run stands, as one document that JSON takes.

Comes in: the facts of each batch, the report's totals, the lengths of the
queues. Goes out: the document that ``raypipe top`` shows and that the metrics
are made of, so that both say what the report says. It is kept by the driver
alone: a worker that is killed takes no count with it. ::

    {"run", "model", "output", "host", "pid", "updated_unix_s", "elapsed_s", "lanes",
     "open_files", "driver_rss_bytes",
     "totals": {as in the report},
     "progress": {"listed", "all_listed", "audio_s", "total_s", "left_s", "x_real_time"},
     "queues": {"segments", "batches", "writes"},
     "workers": [{"name", "batches", "busy_s": {by part}, "ready_s", "lane_s", "longest_s",
                  "rss_bytes"}]}
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from raypipe.telemetry import Progress, add_up, resident_bytes
from raypipe.types import BatchResult

Document: TypeAlias = dict[str, Any]
"""See the module's head."""


@dataclass(frozen=True, slots=True)
class About:
    """What does not change in a run."""

    run: str
    """Id of the run; new for each."""
    model: str
    """Name in the model's card."""
    output: str
    """OUT, as a person would name it."""
    lanes: int
    """Lanes that a batch should have."""


@dataclass(frozen=True, slots=True)
class Queues:
    """What waits."""

    open_files: int = 0
    """Files between their first segment and their outcome."""
    segments: int = 0
    """Segments that no worker has."""
    batches: int = 0
    """Batches that workers have."""
    writes: int = 0
    """Calls to collectors that are not answered yet."""


@dataclass(slots=True)
class WorkerStanding:
    """What the batches of one worker have told."""

    name: str
    since_s: float
    """When it was ready (monotonic clock)."""
    batches: int = 0
    busy_s: dict[str, float] = field(default_factory=dict)
    """Seconds by part of the work."""
    lane_s: float = 0.0
    """Seconds of sound stepped, all lanes."""
    longest_s: float = 0.0
    """Seconds of the longest lane of each batch, all batches."""
    rss_bytes: int = 0
    """Resident memory after its last batch."""

    def take(self, result: BatchResult) -> None:
        """Add one batch's facts."""
        self.batches += 1
        self.busy_s = add_up((self.busy_s, result.busy_s))
        self.lane_s += result.lane_s
        self.longest_s += result.longest_s
        self.rss_bytes = result.rss_bytes


class Standing:
    """Keeps what a document is made of.

    Parameters
    ----------
    about : About
        What does not change.
    begin_s : float
        When the run began (monotonic clock).
    """

    def __init__(self, about: About, begin_s: float) -> None:
        self.about = about
        self._begin_s = begin_s
        self._workers: dict[str, WorkerStanding] = {}

    def ready(self, worker: str) -> None:
        """A worker has loaded the model."""
        self._workers[worker] = WorkerStanding(worker, time.monotonic())

    def stepped(self, worker: str, result: BatchResult) -> None:
        """A worker has stepped a batch."""
        if worker in self._workers:
            self._workers[worker].take(result)

    def lost(self, worker: str) -> None:
        """A worker is gone; what it did stays in the totals."""
        self._workers.pop(worker, None)

    def document(self, totals: Mapping[str, Any], progress: Progress, queues: Queues) -> Document:
        """All that is known now.

        Parameters
        ----------
        totals : mapping
            The report's, by name.
        progress : Progress
            How far the run is.
        queues : Queues
            What waits.
        """
        now_s = time.monotonic()
        waiting = asdict(queues)
        return {
            "run": self.about.run,
            "model": self.about.model,
            "output": self.about.output,
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "updated_unix_s": time.time(),
            "elapsed_s": now_s - self._begin_s,
            "lanes": self.about.lanes,
            "open_files": waiting.pop("open_files"),
            "driver_rss_bytes": resident_bytes(),
            "totals": dict(totals),
            "progress": {
                "listed": progress.listed,
                "all_listed": progress.all_listed,
                "audio_s": progress.audio_s,
                "total_s": progress.total_s,
                "left_s": progress.left_s,
                "x_real_time": progress.x_real_time,
            },
            "queues": waiting,
            "workers": [_worker_facts(worker, now_s) for worker in self._workers.values()],
        }


def _worker_facts(worker: WorkerStanding, now_s: float) -> Document:
    return {
        "name": worker.name,
        "batches": worker.batches,
        "busy_s": dict(worker.busy_s),
        "ready_s": now_s - worker.since_s,
        "lane_s": worker.lane_s,
        "longest_s": worker.longest_s,
        "rss_bytes": worker.rss_bytes,
    }
