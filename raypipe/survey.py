"""What a run would do, found out without writing anything: ``raypipe plan``.

Comes in: IN, OUT and settings. Goes out: a `Survey`: hours of audio by format,
unreadable files, disk needed, and the time that the run will take, from a short
calibration of the model on this machine. Opens every file, decodes none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from raypipe.audio.probe import probe
from raypipe.audio.target import target_for
from raypipe.driver import DEFAULT_LANES, preview
from raypipe.errors import AudioError
from raypipe.execution.cluster import local_cpus
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job
from raypipe.plan.scan import find_route
from raypipe.settings import RunSettings
from raypipe.storage import free_bytes
from raypipe.types import AudioFile, Failed, Skipped, SoundInfo, SoundTarget

CALIBRATION_S = 0.5
"""Time that the calibration takes."""

CALIBRATION_SOUND_S = 1.0
"""Sound a lane in each of its calls."""

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
    lane_s: float = 0.0
    """Seconds of audio times channels: what the model has to step."""
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
    workers: int = 1
    x_real_time: float = 0.0
    """Of one worker with full lanes, in lane seconds a second: the model alone."""
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
    found = Survey(workers=settings.workers or local_cpus())
    route = find_route(source, output, settings)
    settings = replace(settings, output_format=route.output_format)
    for number, item in enumerate(preview(source, output, settings), 1):
        if isinstance(item, AudioFile):
            _look_at(item, settings, found)
        elif isinstance(item, Failed):
            found.failed.append((item.file.name, item.reason))
        elif isinstance(item, Skipped):
            found.skipped += 1
        tell(number)
    found.free_bytes = free_bytes(route.output_root)
    found.x_real_time = calibrate(settings, _commonest_rate_hz(found))
    if found.to_do:
        found.predicted_s = found.lane_s / found.x_real_time / found.workers
        found.predicted_s += RAY_START_S if settings.executor != "inline" else 0.0
    return found


def _look_at(file: AudioFile, settings: RunSettings, found: Survey) -> None:
    try:
        info = probe(file.path, settings.raw)
        suffix = os.path.splitext(file.output)[1]
        target, notes = target_for(info, settings.output_format, suffix, settings.raw)
    except AudioError as error:
        found.failed.append((file.name, error.reason))
        return
    except OSError as error:
        found.failed.append((file.name, f"cannot be read: {error.strerror or error}"))
        return
    found.to_do += 1
    seconds = (info.frames or 0) / info.rate_hz
    found.unmeasured += info.frames is None
    found.audio_s += seconds
    found.lane_s += seconds * info.channels
    kind = found.kinds.setdefault(
        (info.container, info.subtype, info.rate_hz, info.channels), Kind()
    )
    kind.files += 1
    kind.audio_s += seconds
    for note in (*info.notes, *notes):
        found.notes[note] = found.notes.get(note, 0) + 1
    found.output_bytes += _size_guess(info, target, file.size)


def _size_guess(info: SoundInfo, target: SoundTarget, input_bytes: int) -> int:
    sample_bytes = SAMPLE_BYTES.get(target.subtype)
    if sample_bytes is None or info.frames is None:
        return input_bytes
    size = info.frames * info.channels * sample_bytes
    return int(size * COMPRESSED) if target.container in ("FLAC", "CAF") else size


def _commonest_rate_hz(found: Survey) -> int:
    by_seconds = {key[2]: kind.audio_s for key, kind in found.kinds.items()}
    return max(by_seconds, key=lambda rate_hz: by_seconds[rate_hz], default=16_000)


def calibrate(settings: RunSettings, rate_hz: int) -> float:
    """How many times real time one worker steps full lanes of this model here.

    Parameters
    ----------
    settings : RunSettings
        Names the model and the number of lanes.
    rate_hz : int
        Rate of the sound; resampling to the model's rate is part of what is measured.
    """
    lanes = settings.lanes or DEFAULT_LANES
    enhance = Enhance(load_lane_model(find_model(settings.model, settings.rate_hz), lanes))
    noise = np.random.default_rng(0).standard_normal(round(CALIBRATION_SOUND_S * rate_hz))
    sound = (0.1 * noise).astype(np.float32)[np.newaxis]
    info = SoundInfo(rate_hz, 1, None, "ARRAY", "FLOAT")
    jobs = [Job(info, sound, 0, False, None) for _ in range(lanes)]
    enhance.step(jobs)  # the first call allocates
    calls = 0
    begin_s = time.perf_counter()
    while (spent_s := time.perf_counter() - begin_s) < CALIBRATION_S:
        enhance.step(jobs)
        calls += 1
    return calls * lanes * CALIBRATION_SOUND_S / spent_s
