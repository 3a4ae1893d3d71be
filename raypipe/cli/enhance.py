"""``raypipe enhance IN OUT``: run a model over a file, a folder, a glob or a list."""

from __future__ import annotations

import json
import logging
from typing import Any

import click

from raypipe.cli.options import settings_of, settings_options
from raypipe.cli.quiet import c_libraries_silenced

LOG_LEVELS = ("debug", "info", "warning", "error")


@click.command()
@click.argument("source", metavar="IN")
@click.argument("output", metavar="[OUT]", required=False)
@click.option("-o", "--output", "output_option", metavar="OUT", help="OUT, if you prefer a flag.")
@settings_options
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--report", type=click.Path(dir_okay=False), help="Write the report (JSON) here.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file, then totals.")
@click.option("--log-level", type=click.Choice(LOG_LEVELS), default="warning", show_default=True)
def enhance(
    source: str,
    output: str | None,
    output_option: str | None,
    dry_run: bool,
    report: str | None,
    quiet: bool,
    as_json: bool,
    log_level: str,
    **flags: Any,
) -> int:
    """Run a model over IN and write a mirrored tree to OUT.

    IN is a file, a folder, a glob, or @LIST (one path a line). OUT is a folder, or a file where
    IN is one file. Container, sample format, rate, channels, length, alignment and tags are kept
    unless you ask otherwise. What an earlier run has done is not done again.
    """
    if (output is None) == (output_option is None):
        raise click.UsageError("give OUT once, as the second argument or with -o")
    out = output or output_option or ""
    settings = settings_of(flags)
    logging.basicConfig(level=log_level.upper(), format="raypipe: %(message)s")
    if dry_run:
        return _dry_run(source, out, settings, as_json=as_json)
    with c_libraries_silenced():
        from raypipe.cli.watching import watch_for
        from raypipe.driver import run

        with watch_for(quiet=quiet, as_json=as_json) as watch:
            result = run(source, out, settings, report=report, watch=watch)
        if not quiet:
            watch.summary(result, out)
    return result.exit_code


def _dry_run(source: str, output: str, settings: Any, *, as_json: bool) -> int:
    from raypipe.driver import preview
    from raypipe.storage import show
    from raypipe.types import AudioFile, Failed, Skipped

    counts = {"to do": 0, "skipped": 0, "failed": 0}
    for item in preview(source, output, settings):
        file = item if isinstance(item, AudioFile) else item.file
        if isinstance(item, Failed | Skipped):
            kind = "failed" if isinstance(item, Failed) else "skipped"
            text = f"{kind:8} {show(file.name)}: {item.reason}"
        else:
            kind, text = "to do", f"to do    {show(file.name)} -> {show(file.output)}"
        counts[kind] += 1
        if as_json:
            text = json.dumps({"path": file.name, "output": file.output, "would": kind})
        click.echo(text)
    if not as_json:
        click.echo(", ".join(f"{number} {kind}" for kind, number in counts.items()))
    return 1 if counts["failed"] else 0
