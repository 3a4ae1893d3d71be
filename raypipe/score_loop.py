"""The loop of a scoring run: files to workers, rows to the report.

Comes in: what is to be measured, an executor. Goes out: each file's one row, to the report and to
who looks on. The schedule is a run's own; there are no segments and no collectors.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from raypipe.errors import TooManyFailures
from raypipe.execution.events import (
    BatchDone,
    Event,
    Executor,
    WorkerLost,
    WorkerReady,
    WorkerRetired,
)
from raypipe.execution.scorer import ScoreJob
from raypipe.plan.collisions import Listed
from raypipe.plan.deadlines import PATIENCE_S, STORE_PATIENCE_S
from raypipe.plan.route import Route
from raypipe.plan.scan import scan
from raypipe.plan.schedule import Schedule
from raypipe.results.scores import ScoreReport
from raypipe.settings import RunSettings
from raypipe.storage import is_address
from raypipe.telemetry import Progress
from raypipe.types import AudioFile, Failed, FrameBatch, Scored

WAIT_S = 0.5
"""Longest wait for an event, so that progress is told and Ctrl-C is heard."""

DEEP_S = 600.0
"""More for DNSMOS, PESQ and STOI: their work on one file is bounded, see `Scorer`."""

SLOWEST_BYTES_PER_SECOND = 20_000
"""Slowest reading and measuring: ten times real time for 16 kbit/s."""


class ScoreWatch(Protocol):
    """Somebody who looks on."""

    def progress(self, progress: Progress) -> None:
        """Called often; must return at once."""

    def outcome(self, outcome: Scored | Failed) -> None:
        """Called once for each file."""

    def note(self, text: str) -> None:
        """Something that a person may want to know."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be measured, and how."""

    route: Route
    settings: RunSettings
    job: ScoreJob
    listed: Listed

    @property
    def deep(self) -> bool:
        """True where measures are wanted that cost much more than reading."""
        return self.job.reference is not None or self.job.networks is not None


class ScoreLoop:
    """Feeds workers, reads events; each file ends in exactly one row."""

    def __init__(
        self, work: Work, executor: Executor, report: ScoreReport, watch: ScoreWatch | None
    ) -> None:
        self._work, self._executor, self._report, self._watch = work, executor, report, watch
        self._schedule = Schedule(1, executor.workers)
        self._todo: Iterator[AudioFile | Failed] | None = scan(work.route, work.settings)
        self._has: dict[str, int] = {}
        self._order: dict[int, int] = {}
        self._listed = 0
        self._ready_s: float | None = None
        self._progress = Progress(listed=work.listed.files, total_bytes=work.listed.bytes)
        self._progress.all_listed = work.listed.complete

    def run(self) -> None:
        """Go on until every file has its row."""
        while True:
            self._schedule.workers = self._executor.workers
            self._open_files()
            self._feed_workers()
            if self._todo is None and not len(self._schedule):
                break
            for event in self._executor.events(WAIT_S):
                self._take(event)
            self._tell()
        self._tell()

    def _open_files(self) -> None:
        most = (self._executor.depth + 1) * self._schedule.workers
        while self._todo is not None and len(self._schedule) < most:
            item = next(self._todo, None)
            if item is None:
                self._todo = None
                self._progress.all_listed = True
                return
            self._listed += 1
            if isinstance(item, Failed):
                self._end(item, self._listed)
                continue
            if self._listed > self._work.listed.files:
                self._progress.listed += 1
                self._progress.total_bytes += item.size
            self._order[self._schedule.opened(item, 0)] = self._listed

    def _feed_workers(self) -> None:
        for depth in range(self._executor.depth):
            for worker, count in self._has.items():
                if count <= depth and (batch := self._schedule.take(worker)):
                    self._has[worker] += 1
                    self._executor.submit(worker, batch, self._timeout_s(batch))

    def _timeout_s(self, batch: FrameBatch) -> float:
        if self._work.settings.timeout_s is not None:
            return self._work.settings.timeout_s
        file = batch.segments[0].file
        far = any(map(is_address, filter(None, (file.path, self._work.job.reference))))
        patience_s = PATIENCE_S + STORE_PATIENCE_S * far + DEEP_S * self._work.deep
        return patience_s + file.size / SLOWEST_BYTES_PER_SECOND

    def _take(self, event: Event) -> None:
        if isinstance(event, WorkerReady):
            self._ready_s = self._ready_s or time.monotonic()
            self._has[event.worker] = 0
        elif isinstance(event, BatchDone):
            if event.worker in self._has:  # else it has retired
                self._has[event.worker] -= 1
            self._measured(event)
        elif isinstance(event, WorkerLost | WorkerRetired):
            self._has.pop(event.worker, None)
            self._schedule.forget_worker(event.worker)
            if isinstance(event, WorkerLost):
                lost = self._schedule.lost(
                    event.running, event.waiting, event.why, node_lost=event.node_lost
                )
                self._fail(lost)
        else:
            raise AssertionError(f"{type(event).__name__} without a collector")

    def _measured(self, event: BatchDone) -> None:
        rows = self._executor.fetch(event.result.number)
        batch = self._schedule.batch(event.result.number)
        assert batch is not None, "was sent"
        self._fail(self._schedule.stepped(event.result))
        (segment,) = batch.segments
        if segment.ticket not in self._schedule:
            return
        if rows is None:  # went with its node after it was made
            again = self._schedule.reopen(segment.ticket, 0)
            assert isinstance(again, int), "no collector has a strike against it"
            self._order[again] = self._order.pop(segment.ticket)
            return
        self._schedule.closed(segment.ticket)
        for row in rows:
            self._progress.opened_bytes += row.file.size
            self._progress.known_s += row.frames / row.info.rate_hz
            self._progress.audio_s += row.frames / row.info.rate_hz
            self._end(row, self._order.pop(segment.ticket))

    def _fail(self, files: list[Failed]) -> None:
        gone = [ticket for ticket in self._order if ticket not in self._schedule]
        for failed, ticket in zip(files, gone, strict=True):
            self._end(failed, self._order.pop(ticket))

    def _end(self, outcome: Scored | Failed, order: int) -> None:
        """The one place where a file gets its row."""
        self._report.add(outcome, order)
        if isinstance(outcome, Failed):
            self._progress.failed += 1
            self._progress.total_bytes -= outcome.file.size
        else:
            self._progress.done += 1
        if self._watch is not None:
            self._watch.outcome(outcome)
        most = self._work.settings.max_failures
        if most is not None and self._report.failed >= most:
            raise TooManyFailures(f"stopped: {most} files have failed (--max-failures {most})")

    def _tell(self) -> None:
        if self._ready_s is not None:
            self._progress.working_s = time.monotonic() - self._ready_s
        if self._watch is not None:
            self._watch.progress(self._progress)
