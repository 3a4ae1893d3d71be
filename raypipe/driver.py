"""One page that tells a run: scan, segment, schedule, dispatch, collect, report.

Comes in: IN, OUT and settings. Goes out: a `RunReport`. The rooms `plan`,
`execution` and `results` meet here and nowhere else; each decides, does or
remembers one thing, and this page is the order in which they do.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial

import numpy as np

from raypipe.dispatch import Dispatch, Watch
from raypipe.errors import RaypipeError, StorageError
from raypipe.execution.events import Executor
from raypipe.execution.inline import InlineExecutor
from raypipe.execution.worker import Worker, WorkerJob
from raypipe.inference.zoo import ModelFile, find_model
from raypipe.plan.collisions import Guard, Listed, refuse_collisions
from raypipe.plan.scan import Route, find_route, scan
from raypipe.plan.schedule import Schedule
from raypipe.results.collector import Collector, CollectorJob
from raypipe.results.journal import Journal
from raypipe.results.report import RunReport, settings_facts
from raypipe.settings import RunSettings
from raypipe.storage import PRIVATE, Hold, Place
from raypipe.types import AudioFile, Failed, Outcome, Skipped
from raypipe.version import VERSION

SMALL_JOB_BYTES = 64 << 20
"""Up to here ``auto`` works in this process: it is done before a Ray would have started."""

DEFAULT_LANES = 64
"""Where streaming models measured so far stop gaining from more lanes."""


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
        See `raypipe.plan.scan.find_route`.
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
    route = find_route(os.fspath(source), os.fspath(output), settings)
    settings = replace(settings, output_format=route.output_format)
    model = find_model(settings.model, settings.rate_hz)
    listed = refuse_collisions(
        lambda: scan(route, settings), names_stay=settings.output_format == "keep"
    )
    fingerprint = settings.fingerprint(model.fingerprint)
    result = RunReport(VERSION, settings_facts(asdict(settings)), _model_facts(model), _place())
    resumable = route.output_name is None
    with Hold(route.output_root, resumable=resumable) as place:
        journal = Journal(place) if resumable else None
        todo = _to_do(route, settings, place, journal, fingerprint)
        try:
            with _executor(settings, model, place, fingerprint, listed, resumable) as executor:
                workers = getattr(executor, "workers", 1)
                lanes = settings.lanes or DEFAULT_LANES
                schedule = Schedule(lanes, workers, settings.segment_s)
                find = partial(_published, journal, fingerprint)
                Dispatch(
                    schedule, executor, todo, result, settings, listed, find, begin_s, watch
                ).run()
        except BaseException as error:
            result.interrupted = _ending(error)
            result.totals.wall_s = time.monotonic() - begin_s
            with contextlib.suppress(StorageError):  # must not hide what ended the run
                _write_report(result, report, place if resumable else None)
            raise
        result.totals.wall_s = time.monotonic() - begin_s
        _write_report(result, report, place if resumable else None)
    return result


def preview(
    source: str | os.PathLike[str], output: str | os.PathLike[str], settings: RunSettings
) -> Iterator[AudioFile | Outcome]:
    """What `run` would do: a file that would be worked on, or the outcome it would have at once.

    Writes nothing; raises what `run` would raise before its start.
    """
    route = find_route(os.fspath(source), os.fspath(output), settings)
    settings = replace(settings, output_format=route.output_format)
    model = find_model(settings.model, settings.rate_hz)
    refuse_collisions(lambda: scan(route, settings), names_stay=settings.output_format == "keep")
    place = Place(route.output_root, os.path.join(route.output_root, PRIVATE), "")
    journal = Journal(place) if route.output_name is None else None
    yield from _to_do(route, settings, place, journal, settings.fingerprint(model.fingerprint))


def _to_do(
    route: Route,
    settings: RunSettings,
    place: Place,
    journal: Journal | None,
    fingerprint: str,
) -> Iterator[AudioFile | Outcome]:
    """The listing, with an outcome in the place of every file that needs no work."""
    guard = Guard(route.root)
    for file in scan(route, settings):
        if isinstance(file, Failed):
            yield file
        elif clash := guard.check(file):
            yield clash
        else:
            yield _without_work(file, settings, place, journal, fingerprint) or file


def _without_work(
    file: AudioFile,
    settings: RunSettings,
    place: Place,
    journal: Journal | None,
    fingerprint: str,
) -> Outcome | None:
    if journal is not None and not settings.fresh and journal.finds(file, fingerprint):
        return Skipped(file, "already done, with the same model and settings")
    if settings.overwrite or not os.path.lexists(place.final(file.output)):
        return None
    if journal is not None and journal.made(file.output):
        return None  # ours, but of another input, model or settings: it is made anew
    if journal is None:
        return Failed(file, "its output exists already; --overwrite replaces it")
    return Skipped(file, "its output exists and is not raypipe's; --overwrite replaces it")


def _published(journal: Journal | None, fingerprint: str, file: AudioFile) -> Outcome | None:
    """What a collector that died had still published of this file."""
    if journal is None:
        return None
    journal.reload()
    return journal.finds(file, fingerprint)


@contextlib.contextmanager
def _executor(
    settings: RunSettings,
    model: ModelFile,
    place: Place,
    fingerprint: str,
    listed: Listed,
    resumable: bool,
) -> Iterator[Executor]:
    """The executor that the settings or the size of the job ask for; closed at the end."""
    job = WorkerJob(model, settings.lanes or DEFAULT_LANES, settings)
    make_worker = partial(Worker, job)
    make_collector: Callable[[int, str], Collector] = partial(
        Collector, CollectorJob(place, fingerprint, settings.clip, resumable)
    )
    mark = os.path.join(place.private, "inline")
    executor: Executor
    if _inline(settings, listed, died_inline=os.path.exists(mark)):
        _touch(mark)
        executor = InlineExecutor(make_worker, make_collector)
    else:
        from raypipe.execution.ray_executor import RayExecutor  # half a second to import

        executor = RayExecutor(make_worker, make_collector, settings.workers, settings.address)
    try:
        executor.start()
        yield executor
    finally:
        executor.close()
        with contextlib.suppress(OSError):
            os.unlink(mark)


def _inline(settings: RunSettings, listed: Listed, *, died_inline: bool) -> bool:
    """``auto``: inline where the job is small, nobody asked for more, and it did not die of it."""
    if settings.executor != "auto":
        return settings.executor == "inline"
    asked_for_ray = settings.address is not None or (settings.workers or 1) > 1
    small = listed.complete and listed.bytes <= SMALL_JOB_BYTES
    return small and not asked_for_ray and not died_inline


def _touch(path: str) -> None:
    with contextlib.suppress(OSError), open(path, "w"):
        pass


def _write_report(
    result: RunReport, path: str | os.PathLike[str] | None, place: Place | None
) -> None:
    """The report that was asked for, and one in the output; the latter only if it can be."""
    if place is not None:
        with contextlib.suppress(StorageError):
            result.write(os.path.join(place.private, "report.json"))
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


def _place() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
    }
