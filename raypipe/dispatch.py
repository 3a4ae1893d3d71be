"""The loop in the middle of a run: opens files, feeds workers, reads events.

Decides nothing itself: which segments step together is the schedule's word, how
long they may take the deadlines', where they do it the executor's. It keeps the
bounds (open files, batches in flight, sound that waits to be written) and makes
sure that each file ends in exactly one outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from raypipe.errors import TooManyFailures
from raypipe.execution.events import (
    BatchDone,
    CollectorLost,
    Event,
    Executor,
    SoundCollected,
    WorkerLost,
    WorkerReady,
    WorkerRetired,
)
from raypipe.monitoring.monitor import Monitor
from raypipe.monitoring.standing import Queues
from raypipe.plan.collisions import Listed
from raypipe.plan.deadlines import Deadlines
from raypipe.plan.schedule import Schedule
from raypipe.results.report import RunReport
from raypipe.settings import RunSettings
from raypipe.tally import Tally, Watch
from raypipe.telemetry import Progress
from raypipe.types import AudioFile, Collected, Failed, Gap, Outcome, Published, Stepped

WAIT_S = 0.5
"""Longest wait for an event, so that progress is told and Ctrl-C is heard."""

MOST_BACKLOG_EACH = 3
"""Unwritten batches for each worker at which no further batch is sent out."""


class Dispatch:
    """One run's loop.

    Parameters
    ----------
    schedule, executor, report
        Decides, does, remembers.
    todo : iterator
        Files to do, and outcomes of files that need no work.
    settings : RunSettings
        Bounds: `max_failures`, `timeout_s`.
    listed : Listed
        What is known of the listing before the start.
    published : callable
        Gives, by their outputs, the outcomes of those files that a dead collector had still put
        in place.
    begin_s : float
        When the run began (monotonic clock).
    watch : Watch, optional
        Is told of progress and outcomes.
    monitor : Monitor, optional
        Is told of batches, workers and queues.
    """

    def __init__(
        self,
        schedule: Schedule,
        executor: Executor,
        todo: Iterator[AudioFile | Outcome],
        report: RunReport,
        settings: RunSettings,
        listed: Listed,
        published: Callable[[Sequence[AudioFile]], Mapping[str, Outcome]],
        begin_s: float,
        watch: Watch | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self.schedule, self.executor, self.settings = schedule, executor, settings
        self._published = published
        progress = Progress(
            listed=listed.files, total_bytes=listed.bytes, all_listed=listed.complete
        )
        self._tally = Tally(report, progress, begin_s, watch, monitor)
        self._deadlines = Deadlines(settings.timeout_s)
        self._todo: Iterator[AudioFile | Outcome] | None = todo
        self._has: dict[str, int] = {}
        self._collector: dict[int, int] = {}

    def run(self) -> None:
        """Go on until every file has its outcome.

        Raises
        ------
        TooManyFailures
            Once `settings.max_failures` files have failed.
        RaypipeError
            As the executor raises it; files without an outcome stay undone.
        """
        while True:
            self.schedule.workers = self.executor.workers
            self._open_files()
            self._feed_workers()
            if self._todo is None and not len(self.schedule):
                break
            for event in self.executor.events(WAIT_S):
                self._take(event)
            self._tally.tell(self._queues)
        self._tally.tell(self._queues)

    def _open_files(self) -> None:
        enough = self.schedule.workers * self.schedule.lanes
        most_open = (self.executor.depth + 1) * enough
        while self._todo is not None and self.schedule.ready < enough:
            if len(self.schedule) >= most_open:
                return
            item = next(self._todo, None)
            if item is None:
                self._todo = None
                self._tally.all_listed()
                return
            self._tally.listed(item)
            if isinstance(item, AudioFile):
                self._open(item)
            else:
                self._end(item)
                self._tally.tell(self._queues)

    def _open(self, file: AudioFile) -> None:
        collector = self.executor.choose_collector()
        self._collector[self.schedule.opened(file, collector)] = collector

    def _feed_workers(self) -> None:
        behind = self.executor.backlog() > MOST_BACKLOG_EACH * self.schedule.workers
        if behind or not self.schedule.ready:
            return
        for depth in range(self.executor.depth):
            for worker, count in self._has.items():
                if count <= depth and (batch := self.schedule.take(worker)):
                    self._has[worker] += 1
                    self.executor.submit(worker, batch, self._deadlines.timeout_s(batch))

    def _take(self, event: Event) -> None:
        if isinstance(event, BatchDone):
            if event.worker in self._has:  # else it has retired
                self._has[event.worker] -= 1
            self._stepped(event)
        elif isinstance(event, SoundCollected):
            for answer in event.answers:
                if answer.ticket in self.schedule:
                    self._collected(answer)
        elif isinstance(event, WorkerReady):
            self._has[event.worker] = 0
            self._tally.worker_ready(event.worker)
        elif isinstance(event, WorkerRetired):
            self._has.pop(event.worker, None)
            self.schedule.forget_worker(event.worker)
            self._tally.worker_retired(event.worker)
        elif isinstance(event, WorkerLost):
            self._worker_lost(event)
        else:
            self._collector_lost(event)

    def _worker_lost(self, event: WorkerLost) -> None:
        self._has.pop(event.worker, None)
        self._tally.worker_lost(event.worker, (event.running is not None) + len(event.waiting))
        self.schedule.forget_worker(event.worker)
        for failed in self.schedule.lost(
            event.running, event.waiting, event.why, node_lost=event.node_lost
        ):
            self._fail_open(failed)

    def _collected(self, answer: Collected) -> None:
        if isinstance(answer, Gap):  # of a file whose loss was not told before: our own mistake
            raise AssertionError(answer.text)
        if isinstance(answer, Published):
            self._tally.totals.publish_s += answer.publish_s
            self._close(answer.ticket, answer.done)
        else:
            self._close(answer.ticket, Failed(self.schedule.file(answer.ticket), answer.reason))

    def _stepped(self, event: BatchDone) -> None:
        result = event.result
        batch = self.schedule.batch(result.number)
        assert batch is not None, f"batch {result.number} was never sent"
        self._tally.batch_done(event.worker, result)
        self._deadlines.learn(result)
        for segment, answer in zip(batch.segments, result.answers, strict=True):
            if isinstance(answer, Stepped) and answer.ticket in self.schedule:
                self._tally.heard(segment.file, answer, first=segment.info is None)
        for failed in self.schedule.stepped(result):
            self._end(failed)
        gone = [s.ticket for s in batch.segments if s.ticket not in self.schedule]
        for ticket in gone:
            self._collector.pop(ticket, None)
        self.executor.collect(result.number, gone)

    def _collector_lost(self, event: CollectorLost) -> None:
        """Begin its files again, but for those that it had still put in place."""
        tickets = event.tickets
        if tickets is None:
            self._tally.totals.collector_restarts += 1
            tickets = self.schedule.tickets_of(event.collector)
        tickets = tuple(ticket for ticket in tickets if ticket in self.schedule)
        published = self._published([self.schedule.file(ticket) for ticket in tickets])
        for ticket in tickets:
            outcome = published.get(self.schedule.file(ticket).output)
            if outcome is not None:
                self._close(ticket, outcome)
                continue
            collector = self.executor.choose_collector()
            again = self.schedule.reopen(ticket, collector, event.suspects)
            self._collector.pop(ticket, None)
            if isinstance(again, Failed):
                self._end(again)
            else:
                self._collector[again] = collector
                self._tally.totals.reopened_files += 1
            if event.tickets is not None:
                self.executor.drop(event.collector, ticket)

    def _fail_open(self, failed: Failed) -> None:
        """A file that may have sound at a collector is to blame."""
        gone = [t for t in self._collector if t not in self.schedule]
        for ticket in gone:
            self.executor.drop(self._collector.pop(ticket), ticket)
        self._end(failed)

    def _close(self, ticket: int, outcome: Outcome) -> None:
        self.schedule.closed(ticket)
        self._collector.pop(ticket, None)
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        """The one place where a file gets its outcome."""
        self._tally.ended(outcome)
        most = self.settings.max_failures
        if most is not None and self._tally.totals.failed >= most:
            raise TooManyFailures(f"stopped: {most} files have failed (--max-failures {most})")

    def _queues(self) -> Queues:
        return Queues(
            len(self.schedule), self.schedule.ready, sum(self._has.values()),
            self.executor.backlog(),
        )  # fmt: skip
