"""What a person or a program sees of a run: a bar, plain lines, or JSON lines.

A bar in audio time where the standard error is a terminal; where it is not, one
plain line per interval. What is said at the end is in `ending`.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import Protocol

import click
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from raypipe.cli.ending import Ending
from raypipe.cli.words import clock, counted, say
from raypipe.results.report import RunReport, entry_of
from raypipe.telemetry import Progress as Standing
from raypipe.types import Outcome

LINE_INTERVAL_S = 10.0

MARGIN = 4
"""Columns right of the bar: room for the ^C that a terminal writes, else it would wrap."""


class Watcher(Protocol):
    """A `raypipe.tally.Watch` that is also a context manager."""

    def __enter__(self) -> Watcher: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def progress(self, progress: Standing) -> None:
        """Called often."""

    def outcome(self, outcome: Outcome) -> None:
        """Called once for each file."""

    def note(self, text: str) -> None:
        """Called where there is something to know beforehand."""

    def summary(self, report: RunReport, output: str, report_path: str | None) -> None:
        """Called at the end."""

    def ended_early(self) -> None:
        """Called where an error or a person ended the run."""


def watch_for(*, quiet: bool, as_json: bool) -> Watcher:
    """The watcher that fits the flags and the terminal."""
    if as_json:
        return JsonWatch()
    if quiet:
        return QuietWatch()
    return BarWatch() if sys.stderr.isatty() else LineWatch()


class QuietWatch:
    """Says only what failed, at the end; the base of the others."""

    def __init__(self) -> None:
        self._ending = Ending()

    def __enter__(self) -> QuietWatch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def progress(self, progress: Standing) -> None:
        """Nothing."""

    def outcome(self, outcome: Outcome) -> None:
        """Keep what the ending will name."""
        self._ending.take(outcome)

    def note(self, text: str) -> None:
        """Nothing."""

    def summary(self, report: RunReport, output: str, report_path: str | None) -> None:
        """What failed."""
        self._ending.print_failed(report_path)

    def ended_early(self) -> None:
        """What failed."""
        self._ending.print_failed(None)


class LineWatch(QuietWatch):
    """One plain line per interval, for log files."""

    def __init__(self) -> None:
        super().__init__()
        self._next_s = time.monotonic() + LINE_INTERVAL_S

    def progress(self, progress: Standing) -> None:
        """Print when the interval is over."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + LINE_INTERVAL_S
            with contextlib.suppress(OSError):  # a full log must not end the run
                click.echo(f"raypipe: {progress_words(progress)}", err=True)

    def note(self, text: str) -> None:
        """Print it."""
        with contextlib.suppress(OSError):
            click.echo(f"raypipe: {text}", err=True)

    def summary(self, report: RunReport, output: str, report_path: str | None) -> None:
        """What was done, and what needs a person."""
        self._ending.print_all(report, output, report_path)

    def ended_early(self) -> None:
        """What failed, and how far the run came."""
        self._ending.print_failed(None)
        self._ending.print_counts()


class BarWatch(LineWatch):
    """A live bar in audio time."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = _Bar(
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

    def note(self, text: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(Text(f"raypipe: {text}"), soft_wrap=True)

    def progress(self, progress: Standing) -> None:
        """Move the bar."""
        self._bar.update(
            self._task, description="", total=progress.total_s,
            completed=progress.audio_s, words=progress_words(progress),
        )  # fmt: skip


class _Bar(Progress):
    """A bar that leaves a margin at the right of the terminal."""

    def get_renderable(self) -> RenderableType:
        """What is drawn each time."""
        return _Margined(super().get_renderable())


class _Margined:
    def __init__(self, inside: RenderableType) -> None:
        self._inside = inside

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Constrain(self._inside, max(options.max_width - MARGIN, 1))


class JsonWatch(QuietWatch):
    """One JSON object a file on the standard output, the totals last."""

    def outcome(self, outcome: Outcome) -> None:
        """Print the file's entry as the report has it."""
        say(json.dumps({"event": "file"} | entry_of(outcome)))

    def summary(self, report: RunReport, output: str, report_path: str | None) -> None:
        """Print the totals."""
        say(json.dumps({"event": "totals"} | asdict(report.totals)))

    def ended_early(self) -> None:
        """Nothing: what is not there was not done."""


def progress_words(progress: Standing) -> str:
    """Progress in a line: ``1:02:03 of 4:00:00, 812 x real time, 0:13 left, 2 failed, 9 files``."""
    total_s, left_s = progress.total_s, progress.left_s
    about = "" if progress.all_listed else "at least "
    words = [clock(progress.audio_s) + (f" of {about}{clock(total_s)}" if total_s else "")]
    if progress.x_real_time:
        words.append(f"{progress.x_real_time:.0f} x real time")
    if left_s is not None:
        words.append(f"{clock(left_s)} left")
    if progress.failed:
        words.append(f"{progress.failed} failed")
    words.append(counted(progress.done + progress.skipped, "file"))
    return ", ".join(words)
