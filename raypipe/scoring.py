"""One page that tells a scoring run: scan, schedule, measure, remember.

Comes in: a folder of recordings and settings. Goes out: a `ScoreReport`, one row a file. The same
schedule and executors as a run's, so that a file that kills its worker costs that file alone; but
no segments, as most measures need the whole file, and no collectors, as a row is small and goes
straight to the driver.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

from raypipe.driver import SMALL_JOB_BYTES, works_inline
from raypipe.errors import ModelError, TooManyFailures, UsageError
from raypipe.execution.events import (
    BatchDone,
    Event,
    Executor,
    WorkerLost,
    WorkerReady,
    WorkerRetired,
)
from raypipe.execution.inline import InlineExecutor
from raypipe.execution.scorer import ScoreJob, Scorer
from raypipe.machine import usable_cpus
from raypipe.plan.collisions import PATIENCE, Listed
from raypipe.plan.route import Route, find_source
from raypipe.plan.scan import scan
from raypipe.plan.schedule import Schedule
from raypipe.quality.dnsmos import Dnsmos, find_networks
from raypipe.results.scores import ScoreReport
from raypipe.settings import RunSettings
from raypipe.storage import is_address, located, show
from raypipe.storage.listing import exists, is_folder
from raypipe.telemetry import Progress
from raypipe.types import AudioFile, Failed, FrameBatch, Scored

WAIT_S = 0.5
"""Longest wait for an event, so that progress is told and Ctrl-C is heard."""

SMALL_DEEP_BYTES = 8 << 20
"""Up to here ``auto`` works in this process where DNSMOS, PESQ or STOI are wanted: they cost as
much as eight times the bytes do otherwise."""

PATIENCE_S = 60.0
"""Grace of every file: slow disks, a busy machine."""

STORE_PATIENCE_S = 600.0
"""As much again where it is read from a store."""

DEEP_S = 600.0
"""As much again for DNSMOS, PESQ and STOI: their work on one file is bounded, see `Scorer`."""

SLOWEST_BYTES_PER_SECOND = 20_000
"""Slowest reading and measuring: ten times real time for 16 kbit/s."""

WORKER_BYTES = 500 << 20
"""Memory of one worker: raypipe and scipy, DNSMOS, a minute of a 192 kHz recording, measured."""


class ScoreWatch(Protocol):
    """Somebody who looks on."""

    def progress(self, progress: Progress) -> None:
        """Called often; must return at once."""

    def outcome(self, outcome: Scored | Failed) -> None:
        """Called once for each file."""

    def note(self, text: str) -> None:
        """Something that a person may want to know."""


@dataclass(frozen=True, slots=True)
class _Work:
    route: Route
    settings: RunSettings
    job: ScoreJob
    listed: Listed

    @property
    def deep(self) -> bool:
        """True where measures are wanted that cost much more than reading."""
        return self.job.reference is not None or self.job.networks is not None


def score(
    source: str | os.PathLike[str],
    settings: RunSettings | None = None,
    *,
    reference: str | os.PathLike[str] | None = None,
    dnsmos: str | os.PathLike[str] | None = None,
    watch: ScoreWatch | None = None,
    report: ScoreReport | None = None,
) -> ScoreReport:
    """Measure recordings.

    Parameters
    ----------
    source : path
        A file, a folder, a glob or ``@list``, here or in a store.
    settings : RunSettings, optional
        Which files, and where the work is done; what concerns models and outputs is not looked at.
    reference : path, optional
        Folder with a reference of the same relative name for each file (its ending may be another),
        or one reference where `source` is one file.
    dnsmos : path, optional
        Folder that holds DNSMOS's networks, or its ``sig_bak_ovr.onnx``.
    watch : ScoreWatch, optional
        Is told of progress and of each file.
    report : ScoreReport, optional
        Takes the rows, also of a run that ends early; a new one by default.

    Returns
    -------
    ScoreReport
        Every file with its measures, or why it has none.

    Raises
    ------
    UsageError, ModelError, StorageError
        Before the start where possible.
    TooManyFailures
        Once `settings.max_failures` files have failed.
    """
    begin_s = time.monotonic()
    work = _prepare(os.fspath(source), settings or RunSettings(), reference, dnsmos)
    deep, judged = work.job.reference is not None, work.job.networks is not None
    report = report or ScoreReport(deep=deep, judged=judged)
    executor = _executor(work, watch)
    try:
        executor.start()
        _Loop(work, executor, report, watch).run()
    finally:
        executor.close()
        report.wall_s = time.monotonic() - begin_s
    return report


def _prepare(
    source: str,
    settings: RunSettings,
    reference: str | os.PathLike[str] | None,
    dnsmos: str | os.PathLike[str] | None,
) -> _Work:
    route = find_source(source)
    root, one = _reference_at(reference, route)
    job = ScoreJob(root, one, _networks(dnsmos), settings.raw, settings.keep_truncated)
    files = (file for file in scan(route, settings) if isinstance(file, AudioFile))
    sizes = [file.size for file in islice(files, PATIENCE)]
    return _Work(route, settings, job, Listed(len(sizes), sum(sizes), len(sizes) < PATIENCE))


def _reference_at(
    reference: str | os.PathLike[str] | None, route: Route
) -> tuple[str | None, bool]:
    """The references' folder or, where one file is measured, the reference itself; which it is."""
    if reference is None:
        return None, False
    root = located(reference)
    folder = is_folder(root) if is_address(root) else os.path.isdir(root)
    if folder:
        return root, False
    if not exists(root):
        raise UsageError(f"{show(root)}: no such folder of references")
    if route.kind != "file":
        raise UsageError(
            f"{show(root)}: is a file, but {show(route.source)} needs a folder of references"
        )
    return root, True


def _networks(path: str | os.PathLike[str] | None) -> tuple[bytes, bytes | None] | None:
    """DNSMOS's networks, looked at before the start, as they travel to the workers."""
    if path is None:
        return None
    p835, p808 = find_networks(os.fspath(path))
    Dnsmos(p835, p808)
    try:
        return Path(p835).read_bytes(), Path(p808).read_bytes() if p808 else None
    except OSError as error:
        raise ModelError(f"{show(p835)}: cannot be read: {error.strerror}") from error


def _executor(work: _Work, watch: ScoreWatch | None) -> Executor:
    settings, listed = work.settings, work.listed
    make = partial(Scorer, work.job)
    most_bytes = SMALL_DEEP_BYTES if work.deep else SMALL_JOB_BYTES
    if works_inline(settings, listed, died_inline=False, most_bytes=most_bytes):
        return InlineExecutor(make)
    from raypipe.execution.ray_executor import Crew, RayExecutor  # half a second to import
    from raypipe.execution.sight import Sight

    crew = Crew(
        asked=settings.workers,
        most=settings.max_workers,
        local=settings.workers or min(usable_cpus(), settings.max_workers or usable_cpus()),
        memory_bytes=settings.worker_memory_bytes or WORKER_BYTES,
        see=lambda: Sight(tuple(_sources(work))),
    )
    return RayExecutor(make, None, settings.address, crew, _note_dashboard(settings, watch))


def _note_dashboard(
    settings: RunSettings, watch: ScoreWatch | None
) -> Callable[[str], None] | None:
    if not settings.dashboard:
        return None
    return lambda url: watch.note(f"dashboard: {url}") if watch is not None else None


def _sources(work: _Work) -> Iterator[tuple[str, int | None]]:
    """What other nodes must see: the roots, and a file in the input's."""
    if work.route.kind != "list" and not is_address(work.route.root):
        yield work.route.root, None
    reference = work.job.reference
    if reference is not None and not is_address(reference):
        yield reference, os.path.getsize(reference) if work.job.one_reference else None
    files = (f for f in scan(work.route, work.settings) if isinstance(f, AudioFile))
    for file in islice(files, 1):
        if not is_address(file.path):
            yield file.path, file.size


class _Loop:
    """Feeds workers, reads events; each file ends in exactly one row."""

    def __init__(
        self, work: _Work, executor: Executor, report: ScoreReport, watch: ScoreWatch | None
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
