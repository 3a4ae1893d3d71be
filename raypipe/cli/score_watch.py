"""What is seen of a scoring run while it goes on, and what failed, at its end."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.text import Text

from raypipe.cli.ending import MOST_SHOWN, Ending, count_note, plain_console
from raypipe.cli.watching import BarWatch, LineWatch, QuietWatch
from raypipe.cli.words import clock, counted
from raypipe.results.scores import ScoreReport
from raypipe.storage import show
from raypipe.telemetry import Progress
from raypipe.types import Failed, Scored


class ScoreWatch:
    """Shows progress as a run's watcher does; remembers what the end will name.

    Parameters
    ----------
    shown : QuietWatch
        The bar, the lines, or nothing.
    quiet : bool
        True where only what failed is told.
    """

    def __init__(self, shown: QuietWatch, *, quiet: bool) -> None:
        self._shown, self._quiet = shown, quiet
        self._failed = Ending()
        self._notes: dict[str, int] = {}
        self._scored = self._failures = 0

    def __enter__(self) -> ScoreWatch:
        self._shown.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._shown.__exit__(kind, error, trace)

    def progress(self, progress: Progress) -> None:
        """Show it."""
        self._shown.progress(progress)

    def note(self, text: str) -> None:
        """Show it."""
        self._shown.note(text)

    def outcome(self, outcome: Scored | Failed) -> None:
        """Keep what the end will name."""
        if isinstance(outcome, Failed):
            self._failures += 1
            self._failed.take(outcome)
            return
        self._scored += 1
        for note in outcome.notes:
            count_note(self._notes, note)
        for reason in outcome.missing.values():
            if "pip install" in reason:
                count_note(self._notes, reason)

    def summary(self, report: ScoreReport) -> None:
        """What failed; what there is to know; how long it took."""
        self._failed.print_failed(None)
        if self._quiet:
            return
        console = plain_console()
        for note, count in list(self._notes.items())[:MOST_SHOWN]:
            console.print(Text(f"note    {show(note)} ({counted(count, 'file')})"))
        if len(self._notes) > MOST_SHOWN:
            console.print(Text(f"        and {len(self._notes) - MOST_SHOWN} more; --json has all"))
        speed = report.audio_s / report.wall_s if report.wall_s else 0
        console.print(
            Text(
                f"{counted(report.scored, 'file')} scored, {report.failed} failed: "
                f"{clock(report.audio_s)} of audio in {clock(report.wall_s)}, "
                f"{speed:.0f} x real time"
            )
        )

    def ended_early(self) -> None:
        """What failed, and how far it came."""
        self._failed.print_failed(None)
        if not self._quiet and (self._scored or self._failures):
            plain_console().print(Text(f"so far: {self._scored} scored, {self._failures} failed"))


def watch_for(*, quiet: bool) -> ScoreWatch:
    """The watcher that fits the flags and the terminal."""
    if quiet:
        return ScoreWatch(QuietWatch(), quiet=True)
    return ScoreWatch(BarWatch() if sys.stderr.isatty() else LineWatch(), quiet=False)
