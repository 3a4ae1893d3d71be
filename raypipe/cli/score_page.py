"""A `ScoreReport` as a person reads it, and as files.

Few files: a row for each, in tables of at most 100 columns. Many: what they come to, and the
worst of them by name.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from heapq import nsmallest
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raypipe.cli.words import clock, say
from raypipe.errors import StorageError, UsageError
from raypipe.results.scores import ScoreReport, Summary
from raypipe.storage import is_address, path_or_address, scheme_of, show, write_text
from raypipe.storage.paths import READ_ONLY

FEW = 20
MOST_WORST = 10
LONGEST_NAME = 28

HEADS = {
    "duration_s": ("length", ""), "peak_dbfs": ("peak", "dBFS"),
    "clipped_share": ("clipped", "%"), "clipped_runs": ("clipped runs", ""),
    "loudness_lufs": ("loudness", "LUFS"), "active_level_dbfs": ("active level", "dBFS"),
    "silence_share": ("silence", "%"), "noise_floor_dbfs": ("floor", "dBFS"),
    "snr_db": ("SNR est.", "dB"), "bandwidth_hz": ("bandwidth", "Hz"),
    "si_sdr_db": ("SI-SDR", "dB"), "reference_snr_db": ("SNR", "dB"),
    "level_difference_db": ("level", "dB"), "delay_samples": ("delay", "samples"),
    "stoi": ("STOI", ""), "pesq_wb": ("PESQ-WB", ""), "dnsmos_sig": ("SIG", ""),
    "dnsmos_bak": ("BAK", ""), "dnsmos_ovrl": ("OVRL", ""), "dnsmos_p808": ("P.808", ""),
}  # fmt: skip
"""What stands over a column, and the unit."""

DECIMALS = {"Hz": 0, "samples": 0, "": 2}
"""By unit; others have one."""

LEFT_OUT = ("clipped_runs", "active_level_dbfs")
"""Not in the rows of few files, which have no room; CSV and JSON have them."""

WORST_BY = ("dnsmos_ovrl", "pesq_wb", "si_sdr_db", "snr_db")
"""The first of these that there is decides which files are the worst."""

TITLES = ("", "against the reference", "DNSMOS")


def print_report(report: ScoreReport) -> None:
    """Print it on the standard output."""
    page = io.StringIO()
    console = Console(
        file=page, force_terminal=sys.stdout.isatty(), highlight=False, soft_wrap=True, width=400
    )
    if report.scored:
        rows = [row for row in report.rows() if row["outcome"] == "scored"] if _few(report) else []
        for number, group in enumerate(report.groups):
            table = _rows(group, rows) if rows else _totals(group, report.summary())
            if TITLES[number]:
                console.print(Text(f"\n{TITLES[number]}", style="bold"))
            console.print(table)
        if not rows:
            _print_worst(report, console)
        say(page.getvalue().rstrip("\n"))


def _few(report: ScoreReport) -> bool:
    return report.scored + report.failed <= FEW


def _rows(names: list[str], rows: list[dict[str, Any]]) -> Table:
    shown = [name for name in names if name not in LEFT_OUT]
    table = Table(box=None, pad_edge=False)
    table.add_column("file\n")
    for name in shown:
        head, unit = HEADS[name]
        table.add_column(f"{head}\n{unit}", justify="right")
    for row in rows:
        table.add_row(
            Text(_shortened(row["path"])), *(number(name, row[name]) for name in shown)
        )  # fmt: skip
    return table


def _totals(names: list[str], summary: dict[str, Summary]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for head in ("mean", "10 %", "median", "90 %"):
        table.add_column(head, justify="right")
    table.add_column("unit")
    table.add_column("files", justify="right")
    for name in names:
        found = summary.get(name)
        if found is not None:
            values = (found.mean, found.p10, found.median, found.p90)
            head, unit = HEADS[name]
            table.add_row(head, *(number(name, v) for v in values), unit, str(found.count))
    return table


def _print_worst(report: ScoreReport, console: Console) -> None:
    name = next((name for name in WORST_BY if name in report.summary()), None)
    if name is None:
        return
    there = (row for row in report.rows() if row[name] is not None)
    head, unit = HEADS[name]
    console.print(Text(f"\nlowest {head}", style="bold"))
    for row in nsmallest(MOST_WORST, there, key=lambda row: (row[name], row["path"])):
        console.print(Text(f"{number(name, row[name]):>8} {unit}  {show(row['path'])}".rstrip()))


def number(name: str, value: float | None) -> str:
    """A measure as it stands in a table."""
    if value is None:
        return "-"
    unit = HEADS[name][1]
    if name == "duration_s":
        return clock(value)
    if unit == "%":
        return f"{100 * value:.3g}" if 0 < 100 * value < 0.1 else f"{100 * value:.1f}"
    if name == "clipped_runs":
        return f"{value:.0f}"
    return f"{value:.{DECIMALS.get(unit, 1)}f}"


def _shortened(name: str) -> str:
    """The end of a long name, which tells more than its beginning."""
    plain = show(name)
    return plain if len(plain) <= LONGEST_NAME else "…" + plain[1 - LONGEST_NAME :]


def check_results(csv_path: str | None, json_path: str | None) -> None:
    """What cannot be written should be heard of before the work, not after it.

    Raises
    ------
    UsageError
        If a place for results cannot be written to.
    """
    places = [_checked(path) for path in (csv_path, json_path) if path not in (None, "-")]
    if len(places) == 2 and places[0] == places[1]:
        raise UsageError(f"{show(csv_path or '')}: only one of --csv and --json can go there")


def _checked(path: str | None) -> str:
    """Where results go, in one spelling."""
    if not path:
        raise UsageError("--csv and --json want the name of a file, or - to print")
    place = path_or_address(path)
    if scheme_of(place) in READ_ONLY:
        raise UsageError(f"{show(place)}: no scores can be written there")
    if is_address(place):
        return place
    if os.path.isdir(place):
        raise UsageError(f"{show(path)}: is a folder, wanted is a file for the scores")
    if not os.path.isdir(os.path.dirname(os.path.abspath(place))):
        raise UsageError(f"{show(path)}: there is no such folder for the scores")
    return os.path.abspath(place)


def write_results(report: ScoreReport, csv_path: str | None, json_path: str | None) -> None:
    """Write what was asked for, each of it whether or not the other can be.

    Raises
    ------
    StorageError
        If something cannot be written.
    """
    refused: StorageError | None = None
    wanted = ((csv_path, report.write_csv), (json_path, report.write_json))
    for path, write in sorted(wanted, key=lambda one: one[0] == "-"):  # may have no reader
        try:
            if path == "-":
                _print(write)
            elif path is not None:
                write_text(path_or_address(path), write, "write the scores")
        except StorageError as error:
            refused = refused or error
    if refused is not None:
        raise refused


def _print(write: Callable[[IO[str]], None]) -> None:
    text = io.StringIO()
    write(text)
    say(text.getvalue().rstrip("\n"))
