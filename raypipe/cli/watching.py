"""What a person or a program sees of a run: a bar, plain lines, or JSON lines.

A bar in audio time where the standard error is a terminal; where it is not, one
plain line per interval. The summary at the end names what needs a person.
"""

from __future__ import annotations

import json
import sys
import time
from types import TracebackType
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from raypipe.cli.words import clock
from raypipe.results.report import RunReport, entry_of
from raypipe.storage import show
from raypipe.telemetry import Progress
from raypipe.types import Done, Failed, Outcome

LINE_INTERVAL_S = 10.0
MOST_FAILURES_SHOWN = 10


class Watcher(Protocol):
    """A `raypipe.dispatch.Watch` that is also a context manager."""

    def __enter__(self) -> Watcher: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def progress(self, progress: Progress) -> None:
        """Called often."""

    def outcome(self, outcome: Outcome) -> None:
        """Called once for each file."""

    def summary(self, report: RunReport, output: str) -> None:
        """Called at the end."""


def watch_for(*, quiet: bool, as_json: bool) -> Watcher:
    """The watcher that fits the flags and the terminal."""
    if as_json:
        return JsonWatch()
    if quiet:
        return Silent()
    return BarWatch() if sys.stderr.isatty() else LineWatch()


class Silent:
    """Shows nothing; the base of the others."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def outcome(self, outcome: Outcome) -> None:
        """Nothing."""

    def summary(self, report: RunReport, output: str) -> None:
        """Nothing."""


class LineWatch(Silent):
    """One plain line per interval, for log files."""

    def __init__(self) -> None:
        self._next_s = time.monotonic() + LINE_INTERVAL_S
        self._clipped: list[Done] = []
        self._failed: list[Failed] = []
        self._notes: dict[str, int] = {}

    def progress(self, progress: Progress) -> None:
        """Print when the interval is over."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LINE_INTERVAL_S
            click.echo(f"raypipe: {progress_words(progress)}", err=True)

    def outcome(self, outcome: Outcome) -> None:
        """Keep what the summary will name."""
        if isinstance(outcome, Failed) and len(self._failed) < MOST_FAILURES_SHOWN:
            self._failed.append(outcome)
        if isinstance(outcome, Done):
            if outcome.clipped and len(self._clipped) < MOST_FAILURES_SHOWN:
                self._clipped.append(outcome)
            for note in outcome.notes:
                if note in self._notes or len(self._notes) < 100:
                    self._notes[note] = self._notes.get(note, 0) + 1

    def summary(self, report: RunReport, output: str) -> None:
        """What was done, and what needs a person."""
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        totals = report.totals
        for failed in self._failed:
            line = Text("failed  ", style="red")
            line.append(f"{show(failed.file.name)}: {show(failed.reason)}", style="default")
            console.print(line)
        if totals.failed > len(self._failed):
            console.print(f"        and {totals.failed - len(self._failed)} more; see the report")
        for done in self._clipped:
            console.print(
                Text(f"clipped {show(done.file.name)}: {done.clipped} samples at full scale; "
                     "--clip scale turns such files down", style="yellow")
            )  # fmt: skip
        for note, count in list(self._notes.items())[:MOST_FAILURES_SHOWN]:
            console.print(
                Text(f"note    {show(note)}" + (f" ({count} files)" if count > 1 else ""))
            )
        table = Table(box=None, pad_edge=False)
        for name in ("files", "done", "skipped", "failed", "audio", "time", "start-up", "speed"):
            table.add_column(name, justify="right")
        table.add_row(
            str(totals.files), str(totals.done), str(totals.skipped), str(totals.failed),
            clock(totals.audio_s), clock(totals.wall_s), f"{totals.startup_s:.1f} s",
            f"{totals.x_real_time:.0f} x real time" if totals.done else "-",
        )  # fmt: skip
        console.print(table)
        if totals.done:
            console.print(Text(f"in {show(output)}, model {report.model['name']}"))


class BarWatch(LineWatch):
    """A live bar in audio time."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = Bar(
            TextColumn("{task.description}"), BarColumn(bar_width=24),
            TextColumn("{task.fields[words]}"),
            console=Console(stderr=True), transient=True, refresh_per_second=4,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=None, words="")

    def __enter__(self) -> BarWatch:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def progress(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.update(
            self._task, description="audio", total=progress.total_s,
            completed=progress.audio_s, words=progress_words(progress),
        )  # fmt: skip


class JsonWatch(Silent):
    """One JSON object a file on the standard output, the totals last."""

    def outcome(self, outcome: Outcome) -> None:
        """Print the file's entry as the report has it."""
        click.echo(json.dumps({"event": "file"} | entry_of(outcome)))

    def summary(self, report: RunReport, output: str) -> None:
        """Print the totals."""
        from dataclasses import asdict

        click.echo(json.dumps({"event": "totals"} | asdict(report.totals)))


def progress_words(progress: Progress) -> str:
    """Progress in one line: ``1:02:03 of ~4:00:00, 812 x real time, 0:13 left, 2 failed``."""
    total_s, left_s = progress.total_s, progress.left_s
    about = "" if progress.all_listed else "at least "
    words = [clock(progress.audio_s) + (f" of {about}{clock(total_s)}" if total_s else "")]
    words.append(f"{progress.done + progress.skipped} files")
    if progress.x_real_time:
        words.append(f"{progress.x_real_time:.0f} x real time")
    if left_s is not None:
        words.append(f"{clock(left_s)} left")
    if progress.failed:
        words.append(f"{progress.failed} failed")
    return ", ".join(words)
