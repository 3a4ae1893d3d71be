"""``raypipe plan IN OUT``: what would be done, before anything is written."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from raypipe.cli.options import settings_of, settings_options
from raypipe.cli.quiet import c_libraries_silenced
from raypipe.cli.words import clock, gigabytes
from raypipe.storage import show

if TYPE_CHECKING:
    from raypipe.survey import Survey

MOST_SHOWN = 20


@click.command()
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT")
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(source: str, output: str, as_json: bool, **flags: Any) -> int:
    """Say what `raypipe enhance IN OUT` would do: hours, formats, time, disk, what would fail.

    Opens every file, times the model for half a second, and writes nothing.
    """
    from raypipe.survey import survey

    with c_libraries_silenced(), Console(stderr=True).status("looking") as status:
        found = survey(
            source,
            output,
            settings_of(flags),
            tell=lambda files: status.update(f"looking: {files} files"),
        )
    if as_json:
        click.echo(json.dumps(_facts(found)))
    else:
        _print(found, output)
    return 1 if found.failed else 0


def _facts(found: Survey) -> dict[str, Any]:
    facts = asdict(found)
    names = ("format", "subtype", "rate_hz", "channels")
    facts["kinds"] = [
        dict(zip(names, key, strict=True)) | asdict(kind) for key, kind in found.kinds.items()
    ]
    facts["failed"] = [{"path": name, "reason": reason} for name, reason in found.failed]
    return facts


def _print(found: Survey, output: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
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
    console.print(table)
    for name, reason in found.failed[:MOST_SHOWN]:
        console.print(Text(f"would fail  {show(name)}: {show(reason)}", style="red"))
    if len(found.failed) > MOST_SHOWN:
        console.print(f"            and {len(found.failed) - MOST_SHOWN} more (--json has all)")
    for note, count in list(found.notes.items())[:MOST_SHOWN]:
        console.print(Text(f"note        {show(note)} ({count} files)"))
    console.print(
        f"{found.to_do} files to do ({clock(found.audio_s)} of audio), {found.skipped} would be "
        f"skipped, {len(found.failed)} would fail"
    )
    if found.unmeasured:
        console.print(f"{found.unmeasured} of them do not say how long they are")
    free = "unknown" if found.free_bytes is None else gigabytes(found.free_bytes)
    console.print(
        Text(f"disk: about {gigabytes(found.output_bytes)} for {show(output)}, {free} free")
    )
    if found.free_bytes is not None and found.free_bytes < found.output_bytes:
        console.print(Text("that will not fit", style="red"))
    console.print(
        f"time: about {clock(found.predicted_s)} with {found.workers} workers (the model alone "
        f"runs at {found.x_real_time:.0f} x real time each)"
    )
