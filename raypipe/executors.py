"""Which executor a run gets: this process, or workers on Ray.

Comes in: a run's work and its output. Goes out: an executor that has been started, with lanes,
workers and memory as the settings say or as the machine and the model suggest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice

from raypipe.execution.events import Collects, Executor, Steps
from raypipe.execution.inline import InlineExecutor
from raypipe.execution.needs import worker_bytes
from raypipe.execution.worker import Worker, WorkerJob
from raypipe.plan.collisions import Listed
from raypipe.plan.route import Route
from raypipe.plan.scan import scan
from raypipe.plan.schedule import batch_seconds
from raypipe.results.collector import Collector, CollectorJob
from raypipe.settings import RunSettings
from raypipe.storage import Place
from raypipe.tuning import Tuned, tuned
from raypipe.types import AudioFile, Failed
from raypipe.work import Work

SMALL_JOB_BYTES = 64 << 20
"""Up to here ``auto`` works in this process: it is done before a Ray would have started."""

INLINE_MARK = "inline"
"""Stands in the output while a run works in this process; a crash leaves it there."""


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


@contextlib.contextmanager
def executor_for(
    work: Work, place: Place, note: Callable[[str], None]
) -> Iterator[tuple[Executor, int]]:
    """The executor that the settings or the size of the job ask for, and its workers' lanes.

    Parameters
    ----------
    work, place
        What is to be done, and where its output goes.
    note : callable
        Is told where the dashboard is, if one was asked for.

    Yields
    ------
    tuple of Executor and int
        Started; closed when the ``with`` block ends.
    """
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
        auto = Tuned(lanes, auto.workers)
        told = dashboard_told(settings, note)
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
    work: Work,
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
        see=lambda: sight_of(input_seen(work.route, scan(work.route, settings)), place),
    )
    return RayExecutor(make_worker, make_collector, settings.address, crew, dashboard)


def input_seen(
    route: Route, listed: Iterable[AudioFile | Failed]
) -> Iterator[tuple[str, int | None]]:
    """What other nodes must see of the input: its root, and a file in it, since an empty mount
    point looks like a folder, too."""
    if route.kind != "list":  # there it is what the listed have in common, if anything
        yield route.root, None
    for file in islice((file for file in listed if isinstance(file, AudioFile)), 1):
        yield file.path, file.size


def dashboard_told(
    settings: RunSettings, note: Callable[[str], None]
) -> Callable[[str], None] | None:
    """Notes the address of Ray's dashboard; None where nobody asked for one."""
    if not settings.dashboard:
        return None
    return lambda url: note(f"dashboard: {url} (if it asks for a token: `ray get-auth-token`)")


def nobody(text: str) -> None:
    """Hears what nobody asked for."""
