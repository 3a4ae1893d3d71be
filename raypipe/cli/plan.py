"""``raypipe plan IN OUT``: what would be done, before anything is written."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from raypipe.cli.options import in_and_out, settings_of, settings_options
from raypipe.cli.quiet import c_libraries_silenced
from raypipe.cli.words import counted, say

if TYPE_CHECKING:
    from raypipe.survey import Survey


@click.command()
@in_and_out
@settings_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def plan(source: str, output: str, as_json: bool, **flags: Any) -> int:
    """Say what would be done, and how long it would take.

    Hours of audio by format, disk, time, what could not be kept, which files cannot be read. It
    opens every file, times the model on some of them for half a second, and writes nothing.
    """
    settings = settings_of(flags)
    with c_libraries_silenced():
        from rich.console import Console

        from raypipe.cli.plan_page import print_survey
        from raypipe.survey import survey

        with Console(stderr=True).status("looking") as status:
            found = survey(
                source,
                output,
                settings,
                tell=lambda files: status.update(f"looking: {counted(files, 'file')}"),
            )
    if as_json:
        say(json.dumps(_facts(found)))
    else:
        print_survey(found, output)
    return 1 if found.failed else 0


def _facts(found: Survey) -> dict[str, Any]:
    facts = asdict(found)
    names = ("format", "subtype", "rate_hz", "channels")
    facts["kinds"] = [
        dict(zip(names, key, strict=True)) | asdict(kind) for key, kind in found.kinds.items()
    ]
    facts["failed"] = [{"path": name, "reason": reason} for name, reason in found.failed]
    return facts
