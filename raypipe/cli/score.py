"""``raypipe score IN``: how good recordings are, one row a file."""

from __future__ import annotations

from typing import Any

import click

from raypipe.cli.interrupts import INTERRUPTED
from raypipe.cli.options import settings_of, some_settings_options
from raypipe.cli.quiet import c_libraries_silenced, logs_told
from raypipe.cli.words import results_alone
from raypipe.errors import RaypipeError

STANDARD_OUTPUT = "-"


@click.command()
@click.argument("source", metavar="IN")
@click.option("-r", "--reference", metavar="DIR",
              help="Clean recordings of the same names, to compare with.")  # fmt: skip
@click.option("--dnsmos", metavar="DIR",
              help="Where Microsoft's sig_bak_ovr.onnx (and model_v8.onnx) lie.")  # fmt: skip
@click.option("--csv", "csv_path", metavar="FILE", help="Write the rows as CSV; -: print them.")
@click.option("--json", "json_path", metavar="FILE", help="Write all of it as JSON; -: print it.")
@click.option("-q", "--quiet", is_flag=True, help="Print no table, and nothing but what failed.")
@some_settings_options(
    "workers", "max_workers", "worker_memory_gb", "executor", "address", "dashboard", "include",
    "exclude", "raw", "keep_truncated", "max_failures", "timeout_s", "config",
)  # fmt: skip
def score(
    source: str,
    reference: str | None,
    dnsmos: str | None,
    csv_path: str | None,
    json_path: str | None,
    quiet: bool,
    **flags: Any,
) -> int:
    """Say how good recordings are, one row a file.

    Nothing is written but what you ask for. IN is a file, a folder, a glob in quotes, or @LIST,
    here or in a store. Of each file: length, loudness, peak, clipping, active level, share of
    silence, noise floor, an estimate of the signal-to-noise ratio (WADA-SNR), bandwidth. With
    --reference: SI-SDR, SNR, STOI, wide-band PESQ, delay, difference of level. With --dnsmos: SIG,
    BAK and OVRL of P.835, and P.808.

    STOI, PESQ and DNSMOS need pip install raypipe[score].
    """
    settings = settings_of(flags)
    refuse_two_printed(csv_path, json_path)
    logs_told()
    with c_libraries_silenced(), results_alone():
        from raypipe.cli.score_page import check_results, print_report, write_results
        from raypipe.cli.score_watch import watch_for
        from raypipe.results.scores import ScoreReport
        from raypipe.scoring import score as measure

        check_results(csv_path, json_path)
        printed = STANDARD_OUTPUT in (csv_path, json_path)
        watch = watch_for(quiet=quiet or printed)
        report = ScoreReport(deep=reference is not None, judged=dnsmos is not None)
        try:
            with watch:
                measure(
                    source, settings, reference=reference, dnsmos=dnsmos, watch=watch, report=report
                )
        except (RaypipeError, KeyboardInterrupt) as error:
            watch.ended_early()
            interrupted = isinstance(error, KeyboardInterrupt)
            report.interrupted = "interrupted" if interrupted else str(error)
            if report.scored or report.failed:
                write_results(report, csv_path, json_path)
            if not interrupted:
                raise
            click.echo("raypipe: interrupted", err=True)
            return INTERRUPTED
        try:
            write_results(report, csv_path, json_path)
        finally:
            if not quiet and not printed:
                print_report(report)
            watch.summary(report)
    return report.exit_code


def refuse_two_printed(csv_path: str | None, json_path: str | None) -> None:
    """One standard output takes one file."""
    if csv_path == json_path == STANDARD_OUTPUT:
        raise click.UsageError("only one of --csv and --json can be printed")
