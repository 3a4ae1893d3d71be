"""What a run comes to while it goes on: totals, progress, and who is told of them.

Comes in: what the loop has seen happen. Goes out: the report's totals, a `Progress`, and a word
to those who look on. Nothing that is counted here changes what is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from raypipe.monitoring.monitor import Monitor
from raypipe.monitoring.standing import Queues
from raypipe.results.report import RunReport
from raypipe.telemetry import Progress, add_up
from raypipe.types import AudioFile, BatchResult, Done, Failed, Outcome, Stepped


class Watch(Protocol):
    """Somebody who looks on."""

    def progress(self, progress: Progress) -> None:
        """Called often; must return at once."""

    def outcome(self, outcome: Outcome) -> None:
        """Called once for each file."""

    def note(self, text: str) -> None:
        """Something that a person may want to know."""


class Tally:
    """One run's.

    Parameters
    ----------
    report : RunReport
        Its outcomes and totals are kept here.
    progress : Progress
        With what is known of the listing before the start.
    begin_s : float
        When the run began (monotonic clock).
    watch : Watch, optional
        Is told of progress and outcomes.
    monitor : Monitor, optional
        Is told of batches, workers and queues.
    """

    def __init__(
        self,
        report: RunReport,
        progress: Progress,
        begin_s: float,
        watch: Watch | None,
        monitor: Monitor | None,
    ) -> None:
        self.totals = report.totals
        self._report, self._progress = report, progress
        self._begin_s, self._watch, self._monitor = begin_s, watch, monitor
        self._listed_before, self._seen = progress.listed, 0
        self._ready_s: float | None = None

    def listed(self, item: AudioFile | Outcome) -> None:
        """One more of the listing: a file to do, or the outcome of one that needs no work."""
        file = item if isinstance(item, AudioFile) else item.file
        self._seen += 1
        if self._seen > self._listed_before:
            self._progress.listed += 1
            self._progress.total_bytes += file.size
        if not isinstance(item, AudioFile):
            self._progress.total_bytes -= file.size

    def all_listed(self) -> None:
        """The listing has ended."""
        self._progress.all_listed = True

    def worker_ready(self, worker: str) -> None:
        """A worker has loaded the model; the first one ends the start-up."""
        self._ready_s = self._ready_s or time.monotonic()
        self.totals.startup_s = self._ready_s - self._begin_s
        if self._monitor is not None:
            self._monitor.ready(worker)

    def worker_retired(self, worker: str) -> None:
        """A worker gets no further batches."""
        self.totals.retired_workers += 1
        if self._monitor is not None:
            self._monitor.lost(worker)

    def worker_lost(self, worker: str, batches: int) -> None:
        """A worker is gone, and so many batches with it."""
        self.totals.worker_restarts += 1
        self.totals.lost_batches += batches
        if self._monitor is not None:
            self._monitor.lost(worker)

    def batch_done(self, worker: str, result: BatchResult) -> None:
        """A batch has been stepped."""
        totals = self.totals
        totals.busy_s = add_up((totals.busy_s, result.busy_s))
        totals.lane_s += result.lane_s
        totals.longest_s += result.longest_s
        totals.batches += 1
        if self._monitor is not None:
            self._monitor.stepped(worker, result)

    def heard(self, file: AudioFile, answer: Stepped, *, first: bool) -> None:
        """A segment of a file has been stepped, the first one or a later one."""
        self._progress.audio_s += answer.read / answer.info.rate_hz
        self.totals.audio_in_s = self._progress.audio_s
        if first:
            self._progress.opened_bytes += file.size
            frames = answer.info.frames if answer.info.frames is not None else answer.read
            self._progress.known_s += frames / answer.info.rate_hz

    def ended(self, outcome: Outcome) -> None:
        """A file has its outcome."""
        self._report.add(outcome)
        if isinstance(outcome, Done):
            self._progress.done += 1
        elif isinstance(outcome, Failed):
            self._progress.failed += 1
        else:
            self._progress.skipped += 1
        if self._watch is not None:
            self._watch.outcome(outcome)

    def tell(self, queues: Callable[[], Queues]) -> None:
        """Let those who look on know how far it is."""
        now_s = time.monotonic()
        if self._ready_s is not None:
            self._progress.working_s = now_s - self._ready_s
            working_s = max(self._progress.working_s, 1e-9)
            self.totals.x_real_time = self.totals.audio_s / working_s
        if self._watch is not None:
            self._watch.progress(self._progress)
        if self._monitor is not None:
            self._monitor.look(self._progress, queues)
