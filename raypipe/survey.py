"""What a run would do, found out without writing anything: ``raypipe plan``.

Comes in: IN, OUT and settings. Goes out: a `Survey`: hours of audio by format,
unreadable files, disk needed, and the time that the run will take, from a short
calibration on this machine. Opens every file; decodes only the first seconds of
the few that it measures with.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from raypipe.audio.probe import probe
from raypipe.audio.target import target_for
from raypipe.errors import AudioError
from raypipe.execution.worker import Worker, WorkerJob
from raypipe.executors import works_inline
from raypipe.inference.zoo import find_model
from raypipe.machine import usable_cpus
from raypipe.plan.collisions import Listed
from raypipe.plan.route import find_route
from raypipe.settings import DEFAULT_LANES, RunSettings
from raypipe.storage import free_bytes
from raypipe.storage.inputs import opened_together
from raypipe.storage.remote import OPENED_AT_A_TIME
from raypipe.tuning import tuned
from raypipe.types import (
    AudioFile,
    Failed,
    FrameBatch,
    Outcome,
    Segment,
    Skipped,
    SoundInfo,
    SoundTarget,
    Stepped,
)
from raypipe.work import preview

CALIBRATION_S = 0.5
"""Time that the calibration takes, or one call where that takes longer."""

CALIBRATION_SEGMENT_S = 2.0
"""Sound that each of its calls takes from each file: as much work a call as in a run."""

RAY_START_S = 5.0
"""What a local Ray and its first actors take to start, measured on two cores."""

COMPRESSED = 0.7
"""FLAC and ALAC against PCM: on the cautious side for speech."""

SAMPLE_BYTES = {
    "PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "ALAC_16": 2, "PCM_24": 3,
    "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip


@dataclass(slots=True)
class Kind:
    """Files of one format, rate and channel count."""

    files: int = 0
    audio_s: float = 0.0


@dataclass(slots=True)
class Survey:
    """What `survey` has found."""

    to_do: int = 0
    skipped: int = 0
    audio_s: float = 0.0
    unmeasured: int = 0
    """Files whose header does not say how long they are."""
    kinds: dict[tuple[str, str, int, int], Kind] = field(default_factory=dict)
    """By container, subtype, rate in Hz, channels."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Name and reason of every file that would fail already now."""
    notes: dict[str, int] = field(default_factory=dict)
    """What could not be kept, by number of files."""
    output_bytes: int = 0
    """Estimate."""
    free_bytes: int | None = None
    executor: str = "inline"
    """``inline`` or ``ray``."""
    workers: int = 1
    x_real_time: float = 0.0
    """Of one worker, in seconds of audio a second: reading, model and encoding."""
    predicted_s: float = 0.0


def survey(
    source: str,
    output: str,
    settings: RunSettings,
    *,
    tell: Callable[[int], None] = lambda files: None,
) -> Survey:
    """Look at everything that a run would do.

    Parameters
    ----------
    source, output, settings
        As for `raypipe.driver.run`.
    tell : callable
        Is called with the number of files looked at so far.

    Raises
    ------
    UsageError, ModelError
        What a run would raise before its start; two inputs for one output among them.
    """
    found = Survey()
    route = find_route(source, output, settings)
    settings = replace(settings, output_format=route.output_format)
    sample = _Sample(settings.lanes or DEFAULT_LANES)
    listed_bytes = 0
    for number, item in enumerate(_opened_ahead(preview(source, output, settings)), 1):
        if isinstance(item, AudioFile):
            listed_bytes += item.size
            if _look_at(item, settings, found):
                sample.take(item)
        elif isinstance(item, Failed):
            found.failed.append((item.file.name, item.reason))
        elif isinstance(item, Skipped):
            listed_bytes += item.file.size
            found.skipped += 1
        tell(number)
    found.free_bytes = free_bytes(route.output_root)
    found.executor, found.workers = _where(settings, listed_bytes)
    found.x_real_time = calibrate(sample.files, settings)
    if found.x_real_time:
        found.predicted_s = found.audio_s / found.x_real_time / found.workers
        found.predicted_s += RAY_START_S if found.executor == "ray" else 0.0
    return found


def _opened_ahead(items: Iterator[AudioFile | Outcome]) -> Iterator[AudioFile | Outcome]:
    """The same, with the beginnings of those that lie in a store fetched some at a time."""
    while some := list(islice(items, OPENED_AT_A_TIME)):
        held = opened_together(item.path for item in some if isinstance(item, AudioFile))
        yield from some
        for file in held:
            file.close()


def _where(settings: RunSettings, listed_bytes: int) -> tuple[str, int]:
    """The executor that a run would choose, and its workers."""
    listed = Listed(0, listed_bytes, complete=True)
    if works_inline(settings, listed, died_inline=False):
        return "inline", 1
    return "ray", settings.workers or min(usable_cpus(), settings.max_workers or usable_cpus())


class _Sample:
    """A few files of a listing, each as likely as any other (seeded, so the same each time)."""

    def __init__(self, most: int) -> None:
        self.files: list[AudioFile] = []
        self._most, self._seen = most, 0
        self._random = random.Random(0)  # noqa: S311 - no secret

    def take(self, file: AudioFile) -> None:
        """One more file of the listing."""
        self._seen += 1
        if len(self.files) < self._most:
            self.files.append(file)
        elif (place := self._random.randrange(self._seen)) < self._most:
            self.files[place] = file


def _look_at(file: AudioFile, settings: RunSettings, found: Survey) -> bool:
    """Count one file; False where it would fail."""
    try:
        info = probe(file.path, settings.raw)
        suffix = os.path.splitext(file.output)[1]
        target, notes = target_for(info, settings.output_format, suffix, settings.raw)
    except AudioError as error:
        found.failed.append((file.name, error.reason))
        return False
    except OSError as error:
        found.failed.append((file.name, f"cannot be read: {error.strerror or error}"))
        return False
    found.to_do += 1
    seconds = (info.frames or 0) / info.rate_hz
    found.unmeasured += info.frames is None
    found.audio_s += seconds
    kind = found.kinds.setdefault(
        (info.container, info.subtype, info.rate_hz, info.channels), Kind()
    )
    kind.files += 1
    kind.audio_s += seconds
    for note in (*info.notes, *notes):
        found.notes[note] = found.notes.get(note, 0) + 1
    found.output_bytes += _size_guess(info, target, file.size)
    return True


def _size_guess(info: SoundInfo, target: SoundTarget, input_bytes: int) -> int:
    sample_bytes = SAMPLE_BYTES.get(target.subtype)
    if sample_bytes is None or info.frames is None:
        return input_bytes
    size = info.frames * info.channels * sample_bytes
    return int(size * COMPRESSED) if target.container in ("FLAC", "CAF") else size


def calibrate(files: Sequence[AudioFile], settings: RunSettings) -> float:
    """How many times real time one worker goes on this machine: read, step, encode.

    Parameters
    ----------
    files : sequence of AudioFile
        Are read from their beginnings, side by side, and not written anywhere.
    settings : RunSettings
        As for a run.

    Returns
    -------
    float
        Seconds of audio a second; 0 where no file could be read.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    model = find_model(settings.model, settings.rate_hz)
    lanes = settings.lanes or tuned(model, measure=False).lanes
    worker = Worker(WorkerJob(model, lanes, settings), "plan")
    going = [Segment(number, file, 0, 0) for number, file in enumerate(files)]
    heard_s = spent_s = 0.0
    with closing(worker):
        while going and spent_s < CALIBRATION_S:
            begin_s = time.perf_counter()
            result, _ = worker.step(FrameBatch(0, tuple(going), CALIBRATION_SEGMENT_S))
            spent_s += time.perf_counter() - begin_s
            pairs = list(zip(going, result.answers, strict=True))
            going = []
            for segment, answer in pairs:
                if isinstance(answer, Stepped):
                    heard_s += answer.read / answer.info.rate_hz
                    if not answer.ended:
                        start = segment.start + answer.read
                        going.append(
                            replace(segment, start=start, info=answer.info, state=answer.state)
                        )
    return heard_s / spent_s if spent_s else 0.0
