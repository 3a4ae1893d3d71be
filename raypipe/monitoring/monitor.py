"""Looks on while the driver works, and tells the boards and the metrics about once a second.

Comes in: events, as the driver reads them. Goes out: documents to the boards,
readings to the sink. Never raises for a board or a sink that fails.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from types import TracebackType
from typing import Any

from raypipe.monitoring.boards import (
    Board,
    ClusterBoard,
    FileBoard,
    MachineBoard,
    Noticeboards,
    status_path,
)
from raypipe.monitoring.metrics import readings
from raypipe.monitoring.ray_metrics import RayMetrics, Sink
from raypipe.monitoring.standing import About, Document, Queues, Standing
from raypipe.telemetry import Progress
from raypipe.types import BatchResult

LOG = logging.getLogger(__name__)

INTERVAL_S = 1.0
"""Between two tellings."""


class Monitor:
    """One run's; a context manager that tells the last of it when the block ends.

    Parameters
    ----------
    about : About
        What does not change in the run.
    totals : dataclass instance
        The report's totals, which go on counting.
    begin_s : float
        When the run began (monotonic clock).
    boards : sequence of Board
        Where ``raypipe top`` will look.
    sink : Sink or None
        Where metrics go; None: nowhere.
    """

    def __init__(
        self,
        about: About,
        totals: Any,
        begin_s: float,
        boards: Sequence[Board] = (),
        sink: Sink | None = None,
    ) -> None:
        self._standing = Standing(about, begin_s)
        self._totals = totals
        self._boards = Noticeboards(boards)
        self._sink = sink
        self._progress, self._queues = Progress(), Queues()
        self._batches_s: list[float] = []
        self._next_s = 0.0
        self._warned = False

    def ready(self, worker: str) -> None:
        """A worker has loaded the model."""
        self._standing.ready(worker)

    def stepped(self, worker: str, result: BatchResult) -> None:
        """A worker has stepped a batch."""
        self._standing.stepped(worker, result)
        if self._sink is not None:
            self._batches_s.append(sum(result.busy_s.values()))

    def lost(self, worker: str) -> None:
        """A worker is gone."""
        self._standing.lost(worker)

    def look(self, progress: Progress, queues: Callable[[], Queues]) -> None:
        """Called often; asks for the queues and tells the others only when it is time."""
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + INTERVAL_S
            self._progress, self._queues = progress, queues()
            document = self._document()
            self._boards.put(document)
            self._show(document)

    def _document(self) -> Document:
        return self._standing.document(asdict(self._totals), self._progress, self._queues)

    def _show(self, document: Document) -> None:
        if self._sink is None:
            return
        batches_s, self._batches_s = self._batches_s, []
        try:
            self._sink.show(readings(document), batches_s)
        except Exception:  # who looks on must not end the run
            if not self._warned:
                self._warned = True
                LOG.warning("metrics cannot be handed to Ray; the report has them", exc_info=True)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._queues = Queues()
        self._show(self._document())
        self._boards.close()


def start_monitor(
    about: About, totals: Any, begin_s: float, private: str | None, *, watched: bool
) -> Monitor:
    """A run's monitor, with the boards and the sink that it should have.

    Parameters
    ----------
    about, totals, begin_s
        See `Monitor`.
    private : str or None
        The output's private folder; None, or where it is no folder: no file stands there.
    watched : bool
        True where somebody may look at the metrics of the Ray that this process is connected to.
    """
    boards: list[Board] = [MachineBoard(about.run)]
    if private is not None and os.path.isdir(private):
        boards.append(FileBoard(status_path(private)))
    sink = None
    if watched:
        boards.append(ClusterBoard(about.run))
        sink = RayMetrics({"run": about.run, "model": about.model})
    return Monitor(about, totals, begin_s, boards, sink)
