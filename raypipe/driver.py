"""One page that tells a run: scan, segment, schedule, dispatch, collect, report.

Comes in: IN, OUT and settings. Goes out: a `RunReport`. What is to be done is the
word of `work`, who does it that of `executors`, and `dispatch` is the loop between
them; this page is the order in which they come, and what the report says of it all.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from dataclasses import asdict
from functools import partial

import numpy as np

from raypipe.dispatch import Dispatch
from raypipe.errors import RaypipeError, StorageError, UsageError
from raypipe.execution.events import Executor
from raypipe.executors import executor_for, nobody
from raypipe.inference.model_file import ModelFile
from raypipe.monitoring.monitor import Monitor, start_monitor
from raypipe.monitoring.standing import About
from raypipe.plan.route import Route
from raypipe.plan.schedule import Schedule
from raypipe.results.journal import published_by
from raypipe.results.report import RunReport, settings_facts
from raypipe.settings import RunSettings
from raypipe.storage import (
    LocalPlace,
    Place,
    absolute,
    hold,
    is_address,
    join,
    path_or_address,
    scheme_of,
    show,
)
from raypipe.storage.paths import READ_ONLY
from raypipe.tally import Watch
from raypipe.version import VERSION
from raypipe.work import Work, prepare, to_do


def run(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    settings: RunSettings,
    *,
    report: str | os.PathLike[str] | None = None,
    watch: Watch | None = None,
) -> RunReport:
    """Do everything that IN, OUT and the settings ask for.

    Parameters
    ----------
    source, output : path
        See `raypipe.plan.route.find_route`.
    settings : RunSettings
        What to do and how.
    report : path, optional
        Where to write the report; written also when the run ends early.
    watch : Watch, optional
        Is told of progress and of each outcome.

    Returns
    -------
    RunReport
        Every file with its outcome.

    Raises
    ------
    UsageError, StorageError, ModelError
        Before the start where possible; then nothing was written.
    TooManyFailures
        Once `settings.max_failures` files have failed.
    KeyboardInterrupt
        As it comes; what was published stays, and a later run goes on from there.
    """
    begin_s = time.monotonic()
    work = prepare(os.fspath(source), os.fspath(output), settings)
    _check_report(report, work.route)
    settings = work.settings
    result = RunReport(
        VERSION, settings_facts(asdict(settings)), _model_facts(work.model), _place(work.route)
    )
    with hold(work.route.output_root, work.route.output_name) as place:
        todo, note = to_do(work, place), nobody if watch is None else watch.note
        try:
            with (
                executor_for(work, place, note) as (executor, lanes),
                _monitor(work, place, executor, lanes, result, begin_s) as monitor,
            ):
                result.place |= {"run": place.run, "workers": executor.workers, "lanes": lanes}
                schedule = Schedule(lanes, executor.workers, settings.segment_s)
                find = partial(published_by, place, fingerprint=work.fingerprint)
                try:
                    Dispatch(
                        schedule, executor, todo, result, settings, work.listed, find, begin_s,
                        watch, monitor,
                    ).run()  # fmt: skip
                finally:
                    result.place |= executor.facts()
        except BaseException as error:
            result.interrupted = _ending(error)
            result.totals.wall_s = time.monotonic() - begin_s
            with contextlib.suppress(StorageError):  # must not hide what ended the run
                _write_report(result, report, place if work.resumable else None)
            raise
        result.totals.wall_s = time.monotonic() - begin_s
        _write_report(result, report, place if work.resumable else None)
    return result


def _monitor(
    work: Work, place: Place, executor: Executor, lanes: int, result: RunReport, begin_s: float
) -> Monitor:
    route = work.route
    output = os.path.join(route.output_root, route.output_name or "").rstrip("/")
    about = About(place.run, work.model.card.name, output, lanes)
    private = place.private if isinstance(place, LocalPlace) and work.resumable else None
    return start_monitor(about, result.totals, begin_s, private, watched=executor.watched)


def _check_report(path: str | os.PathLike[str] | None, route: Route) -> None:
    """A report that cannot be written should be heard of before the night, not after it."""
    if path is None:
        return
    report = path_or_address(path)
    if is_address(report):
        if scheme_of(report) in READ_ONLY:
            raise UsageError(f"{show(report)}: no report can be written there")
        return
    folder = os.path.dirname(os.path.abspath(path))
    if folder != route.output_root and not os.path.isdir(folder):
        raise UsageError(f"{show(os.fspath(path))}: there is no such folder for the report")


def _write_report(
    result: RunReport, path: str | os.PathLike[str] | None, place: Place | None
) -> None:
    """The report that was asked for, and one in the output; the latter only if it can be."""
    if place is not None:
        with contextlib.suppress(StorageError):
            place.write_report(result.write_to)
    if path is not None:
        result.write(path)


def _ending(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) if isinstance(error, RaypipeError) else f"{type(error).__name__}: {error}"


def _model_facts(model: ModelFile) -> dict[str, object]:
    card = model.card
    return {
        "name": card.name,
        "version": card.version,
        "path": model.path,
        "sha256": model.sha256,
        "rate_hz": card.rate_hz,
        "latency": card.latency,
    }


def _place(route: Route) -> dict[str, object]:
    output = join(route.output_root, route.output_name or "")
    return {
        "input": absolute(route.source),
        "output": output.rstrip("/") if route.output_name is None else output,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
    }
