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
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice

import numpy as np

from raypipe.dispatch import Dispatch, Watch
from raypipe.errors import RaypipeError, StorageError, UsageError
from raypipe.execution.events import Collects, Executor, Steps
from raypipe.execution.inline import InlineExecutor
from raypipe.execution.needs import worker_bytes
from raypipe.execution.worker import Worker, WorkerJob
from raypipe.inference.zoo import ModelFile, find_model
from raypipe.monitoring.monitor import Monitor, start_monitor
from raypipe.monitoring.standing import About
from raypipe.plan.collisions import Guard, Listed, refuse_collisions
from raypipe.plan.route import Route, find_route
from raypipe.plan.scan import scan
from raypipe.plan.schedule import Schedule, batch_seconds
from raypipe.results.collector import Collector, CollectorJob
from raypipe.results.journal import Journal, published_by
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
    place_at,
    scheme_of,
    show,
)
from raypipe.storage.paths import READ_ONLY
from raypipe.tuning import Tuned, tuned
from raypipe.types import AudioFile, Failed, Outcome, Skipped
from raypipe.version import VERSION

SMALL_JOB_BYTES = 64 << 20
"""Up to here ``auto`` works in this process: it is done before a Ray would have started."""


INLINE_MARK = "inline"
"""Stands in the output while a run works in this process; a crash leaves it there."""


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
    work = _prepare(os.fspath(source), os.fspath(output), settings)
    _check_report(report, work.route)
    settings = work.settings
    result = RunReport(
        VERSION, settings_facts(asdict(settings)), _model_facts(work.model), _place(work.route)
    )
    with hold(work.route.output_root, work.route.output_name) as place:
        todo = _to_do(work, place)
        try:
            with (
                _executor(work, place, watch) as (executor, lanes),
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


def preview(
    source: str | os.PathLike[str], output: str | os.PathLike[str], settings: RunSettings
) -> Iterator[AudioFile | Outcome]:
    """What `run` would do: a file that would be worked on, or the outcome it would have at once.

    Writes nothing; raises what `run` would raise before its start.
    """
    work = _prepare(os.fspath(source), os.fspath(output), settings)
    yield from _to_do(work, place_at(work.route.output_root))


@dataclass(frozen=True, slots=True)
class _Work:
    """What is known before anything is written."""

    route: Route
    settings: RunSettings
    """With the output format that OUT's own ending may ask for."""
    model: ModelFile
    listed: Listed
    fingerprint: str

    @property
    def resumable(self) -> bool:
        """False where OUT is one file: there is nothing to go on with."""
        return self.route.output_name is None


def _prepare(source: str, output: str, settings: RunSettings) -> _Work:
    route = find_route(source, output, settings)
    settings = replace(settings, output_format=route.output_format)
    model = find_model(settings.model, settings.rate_hz)
    if os.path.exists(model.path):  # workers may stand in another folder
        model = replace(model, path=os.path.abspath(model.path))
    listed = refuse_collisions(
        lambda: scan(route, settings), names_stay=settings.output_format == "keep"
    )
    return _Work(route, settings, model, listed, settings.fingerprint(model.fingerprint))


def _to_do(work: _Work, place: Place) -> Iterator[AudioFile | Outcome]:
    """The listing, with an outcome in the place of every file that needs no work."""
    journal = Journal(place) if work.resumable else None
    guard = None if work.listed.complete else Guard(work.route, work.settings)
    for file in scan(work.route, work.settings):
        if isinstance(file, Failed):
            yield file
        elif guard is not None and (clash := guard.check(file)):
            yield clash
        else:
            yield _without_work(file, work, place, journal) or file


def _without_work(
    file: AudioFile, work: _Work, place: Place, journal: Journal | None
) -> Outcome | None:
    settings = work.settings
    if journal is not None and not settings.fresh and journal.finds(file, work.fingerprint):
        return Skipped(file, "already done, with the same model and settings")
    if settings.overwrite or not place.exists(file.output):
        return None
    maker = journal.maker(file) if journal is not None else None
    if maker is None:
        return Skipped(file, "its output exists and is not raypipe's; --overwrite replaces it")
    if maker != absolute(file.path):
        return Failed(file, f"its output was made of {show(maker)}; --overwrite replaces it")
    return None  # ours, but the input, the model or the settings have changed: it is made anew


@contextlib.contextmanager
def _executor(work: _Work, place: Place, watch: Watch | None) -> Iterator[tuple[Executor, int]]:
    """The executor that the settings or the size of the job ask for, and its workers' lanes."""
    settings = work.settings
    inline = works_inline(settings, work.listed, died_inline=place.marked(INLINE_MARK))
    # A small job would be over before its measurement.
    worth_it = not inline and settings.address is None and settings.lanes is None
    auto = tuned(work.model, measure=worth_it)
    lanes = settings.lanes or auto.lanes
    near = place if place.near_workers else None
    make_worker = partial(Worker, WorkerJob(work.model, lanes, settings, near))
    make_collector = partial(
        Collector, CollectorJob(place, work.fingerprint, settings.clip, work.resumable)
    )
    executor: Executor
    if inline:
        place.mark(INLINE_MARK)
        executor = InlineExecutor(make_worker, make_collector)
    else:
        told = partial(_note_dashboard, watch) if settings.dashboard else None
        auto = Tuned(lanes, auto.workers)
        executor = _on_ray(make_worker, make_collector, work, place, auto, told)
    try:
        executor.start()
        yield executor, lanes
    finally:
        executor.close()
        place.unmark(INLINE_MARK)


def _on_ray(
    make_worker: Callable[..., Steps],
    make_collector: Callable[[int, str], Collects],
    work: _Work,
    place: Place,
    auto: Tuned,
    dashboard: Callable[[str], None] | None,
) -> Executor:
    from raypipe.execution.ray_executor import Crew, RayExecutor  # half a second to import
    from raypipe.execution.sight import sight_of

    settings = work.settings
    lane_s = batch_seconds(auto.lanes, settings.segment_s)
    crew = Crew(
        asked=settings.workers,
        most=settings.max_workers,
        local=auto.workers,
        memory_bytes=settings.worker_memory_bytes or worker_bytes(work.model, lane_s),
        model=work.model,
        run=place.run,
        see=lambda: sight_of(_sources(work), place),
    )
    return RayExecutor(make_worker, make_collector, settings.address, crew, dashboard)


def _sources(work: _Work) -> Iterator[tuple[str, int | None]]:
    """What other nodes must see of the input: its root, and a file in it, since an empty mount
    point looks like a folder, too."""
    if work.route.kind != "list":  # there it is what the listed have in common, if anything
        yield work.route.root, None
    first = (file for file in scan(work.route, work.settings) if isinstance(file, AudioFile))
    for file in islice(first, 1):
        yield file.path, file.size


def _note_dashboard(watch: Watch | None, url: str) -> None:
    if watch is not None:
        watch.note(f"dashboard: {url} (if it asks for a token: `ray get-auth-token`)")


def _monitor(
    work: _Work, place: Place, executor: Executor, lanes: int, result: RunReport, begin_s: float
) -> Monitor:
    route = work.route
    output = os.path.join(route.output_root, route.output_name or "").rstrip("/")
    about = About(place.run, work.model.card.name, output, lanes)
    private = place.private if isinstance(place, LocalPlace) and work.resumable else None
    return start_monitor(about, result.totals, begin_s, private, watched=executor.watched)


def works_inline(
    settings: RunSettings,
    listed: Listed,
    *,
    died_inline: bool,
    most_bytes: int = SMALL_JOB_BYTES,
) -> bool:
    """``auto``: inline where the job is small, nobody asked for more, and it did not die of it."""
    if settings.executor != "auto":
        return settings.executor == "inline"
    asked_for_ray = settings.address is not None or (settings.workers or 1) > 1
    asked_for_ray |= settings.dashboard
    small = listed.complete and listed.bytes <= most_bytes
    return small and not asked_for_ray and not died_inline


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
