"""One page that tells a scoring run: scan, schedule, measure, remember.

Comes in: a folder of recordings and settings. Goes out: a `ScoreReport`, one row a file. The same
schedule and executors as a run's, so that a file that kills its worker costs that file alone; but
no segments, as most measures need the whole file, and no collectors, as a row is small and goes
straight to the driver.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from raypipe.errors import ModelError, UsageError
from raypipe.execution.events import Executor
from raypipe.execution.inline import InlineExecutor
from raypipe.execution.references import find_reference
from raypipe.execution.scorer import ScoreJob, Scorer
from raypipe.executors import (
    SMALL_JOB_BYTES,
    dashboard_told,
    input_seen,
    nobody,
    works_inline,
)
from raypipe.machine import usable_cpus
from raypipe.plan.collisions import PATIENCE, Listed
from raypipe.plan.route import Route, find_source
from raypipe.plan.scan import scan
from raypipe.quality.dnsmos import Dnsmos, find_networks
from raypipe.results.scores import ScoreReport
from raypipe.score_loop import ScoreLoop, ScoreWatch, Work
from raypipe.settings import RunSettings
from raypipe.storage import is_address, located, scheme_of, show
from raypipe.storage.listing import exists, is_folder
from raypipe.storage.paths import READ_ONLY
from raypipe.types import AudioFile

SMALL_DEEP_BYTES = 8 << 20
"""Up to here ``auto`` works in this process where DNSMOS, PESQ or STOI are wanted: they cost as
much as eight times the bytes do otherwise."""

BEGINS_ANEW = "the same command begins anew"
"""What a lost cluster comes to: no row is known again by a later run."""

FOR_REFERENCES, FOR_DNSMOS = ("pystoi", "pesq"), ("onnxruntime",)
"""Modules that a node must have if the driver's has them: else rows would depend on the node."""

LOOKED_AT = 100
"""So many files are looked at for one that has a reference."""

WORKER_BYTES = 500 << 20
"""Memory of one worker: raypipe and scipy, DNSMOS, a minute of a 192 kHz recording, measured."""


def score(
    source: str | os.PathLike[str],
    settings: RunSettings | None = None,
    *,
    reference: str | os.PathLike[str] | None = None,
    dnsmos: str | os.PathLike[str] | None = None,
    watch: ScoreWatch | None = None,
    report: ScoreReport | None = None,
) -> ScoreReport:
    """Measure recordings.

    Parameters
    ----------
    source : path
        A file, a folder, a glob or ``@list``, here or in a store.
    settings : RunSettings, optional
        Which files, and where the work is done; what concerns models and outputs is not looked at.
    reference : path, optional
        Folder with a reference of the same relative name for each file (its ending may be another),
        or one reference where `source` is one file.
    dnsmos : path, optional
        Folder that holds DNSMOS's networks, or its ``sig_bak_ovr.onnx``.
    watch : ScoreWatch, optional
        Is told of progress and of each file.
    report : ScoreReport, optional
        Takes the rows, also of a run that ends early; a new one by default.

    Returns
    -------
    ScoreReport
        Every file with its measures, or why it has none.

    Raises
    ------
    UsageError, ModelError, StorageError
        Before the start where possible.
    TooManyFailures
        Once `settings.max_failures` files have failed.
    """
    begin_s = time.monotonic()
    work = _prepare(os.fspath(source), settings or RunSettings(), reference, dnsmos)
    deep, judged = work.job.reference is not None, work.job.networks is not None
    report = report or ScoreReport(deep=deep, judged=judged)
    executor = _executor(work, watch)
    try:
        executor.start()
        ScoreLoop(work, executor, report, watch).run()
    finally:
        executor.close()
        report.wall_s = time.monotonic() - begin_s
    return report


def _prepare(
    source: str,
    settings: RunSettings,
    reference: str | os.PathLike[str] | None,
    dnsmos: str | os.PathLike[str] | None,
) -> Work:
    route = find_source(source)
    root, one = _reference_at(reference, route)
    job = ScoreJob(root, one, _networks(dnsmos), settings.raw, settings.keep_truncated)
    files = (file for file in scan(route, settings) if isinstance(file, AudioFile))
    sizes = [file.size for file in islice(files, PATIENCE)]
    return Work(route, settings, job, Listed(len(sizes), sum(sizes), len(sizes) < PATIENCE))


def _reference_at(
    reference: str | os.PathLike[str] | None, route: Route
) -> tuple[str | None, bool]:
    """The references' folder or, where one file is measured, the reference itself; which it is."""
    if reference is None:
        return None, False
    if not os.fspath(reference):
        raise UsageError("the folder of references must not be empty")
    root = located(reference)
    far, web = is_address(root), scheme_of(root) in READ_ONLY  # which nobody can list
    if not web and (is_folder(root) if far else os.path.isdir(root)):
        return root, False
    if not (exists(root) if far else os.path.exists(root)):
        raise UsageError(f"{show(root)}: no such folder of references")
    if route.kind != "file":
        raise UsageError(
            f"{show(root)}: is a file, but {show(route.source)} needs a folder of references"
        )
    return root, True


def _networks(path: str | os.PathLike[str] | None) -> tuple[bytes, bytes | None] | None:
    """DNSMOS's networks, looked at before the start, as they travel to the workers."""
    if path is None:
        return None
    p835, p808 = find_networks(os.fspath(path))
    Dnsmos(p835, p808)
    try:
        return Path(p835).read_bytes(), Path(p808).read_bytes() if p808 else None
    except OSError as error:
        raise ModelError(f"{show(p835)}: cannot be read: {error.strerror}") from error


def _executor(work: Work, watch: ScoreWatch | None) -> Executor:
    settings, listed = work.settings, work.listed
    make = partial(Scorer, work.job)
    most_bytes = SMALL_DEEP_BYTES if work.deep else SMALL_JOB_BYTES
    if works_inline(settings, listed, died_inline=False, most_bytes=most_bytes):
        return InlineExecutor(make)
    from raypipe.execution.ray_executor import Crew, RayExecutor  # half a second to import
    from raypipe.execution.sight import sight_of

    crew = Crew(
        asked=settings.workers,
        most=settings.max_workers,
        local=settings.workers or min(usable_cpus(), settings.max_workers or usable_cpus()),
        memory_bytes=settings.worker_memory_bytes or WORKER_BYTES,
        see=lambda: sight_of(_sources(work), modules=_modules(work.job)),
        comes_to=BEGINS_ANEW,
    )
    told = dashboard_told(settings, nobody if watch is None else watch.note)
    return RayExecutor(make, None, settings.address, crew, told)


def _sources(work: Work) -> Iterator[tuple[str, int | None]]:
    """What other nodes must see: of the references the same as of the input."""
    listed = (f for f in scan(work.route, work.settings) if isinstance(f, AudioFile))
    files = list(islice(listed, LOOKED_AT))
    yield from input_seen(work.route, files)
    root = work.job.reference
    if root is None or is_address(root):
        return
    if work.job.one_reference:
        yield root, os.path.getsize(root)
        return
    yield root, None
    found = (find_reference(root, file.name) for file in files)
    for path in islice((path for path in found if path and os.path.isfile(path)), 1):
        yield path, os.path.getsize(path)


def _modules(job: ScoreJob) -> tuple[str, ...]:
    wanted = FOR_REFERENCES * (job.reference is not None) + FOR_DNSMOS * (job.networks is not None)
    return tuple(module for module in wanted if find_spec(module) is not None)
