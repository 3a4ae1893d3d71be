"""``raypipe top``: a running job, live in the terminal, from another terminal or machine."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from raypipe.cli.interrupts import interrupts_heard
from raypipe.cli.words import clock, say
from raypipe.errors import UsageError
from raypipe.storage import PRIVATE, show

if TYPE_CHECKING:
    from raypipe.monitoring.standing import Document

Look = Callable[[], "list[Document]"]
"""Gives what the runs that go on have told last."""

INTERVAL_S = 1.0

SILENT_S = 15.0
"""A run tells every second; one that has not for so long was killed, or its machine was."""


@click.command()
@click.argument("output", metavar="[OUT]", required=False)
@click.option("--address", metavar="ADDRESS", help="Ray cluster that the run works on.")
@click.option("--run", metavar="ID", help="Only the run whose id begins so.")
@click.option("--once", is_flag=True, help="Print how it stands now, and end; so it is also where "
              "the standard output is no terminal.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a run, and end.")
def top(
    output: str | None, address: str | None, run: str | None, once: bool, as_json: bool
) -> None:
    """Watch runs that go on in another terminal or on another machine.

    Without arguments: all of yours on this machine. OUT: the run that writes there, also from a
    machine that shares the disk. With --address: all runs of that Ray cluster. Shows progress,
    speed, queues, and each worker with its memory and what it is busy with; ends with the runs.
    """
    if output is not None and address is not None:
        raise click.UsageError("give the run's OUT, or the --address of its Ray cluster, not both")
    with _looking(output, address) as look_at_all:

        def look() -> list[Document]:
            return [one for one in look_at_all() if one["run"].startswith(run or "")]

        found = look()
        fresh = _fresh(found)
        if not fresh:
            raise UsageError(_nobody(output, address, run, found))
        if as_json:
            for one in fresh:
                say(json.dumps(one))
        elif once or not sys.stdout.isatty():
            _print(fresh)
        else:
            _watch(lambda: _fresh(look()), fresh)


def _fresh(documents: list[Document]) -> list[Document]:
    now_s = time.time()
    return [one for one in documents if now_s - one["updated_unix_s"] < SILENT_S]


@contextmanager
def _looking(output: str | None, address: str | None) -> Iterator[Look]:
    from raypipe.monitoring.boards import cluster_standings, machine_standings

    if address is not None:
        from raypipe.execution.cluster import ray_session

        with ray_session(address, 1):
            yield cluster_standings
    elif output is not None:
        yield lambda: _writing_to(output)
    else:
        yield machine_standings


def _writing_to(output: str) -> list[Document]:
    """The run whose OUT this is: by the file in there, or else (a bucket, one file) by its name."""
    from raypipe.monitoring.boards import file_standing, machine_standings, status_path

    found = file_standing(status_path(os.path.join(output, PRIVATE)))
    if found is not None:
        return [found]
    names = {output.rstrip("/"), os.path.abspath(output)}
    return [one for one in machine_standings() if {one["output"]} & names]


def _nobody(output: str | None, address: str | None, run: str | None, found: list[Document]) -> str:
    """One sentence for whoever looks where no run is."""
    if found:
        one = found[0]
        silent_s = time.time() - one["updated_unix_s"]
        return (
            f"run {one['run']} (process {one['pid']} on {one['host']}) has told nothing for "
            f"{clock(silent_s)}: it was killed, or its machine is gone; run its command again to "
            "go on"
        )
    which = "no run" if run is None else f"no run whose id begins with {run}"
    if address is not None:
        return f"{which} goes on in the cluster at {address}"
    if output is None:
        return f"{which} of yours goes on on this machine; elsewhere: give its OUT or --address"
    report = os.path.join(output, PRIVATE, "report.json")
    if os.path.isfile(report):
        return f"{show(output)}: {which} goes on here; the last one's report is {show(report)}"
    return f"{show(output)}: {which} goes on here"


def _print(documents: list[Document]) -> None:
    from rich.console import Console

    from raypipe.cli.top_page import page

    Console(highlight=False).print(page(documents))


def _watch(look: Look, documents: list[Document]) -> None:
    """Draw again and again until no run is left; the last standing stays on the screen."""
    from rich.console import Console
    from rich.live import Live

    from raypipe.cli.top_page import page

    with (
        suppress(KeyboardInterrupt),  # whoever looks on may go; nothing is interrupted by that
        interrupts_heard(""),
        Live(page(documents), console=Console(highlight=False), auto_refresh=False) as live,
    ):
        while True:
            time.sleep(INTERVAL_S)
            found = look()
            if not found:
                return
            live.update(page(found), refresh=True)
