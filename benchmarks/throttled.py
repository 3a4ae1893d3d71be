"""A run whose workers wait instead of computing: what is left is what keeping them busy costs.

Comes in: a `Load`. Goes out: what the driver spent and how fast the workers were. Everything but
the work is real: `Dispatch`, `Schedule`, `RayExecutor`, processes of workers and collectors, the
journal. Left out are reading, decoding, the model, encoding and the samples: a worker sleeps for as
long as they would take at the load's speed, then says what a worker says, with states as large as a
model's.
"""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from raypipe.dispatch import Dispatch
from raypipe.dsp.level import LevelMeter
from raypipe.execution.events import BatchDone, Event, WorkerReady
from raypipe.execution.ray_executor import Crew, RayExecutor
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job
from raypipe.pipelines.stage import join_states
from raypipe.plan.collisions import Listed
from raypipe.plan.schedule import Schedule
from raypipe.results.collector import Collector, CollectorJob
from raypipe.results.journal import JournalWriter
from raypipe.results.report import RunReport
from raypipe.settings import DEFAULT_LANES, RunSettings
from raypipe.storage import Hold, Place
from raypipe.telemetry import Progress, resident_bytes
from raypipe.types import (
    AudioFile,
    BatchResult,
    Collected,
    Done,
    FrameBatch,
    Levels,
    Measured,
    Outcome,
    Part,
    Piece,
    Published,
    SoundInfo,
    SoundTarget,
    State,
    Stepped,
    samples_in,
)

RATE_HZ = 16_000
HEADER_BYTES = 44
TARGET = SoundTarget("WAV", "PCM_16", "FILE", RATE_HZ, 1)
HOPS_PER_S = 10
"""Levels that a worker measures in a second."""
SETTLE_S = 2.0
"""From the last worker's readiness until the window begins."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run."""

    workers: int
    speed: float | None
    """Seconds of sound that a worker gets through in a second; None: it does not wait."""
    file_s: float
    """Length of every file."""
    files: int | None = None
    """The run ends with so many files done ..."""
    window_s: float | None = None
    """... or is broken off so long after all workers have settled."""
    address: str | None = None
    """Cluster to attach to."""
    on_disk: bool = True
    """True: the real collectors write an (empty) file for each. False: they keep the journal only,
    so that a disk is not what is measured."""


class Throttled:
    """A worker of a fixed speed, see `raypipe.execution.events.Steps`.

    Parameters
    ----------
    speed : float
        As in `Load`.
    state : State
        What a file carries from segment to segment.
    name : str
        The worker's.
    """

    def __init__(self, speed: float | None, state: State, name: str) -> None:
        self._speed, self._state, self._name = speed, state, name

    def step(self, batch: FrameBatch) -> tuple[BatchResult, dict[int, list[Piece]]]:
        """Wait, and say that all was stepped."""
        begin_s = time.monotonic()
        answers, pieces = [], defaultdict(list)
        lanes_s = []
        for segment in batch.segments:
            frames = (segment.file.size - HEADER_BYTES) // 2
            info = SoundInfo(RATE_HZ, 1, frames, "WAV", "PCM_16")
            read = min(samples_in(batch.segment_s, RATE_HZ), frames - segment.start)
            ended = segment.start + read == frames
            # Copies, since arrays that are one and the same would be sent once.
            state = None if ended else {name: a.copy() for name, a in self._state.items()}
            answers.append(Stepped(segment.ticket, info, read, ended, state))
            level = Measured(0.0, np.zeros(read * HOPS_PER_S // RATE_HZ))
            # No samples: every part of a file begins where the one before has ended, at none.
            part = Part("sound", segment.file.output, TARGET, 0, np.zeros((1, 0), np.int16))
            pieces[segment.collector].append(
                Piece(segment.ticket, segment.file, info, (part,), segment.start,
                      segment.start == 0, ended, read, level, level, (), 0.0, self._name)
            )  # fmt: skip
            lanes_s.append(read / RATE_HZ)
        if self._speed is not None:
            time.sleep(max(0.0, begin_s + sum(lanes_s) / self._speed - time.monotonic()))
        busy_s = {"step": time.monotonic() - begin_s}
        result = BatchResult(
            batch.number, tuple(answers), busy_s, sum(lanes_s), max(lanes_s), resident_bytes()
        )
        return result, dict(pieces)

    def close(self) -> None:
        """Nothing is open."""


class Ledger:
    """A collector that keeps the journal and nothing else."""

    def __init__(self, place: Place, index: int, name: str) -> None:
        self._journal = JournalWriter(place, name, "throttled")

    def take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        """Journal the files that have ended, durably."""
        level = Levels(None, None)
        whole = [
            (p.ticket, Done(p.file, {"sound": p.file.output}, p.info, p.info.frames or 0, level,
                            level, worker=p.worker))
            for p in pieces if p.ended
        ]  # fmt: skip
        if whole:
            self._journal.publishing(
                (done, {"sound": (done.file.output, HEADER_BYTES, 0)}) for _, done in whole
            )
            self._journal.done(done for _, done in whole)
        return [Published(ticket, done) for ticket, done in whole]

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()


class Enough(Exception):
    """The window is over."""


class Watched(RayExecutor):
    """The executor on Ray; notes when workers are ready and what they have done by when."""

    ready_s: float | None = None
    """When the last worker was ready."""

    def note(self, workers: int) -> None:
        """Begin to take notes of so many."""
        self._left = workers
        self.stepped: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.worker_bytes = 0

    def events(self, wait_s: float) -> list[Event]:
        """What has happened."""
        events = super().events(wait_s)
        now_s = time.monotonic()
        for event in events:
            if isinstance(event, WorkerReady):
                self._left -= 1
                self.ready_s = now_s if self._left == 0 else None
            elif isinstance(event, BatchDone):
                self.stepped[event.worker].append((now_s, event.result.lane_s))
                self.worker_bytes = max(self.worker_bytes, event.result.rss_bytes)
        return events

    def speed(self, begin_s: float, end_s: float) -> float:
        """Sum of the workers' speeds between two times, each over whole batches of its own."""
        total = 0.0
        for batches in self.stepped.values():
            inside = [(at_s, lane_s) for at_s, lane_s in batches if begin_s <= at_s <= end_s]
            if len(inside) > 1:
                total += sum(s for _, s in inside[1:]) / (inside[-1][0] - inside[0][0])
        return total


class Meter:
    """Looks on (`raypipe.tally.Watch`) and breaks the run off when its window is over."""

    def __init__(self, executor: Watched, report: RunReport, load: Load) -> None:
        self._executor, self._report, self._load = executor, report, load
        self.begin: tuple[float, float, int, float] | None = None
        """Time, CPU seconds, files and seconds of sound at the window's begin ..."""
        self.end: tuple[float, float, int, float] | None = None
        """... and at its end."""

    def now(self, progress: Progress) -> tuple[float, float, int, float]:
        """How far it is."""
        return time.monotonic(), time.process_time(), progress.done, progress.audio_s

    def progress(self, progress: Progress) -> None:
        """Begin or end the window when it is time."""
        ready_s, window_s = self._executor.ready_s, self._load.window_s
        if self.begin is None:
            settled = ready_s is not None and time.monotonic() > ready_s + SETTLE_S
            if settled or (window_s is None and progress.working_s > 0):
                self.begin = self.now(progress)
        elif window_s is not None and time.monotonic() > self.begin[0] + window_s:
            raise Enough
        self.end = self.now(progress)

    def note(self, text: str) -> None:
        """Nothing."""

    def outcome(self, outcome: Outcome) -> None:
        """Every file must be done."""
        assert isinstance(outcome, Done), outcome


def made_up(load: Load, source: str) -> Iterator[AudioFile]:
    """Files of one length; all are the same file, which nobody reads."""
    size = HEADER_BYTES + 2 * round(load.file_s * RATE_HZ)
    number = 0
    while load.files is None or number < load.files:
        number += 1
        name = f"{number // 1000:05}/recording of some name {number:08}.wav"
        yield AudioFile(source, name, name, size, number)


def state_of(model: str = "benchmark") -> State:
    """What a file carries between two segments: the model's state, resamplers', levels'."""
    enhance = Enhance(load_lane_model(find_model(model), 1))
    info = SoundInfo(RATE_HZ, 1, None, "WAV", "PCM_16")
    sound = np.zeros((1, RATE_HZ), np.float32)
    (made,) = enhance.step([Job(info, sound, 0, False, None)])
    assert made.state is not None
    meter = LevelMeter(RATE_HZ, 1)
    return made.state | join_states(level_in=meter.reset(1), level_out=meter.reset(1))


def drive(load: Load, state: State) -> Mapping[str, float]:
    """Be the driver of one run; to be called in a process of its own.

    Returns
    -------
    mapping of str to float
        ``speed`` (x real time, all workers), ``files``, ``audio_s`` and ``seconds`` of the window,
        ``cpu_s`` of this process in it, ``startup_cpu_s`` before it, ``rss_bytes`` at its end,
        ``peak_bytes``, ``worker_bytes`` of the largest worker.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source = os.path.join(scratch, "in.wav")
        with open(source, "wb") as file:
            file.write(bytes(HEADER_BYTES))
        with Hold(os.path.join(scratch, "out")) as place:
            return _drive(load, state, place, source)


def _drive(load: Load, state: State, place: Place, source: str) -> Mapping[str, float]:
    make_collector: partial[Any] = partial(Ledger, place)
    if load.on_disk:
        make_collector = partial(Collector, CollectorJob(place, "throttled", "count", True))
    crew = Crew(asked=load.workers)
    executor = Watched(partial(Throttled, load.speed, state), make_collector, load.address, crew)
    report = RunReport("", {}, {}, {})
    meter = Meter(executor, report, load)
    try:
        executor.start()
        executor.note(load.workers)
        dispatch = Dispatch(
            Schedule(DEFAULT_LANES, load.workers), executor, made_up(load, source), report,
            RunSettings(), Listed(0, 0, False), lambda files: {}, time.monotonic(), meter,
        )  # fmt: skip
        with contextlib.suppress(Enough):
            dispatch.run()
        rss_bytes = resident_bytes()
    finally:
        executor.close()
    assert meter.begin is not None and meter.end is not None, "no worker was ready in time"
    (begin_s, begin_cpu_s, begin_files, begin_audio_s), end = meter.begin, meter.end
    return {
        "speed": executor.speed(begin_s, end[0]),
        "seconds": end[0] - begin_s,
        "files": end[2] - begin_files,
        "audio_s": end[3] - begin_audio_s,
        "cpu_s": end[1] - begin_cpu_s,
        "startup_cpu_s": begin_cpu_s,
        "rss_bytes": rss_bytes,
        "worker_bytes": executor.worker_bytes,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
