"""What keeping count costs: many small files, and a listing far larger than memory should notice.

    python -m benchmarks.bookkeeping

First 10,000 files of one second, end to end on Ray. Then up to a million listed paths (real, empty
files) through scan, schedule and dispatch with an executor that does nothing: decisions a second
and the driver's memory, which must not grow with the listing. Last, what a decision costs where
there are many workers, which must not grow with them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import click

import raypipe
from benchmarks.corpus import make_files
from benchmarks.throttled import Load, made_up
from raypipe.dispatch import Dispatch
from raypipe.execution.events import BatchDone, Event, SoundCollected, WorkerReady
from raypipe.plan.collisions import Listed, refuse_collisions
from raypipe.plan.route import find_route
from raypipe.plan.scan import scan
from raypipe.plan.schedule import Schedule
from raypipe.results.report import RunReport
from raypipe.settings import RunSettings
from raypipe.telemetry import resident_bytes
from raypipe.types import (
    BatchResult,
    Done,
    FrameBatch,
    Levels,
    Published,
    SoundInfo,
    Stepped,
)

INFO = SoundInfo(16_000, 1, 16_000, "WAV", "PCM_16")
WORKERS, LANES = 8, 64


class NullExecutor:
    """Says at once that all was done."""

    depth = 2
    watched = False

    def __init__(self, workers: int = WORKERS, at_once: int | None = None) -> None:
        self.workers = workers
        self._at_once = at_once
        self._events: deque[Event] = deque()
        self._batches: dict[int, FrameBatch] = {}
        self.decisions = 0

    def start(self) -> None:
        """Workers are ready."""
        self._events.extend(WorkerReady(f"worker-{n}") for n in range(self.workers))

    def choose_collector(self) -> int:
        """There is one."""
        return 0

    def submit(self, worker: str, batch: FrameBatch, timeout_s: float) -> None:
        """Every file ends in its first segment."""
        answers = tuple(Stepped(s.ticket, INFO, 16_000, True, None) for s in batch.segments)
        self._batches[batch.number] = batch
        self.decisions += len(batch.segments)
        self._events.append(BatchDone(worker, BatchResult(batch.number, answers)))

    def collect(self, number: int, drop: Sequence[int]) -> None:
        """Every file is published."""
        level = Levels(-1.0, -20.0)
        answers = tuple(
            Published(s.ticket, Done(s.file, {"sound": s.file.output}, INFO, 16_000, level, level))
            for s in self._batches.pop(number).segments
        )
        self._events.append(SoundCollected(answers))

    def fetch(self, number: int) -> None:
        """There is a collector."""

    def drop(self, collector: int, ticket: int) -> None:
        """Nothing to drop."""

    def backlog(self) -> int:
        """Nothing waits."""
        return 0

    def events(self, wait_s: float) -> list[Event]:
        """Everything so far, or the first few of it."""
        count = len(self._events) if self._at_once is None else self._at_once
        return [self._events.popleft() for _ in range(min(count, len(self._events)))]

    def facts(self) -> dict[str, object]:
        """Nothing to tell."""
        return {}

    def close(self) -> None:
        """Nothing to stop."""


def through_null(root: Path) -> tuple[int, float, int]:
    """Files, seconds and growth of resident memory in bytes for one listing."""
    settings = RunSettings()
    route = find_route(str(root), str(root) + "-out", settings)
    before = resident_bytes()
    begin_s = time.perf_counter()
    listed = refuse_collisions(lambda: scan(route, settings), names_stay=True)
    executor = NullExecutor()
    executor.start()
    report = RunReport("", {}, {}, {})
    dispatch = Dispatch(
        Schedule(LANES, WORKERS), executor, scan(route, settings), report, settings, listed,
        lambda files: {}, time.monotonic(),
    )  # fmt: skip
    dispatch.run()
    seconds = time.perf_counter() - begin_s
    assert report.totals.done == report.totals.files == executor.decisions
    return report.totals.files, seconds, resident_bytes() - before


def with_workers(workers: int, files: int) -> float:
    """CPU seconds for so many made-up files, their batches coming back one by one."""
    executor = NullExecutor(workers, at_once=1)
    executor.start()
    report = RunReport("", {}, {}, {})
    dispatch = Dispatch(
        Schedule(LANES, workers), executor, made_up(Load(workers, None, 10.0, files), "in.wav"),
        report, RunSettings(), Listed(0, 0, False), lambda files: {}, time.monotonic(),
    )  # fmt: skip
    begin_s = time.process_time()
    dispatch.run()
    assert report.totals.done == files
    return time.process_time() - begin_s


@click.command()
@click.option("--files", default=10_000, show_default=True)
@click.option("--listed", default=1_000_000, show_default=True)
def main(files: int, listed: int) -> None:
    """Print all tables."""
    scratch = Path(tempfile.mkdtemp())
    try:
        folder = make_files(scratch / "in", files, 1.0)
        report = raypipe.enhance(
            folder, scratch / "out", model="passthrough", executor="ray", workers=2
        )
        totals = report.totals
        assert totals.done == files
        working_s = totals.audio_s / totals.x_real_time
        click.echo(f"{files} files of 1 s, 2 workers: {working_s:.1f} s after start-up, ")
        click.echo(f"{files / working_s:.0f} files a second, {totals.x_real_time:.0f} x real time")
        begin_s = time.perf_counter()
        again = raypipe.enhance(folder, scratch / "out", model="passthrough", executor="inline")
        assert again.totals.skipped == files
        click.echo(f"again, all done already: {time.perf_counter() - begin_s:.1f} s\n")
        click.echo("| listed paths | decisions a second | memory grown |\n|---:|---:|---:|")
        size = 1000
        made = 0
        root = scratch / "many"
        while size <= listed:
            for number in range(made, size):
                path = root / f"{number // 1000:04}" / f"{number:07}.wav"
                if number % 1000 == 0:
                    path.parent.mkdir(parents=True)
                path.touch()
            made = size
            count, seconds, grown = through_null(root)
            click.echo(f"| {count} | {count / seconds:.0f} | {grown / 1e6:.1f} MB |")
            size *= 10
        click.echo("\n| workers | decisions a second |\n|---:|---:|")
        for workers in (8, 64, 256):
            click.echo(f"| {workers} | {listed // 10 / with_workers(workers, listed // 10):.0f} |")
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
