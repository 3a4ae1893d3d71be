"""What a run has to do, found out before anything is written.

Comes in: IN, OUT and settings. Goes out: a `Work`, and its files one after the other: each is to
be worked on, or has its outcome at once, since it is done, in the way of another or not ours.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from raypipe.inference.model_file import ModelFile
from raypipe.inference.zoo import find_model
from raypipe.plan.collisions import Guard, Listed, refuse_collisions
from raypipe.plan.route import Route, find_route
from raypipe.plan.scan import scan
from raypipe.results.journal import Journal
from raypipe.settings import RunSettings
from raypipe.storage import Place, absolute, place_at, show
from raypipe.types import AudioFile, Failed, Outcome, Skipped


@dataclass(frozen=True, slots=True)
class Work:
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


def prepare(source: str, output: str, settings: RunSettings) -> Work:
    """Look at IN, OUT and the model.

    Raises
    ------
    UsageError, StorageError, ModelError
        If this cannot be meant, or two inputs would have one output.
    """
    route = find_route(source, output, settings)
    settings = replace(settings, output_format=route.output_format)
    model = find_model(settings.model, settings.rate_hz)
    if os.path.exists(model.path):  # workers may stand in another folder
        model = replace(model, path=os.path.abspath(model.path))
    listed = refuse_collisions(
        lambda: scan(route, settings), names_stay=settings.output_format == "keep"
    )
    return Work(route, settings, model, listed, settings.fingerprint(model.fingerprint))


def to_do(work: Work, place: Place) -> Iterator[AudioFile | Outcome]:
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
    file: AudioFile, work: Work, place: Place, journal: Journal | None
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


def preview(
    source: str | os.PathLike[str], output: str | os.PathLike[str], settings: RunSettings
) -> Iterator[AudioFile | Outcome]:
    """What `run` would do: a file that would be worked on, or the outcome it would have at once.

    Writes nothing; raises what `run` would raise before its start.
    """
    work = prepare(os.fspath(source), os.fspath(output), settings)
    yield from to_do(work, place_at(work.route.output_root))
