"""A `Survey` as a person reads it."""

from __future__ import annotations

import io
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raypipe.cli.words import clock, counted, gigabytes, say
from raypipe.storage import show
from raypipe.survey import Survey

MOST_SHOWN = 20


def print_survey(found: Survey, output: str) -> None:
    """Print it on the standard output."""
    page = io.StringIO()
    colours = sys.stdout.isatty()
    console = Console(file=page, force_terminal=colours, highlight=False, soft_wrap=True)
    _print(found, output, console)
    say(page.getvalue().rstrip("\n"))


def _print(found: Survey, output: str, console: Console) -> None:
    if found.kinds:
        console.print(_table(found))
    for name, reason in found.failed[:MOST_SHOWN]:
        console.print(Text(f"would fail  {show(name)}: {show(reason)}", style="red"))
    _print_rest(console, len(found.failed))
    for note, count in list(found.notes.items())[:MOST_SHOWN]:
        console.print(Text(f"note        {show(note)} ({counted(count, 'file')})"))
    _print_rest(console, len(found.notes))
    console.print(
        f"{counted(found.to_do, 'file')} to do ({clock(found.audio_s)} of audio), "
        f"{found.skipped} would be skipped, {len(found.failed)} would fail"
    )
    if found.unmeasured:
        console.print(f"{found.unmeasured} of them not counted: no length in their header")
    free = "unknown" if found.free_bytes is None else gigabytes(found.free_bytes)
    console.print(
        Text(f"disk: about {gigabytes(found.output_bytes)} for {show(output)}, {free} free")
    )
    if found.free_bytes is not None and found.free_bytes < found.output_bytes:
        console.print(Text("that will not fit", style="red"))
    if found.to_do:
        console.print(_time(found))


def _table(found: Survey) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("format", "rate", "channels", "files", "audio"):
        table.add_column(name, justify="left" if name == "format" else "right")
    for (container, subtype, rate_hz, channels), kind in sorted(
        found.kinds.items(), key=lambda item: -item[1].audio_s
    ):
        table.add_row(
            f"{container} {subtype}", f"{rate_hz} Hz", str(channels), str(kind.files),
            clock(kind.audio_s),
        )  # fmt: skip
    return table


def _time(found: Survey) -> str:
    if not found.x_real_time:
        return "time: unknown, no file could be tried"
    where = "in this process"
    if found.executor == "ray":
        where = f"on Ray with {counted(found.workers, 'worker')}"
    speed = f"{found.x_real_time:.0f} x real time"
    each = " each" if found.workers > 1 else ""
    return f"time: about {clock(found.predicted_s)} {where}, measured {speed}{each}"


def _print_rest(console: Console, number: int) -> None:
    if number > MOST_SHOWN:
        console.print(f"            and {number - MOST_SHOWN} more (--json has all)")
