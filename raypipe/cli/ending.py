"""What is said at the end of a run: what needs a person, then what was done.

Names at most ten files of a kind; the report has them all.
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raypipe.cli.words import clock, counted
from raypipe.results.report import RunReport
from raypipe.storage import show
from raypipe.types import Done, Failed, Outcome

MOST_SHOWN = 10
MOST_NOTES_KEPT = 100
"""Different ones; notes name formats, not files, so there are few."""


class Ending:
    """Keeps what the end of a run will name."""

    def __init__(self) -> None:
        self._counts = {"done": 0, "skipped": 0, "failed": 0}
        self._failed: list[Failed] = []
        self._clipped: list[Done] = []
        self._notes: dict[str, int] = {}
        self._skipped: dict[str, int] = {}

    def take(self, outcome: Outcome) -> None:
        """One file's outcome."""
        if isinstance(outcome, Failed):
            self._counts["failed"] += 1
            if len(self._failed) < MOST_SHOWN:
                self._failed.append(outcome)
        elif isinstance(outcome, Done):
            self._counts["done"] += 1
            if outcome.clipped and len(self._clipped) < MOST_SHOWN:
                self._clipped.append(outcome)
            for note in outcome.notes:
                count_note(self._notes, note)
        else:
            self._counts["skipped"] += 1
            self._skipped[outcome.reason] = self._skipped.get(outcome.reason, 0) + 1

    def print_failed(self, report_path: str | None) -> None:
        """The first files that failed, and why."""
        console = plain_console()
        for failed in self._failed:
            line = Text("failed  ", style="red")
            line.append(f"{show(failed.file.name)}: {show(failed.reason)}", style="default")
            console.print(line)
        _print_rest(console, self._counts["failed"], report_path)

    def print_counts(self) -> None:
        """How far a run came that ended early."""
        counts = ", ".join(f"{number} {kind}" for kind, number in self._counts.items() if number)
        if counts:
            plain_console().print(Text(f"so far: {counts}"))

    def print_all(self, report: RunReport, output: str, report_path: str | None) -> None:
        """What failed, clipped, was skipped or could not be kept; the totals; where all that is."""
        self.print_failed(report_path)
        console = plain_console()
        for done in self._clipped:
            console.print(
                Text(f"clipped {show(done.file.name)}: {counted(done.clipped, 'sample')} at full "
                     "scale; --clip scale turns such files down", style="yellow")
            )  # fmt: skip
        _print_rest(console, report.totals.clipped_files, report_path)
        for reason, count in self._skipped.items():
            console.print(Text(f"skipped {counted(count, 'file')}: {show(reason)}"))
        for note, count in list(self._notes.items())[:MOST_SHOWN]:
            console.print(
                Text(f"note    {show(note)}" + (f" ({count} files)" if count > 1 else ""))
            )
        _print_rest(console, len(self._notes), report_path)
        console.print(_table(report))
        if report.totals.done:
            console.print(Text(f"written to {show(output)} with model {report.model['name']}"))
        if report_path is not None:
            console.print(Text(f"report: {show(report_path)}"))


def count_note(notes: dict[str, int], note: str) -> None:
    """Count a note, unless there are too many different ones."""
    if note in notes or len(notes) < MOST_NOTES_KEPT:
        notes[note] = notes.get(note, 0) + 1


def plain_console() -> Console:
    """Standard error, on which nothing but what is said is coloured."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def _print_rest(console: Console, number: int, report_path: str | None) -> None:
    if number > MOST_SHOWN:
        where = "" if report_path is None else "; the report has all"
        console.print(Text(f"        and {number - MOST_SHOWN} more{where}"))


def _table(report: RunReport) -> Table:
    totals = report.totals
    table = Table(box=None, pad_edge=False)
    for name in ("files", "done", "skipped", "failed", "audio", "time", "start-up", "speed"):
        table.add_column(name, justify="right")
    table.add_row(
        str(totals.files), str(totals.done), str(totals.skipped), str(totals.failed),
        clock(totals.audio_s), clock(totals.wall_s), f"{totals.startup_s:.1f} s",
        f"{totals.x_real_time:.0f} x real time" if totals.done else "-",
    )  # fmt: skip
    return table
