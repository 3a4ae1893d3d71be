"""A run's standing as the driver would tell it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from raypipe.monitoring.metrics import Reading
from raypipe.monitoring.standing import About, Document, Queues, Standing
from raypipe.results.report import Totals
from raypipe.telemetry import Progress
from raypipe.types import BatchResult

ABOUT = About("0123456789ab", "recurrent", "/out", 8)
TOTALS = Totals(
    files=12, done=7, skipped=3, failed=2, audio_s=70.25, x_real_time=35.5,
    busy_s={"read": 0.25, "step": 1.5}, publish_s=0.125, lane_s=80.0, longest_s=20.0,
    audio_in_s=80.5, batches=5, lost_batches=3, reopened_files=1, worker_restarts=2,
    collector_restarts=1, retired_workers=4,
)  # fmt: skip
PROGRESS = Progress(
    done=7, skipped=3, failed=2, listed=20, all_listed=True, audio_s=80.5, known_s=100.0,
    opened_bytes=500, total_bytes=1000, working_s=2.0,
)  # fmt: skip
QUEUES = Queues(open_files=4, segments=3, batches=2, writes=1)
RESULT = BatchResult(1, (), {"read": 0.1, "step": 0.4}, 16.0, 4.0, 210_000_000)


def document(**changed: Any) -> Document:
    standing = Standing(ABOUT, time.monotonic() - 4.0)
    standing.ready("worker-1")
    standing.ready("worker-2")
    standing.stepped("worker-1", RESULT)
    standing.stepped("worker-1", RESULT)
    return standing.document(asdict(TOTALS), PROGRESS, QUEUES) | changed


class Kept:
    """A sink that keeps what it is shown."""

    def __init__(self) -> None:
        self.shown: list[list[Reading]] = []
        self.batches_s: list[float] = []

    def show(self, readings: Iterable[Reading], batches_s: Sequence[float]) -> None:
        self.shown.append(list(readings))
        self.batches_s += batches_s

    def last(self) -> dict[tuple[str, ...], float]:
        """Values by name and labels' values."""
        return {(r.name, *(value for _, value in r.labels)): r.value for r in self.shown[-1]}
