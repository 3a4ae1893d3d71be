"""``raypipe enhance IN OUT``: run a model over a file, a folder, a glob or a list."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import click

from raypipe.cli.options import in_and_out, settings_of, settings_options
from raypipe.cli.page import BESIDE, checked_page, page_path, write_page_of
from raypipe.cli.quiet import c_libraries_silenced, logs_told
from raypipe.cli.words import results_alone, say
from raypipe.errors import RaypipeError, TooManyFailures
from raypipe.settings import RunSettings
from raypipe.storage import report_of, show

LOG_LEVELS = ("debug", "info", "warning", "error")


@click.command()
@in_and_out
@settings_options
@click.option("-n", "--dry-run", is_flag=True, help="List what would be done; write nothing. "
              "It opens no file: `raypipe plan` does.")  # fmt: skip
@click.option("--report", type=click.Path(dir_okay=False), metavar="FILE",
              help="Write the report (JSON) here, too.")  # fmt: skip
@click.option("--html", is_flag=False, flag_value=BESIDE, metavar="[FILE]", callback=checked_page,
              help="Write a page that shows and plays what was done, too; see `raypipe report`. "
              "Alone it is the last word.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what failed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file, then totals.")
@click.option("--log-level", type=click.Choice(LOG_LEVELS), default="warning", show_default=True,
              help="What the libraries in use may say.")  # fmt: skip
def enhance(
    source: str,
    output: str,
    dry_run: bool,
    report: str | None,
    html: str | None,
    quiet: bool,
    as_json: bool,
    log_level: str,
    **flags: Any,
) -> int:
    """Run a model over IN and write a mirrored tree to OUT.

    IN is a file, a folder, a glob in quotes, or @LIST (a file with one path a line). OUT is a
    folder, or a file where IN is one file. Both may be addresses: s3://bucket/folder, gs://, az://;
    IN also http:// and https://. Container, sample format, rate, channels, length,
    alignment and tags are kept unless you ask otherwise. What an earlier run has done is not done
    again.

    Settings may also stand in a TOML file (workers = 4) or in the environment (RAYPIPE_WORKERS=4);
    flags win over the environment, and that over the file.
    """
    settings = settings_of(flags)
    if html is not None:
        page_path(html, output)  # what cannot be written should be heard of before the night
    logs_told(log_level)
    with c_libraries_silenced(), results_alone():
        if dry_run:
            return _dry_run(source, output, settings, quiet=quiet, as_json=as_json)
        from raypipe.cli.watching import watch_for
        from raypipe.driver import run

        watch = watch_for(quiet=quiet, as_json=as_json)
        try:
            with watch:
                result = run(source, output, settings, report=report, watch=watch)
        except RaypipeError as error:
            watch.ended_early()
            if html is not None and isinstance(error, TooManyFailures):
                from raypipe.page.gather import gather

                with contextlib.suppress(RaypipeError):  # must not hide what ended the run
                    write_page_of(gather(output), page_path(html, output), quiet=quiet or as_json)
            raise
        except KeyboardInterrupt as interrupt:
            watch.ended_early()
            raise click.Abort from interrupt  # for a KeyboardInterrupt click prints an empty line
        watch.summary(result, output, report or report_of(output))
        if html is not None:
            from raypipe.page.gather import gather_run

            told = gather_run(result, output, source)
            write_page_of(told, page_path(html, output), quiet=quiet or as_json)
    return result.exit_code


def _dry_run(source: str, output: str, settings: RunSettings, *, quiet: bool, as_json: bool) -> int:
    from raypipe.types import AudioFile, Done, Failed
    from raypipe.work import preview

    counts = {"to do": 0, "skipped": 0, "failed": 0}
    for item in preview(source, output, settings):
        assert not isinstance(item, Done), "nothing is done in a preview"
        if isinstance(item, AudioFile):
            file, kind, reason = item, "to do", None
            text = f"to do    {show(file.name)} -> {show(file.output)}"
        else:
            kind = "failed" if isinstance(item, Failed) else "skipped"
            file, reason = item.file, item.reason
            text = f"{kind:8} {show(file.name)}: {show(reason)}"
        counts[kind] += 1
        if as_json:
            facts = {"path": file.name, "output": file.output, "would": kind, "reason": reason}
            say(json.dumps(facts))
        elif not quiet or kind == "failed":
            say(text)
    if not as_json and not quiet:
        say(", ".join(f"{number} {kind}" for kind, number in counts.items()))
    return 1 if counts["failed"] else 0
