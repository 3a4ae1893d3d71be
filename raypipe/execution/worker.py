"""The worker: opens files, reads segments, steps them together, encodes what comes out.

Comes in: a `FrameBatch`. Goes out: a `BatchResult` of small facts for the
driver and `Piece`s of sound by collector. A worker holds the loaded model and,
to save reopening, some open readers; nothing that a result depends on.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from raypipe.audio.encode import encode, waits_for_gain
from raypipe.audio.read import SoundReader, open_sound
from raypipe.audio.target import target_for
from raypipe.audio.write import open_writer
from raypipe.dsp.blend import cleaned_share
from raypipe.dsp.level import LevelMeter
from raypipe.errors import AudioError, UnsupportedAudio
from raypipe.execution.limits import OUR_LIMITS
from raypipe.inference.zoo import ModelFile, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job, Made
from raypipe.pipelines.stage import join_states, part_of
from raypipe.settings import RunSettings
from raypipe.storage import Place, storage_error
from raypipe.storage.inputs import opened_together
from raypipe.telemetry import Stopwatch, resident_bytes
from raypipe.types import (
    BatchResult,
    FrameBatch,
    Measured,
    Part,
    Piece,
    Refused,
    Samples,
    Segment,
    SoundTarget,
    State,
    Stepped,
    samples_in,
)


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """What every worker of a run is told once."""

    model: ModelFile
    lanes: int
    settings: RunSettings
    place: Place | None = None
    """The output; with it a worker writes files that it has whole, and spares their way."""


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A segment that was read."""

    segment: Segment
    reader: SoundReader
    job: Job
    level: Measured
    meters: State
    """States of the two level meters, as the segment before left them; the first one advanced."""
    notes: tuple[str, ...]


class Worker:
    """Loads the model once, then steps batch after batch.

    Parameters
    ----------
    job : WorkerJob
        Model and settings.
    name : str
        How reports name this worker.
    model_path : str, optional
        Where the model lies here, if not where the driver found it.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """

    def __init__(self, job: WorkerJob, name: str, model_path: str | None = None) -> None:
        self.name = name
        self.settings = job.settings
        self.place = job.place
        self._written = 0
        self.clock = Stopwatch()
        model = job.model if model_path is None else replace(job.model, path=model_path)
        share = cleaned_share(job.settings.atten_limit_db, job.settings.mix)
        self.enhance = Enhance(load_lane_model(model, job.lanes), share)
        self._readers: OrderedDict[int, SoundReader] = OrderedDict()
        self._most_readers = max(64, 3 * job.lanes)

    def step(self, batch: FrameBatch) -> tuple[BatchResult, dict[int, list[Piece]]]:
        """Read, step and encode one batch.

        Parameters
        ----------
        batch : FrameBatch
            Segments of different files.

        Returns
        -------
        BatchResult
            What the driver needs to know.
        dict of int to list of Piece
            Sound, by the collector that it goes to.
        """
        read: dict[int, _Read] = {}
        refused: dict[int, Refused] = {}
        fresh = [s.file.path for s in batch.segments if s.ticket not in self._readers]
        with self.clock("read"):
            ahead = opened_together(fresh)
        for segment in batch.segments:
            answer = self._read(segment, batch.segment_s)
            if isinstance(answer, Refused):
                refused[segment.ticket] = answer
            else:
                read[segment.ticket] = answer
        for file in ahead:
            file.close()
        made = self.enhance.step([r.job for r in read.values()], self.clock)
        total = sum(r.job.sound.size for r in read.values()) or 1
        spent_s = sum(self.clock.busy_s.values())
        stepped: dict[int, Stepped] = {}
        pieces: dict[int, list[Piece]] = {}
        for one, out in zip(read.values(), made, strict=True):
            share_s = spent_s * one.job.sound.size / total
            answer2 = self._finish(one, out, share_s)
            if isinstance(answer2, Refused):
                refused[one.segment.ticket] = answer2
            else:
                stepped[one.segment.ticket], piece = answer2
                pieces.setdefault(one.segment.collector, []).append(piece)
        answers = tuple(refused.get(s.ticket) or stepped[s.ticket] for s in batch.segments)
        lanes_s = [r.job.sound.shape[1] / r.job.info.rate_hz for r in read.values()]
        lane_s = sum(r.job.sound.size / r.job.info.rate_hz for r in read.values())
        result = BatchResult(
            batch.number, answers, self.clock.take(), lane_s, max(lanes_s, default=0.0),
            resident_bytes(),
        )  # fmt: skip
        return result, pieces

    def _read(self, segment: Segment, segment_s: float) -> _Read | Refused:
        try:
            with self.clock("read"):
                reader = self._reader(segment)
                info = reader.info
                reader.seek(segment.start)
                sound = reader.read(samples_in(segment_s, info.rate_hz))
            if info.wide:
                _check_range(segment.file.path, sound)
        except AudioError as error:
            return self._refuse(segment, error.reason)
        except OSError as error:
            if error.errno in OUR_LIMITS:
                raise storage_error(error, segment.file.path, "open") from error
            return self._refuse(segment, f"cannot be read: {error.strerror or error}")
        ended = reader.at_end
        meter = LevelMeter(info.rate_hz, info.channels)
        meters = segment.state or join_states(
            level_in=meter.reset(info.channels), level_out=meter.reset(info.channels)
        )
        with self.clock("level"):
            level, level_state = meter.process(sound, part_of(meters, "level_in"))
        meters = {n: a for n, a in meters.items() if n.startswith("level_out.")}
        meters |= join_states(level_in=level_state)
        job = Job(info, sound, segment.start, ended, segment.state)
        notes = (*info.notes, *reader.notes) if ended else ()
        return _Read(segment, reader, job, level, meters, notes)

    def _finish(self, read: _Read, made: Made, share_s: float) -> tuple[Stepped, Piece] | Refused:
        segment, info = read.segment, read.job.info
        meter = LevelMeter(info.rate_hz, info.channels)
        with self.clock("level"):
            level, level_state = meter.process(made.sound, part_of(read.meters, "level_out"))
        if not np.isfinite(level.peak):
            return self._refuse(segment, "the model made NaN or infinite samples of it")
        try:
            target, lost = self._target(segment, read)
            with self.clock("encode"):
                data, clipped = self._encode(made.sound, target)
            path = ""
            if segment.state is None and read.job.ended and self._may_write(target):
                with self.clock("write"):
                    path = self._write_whole(segment, data, target)
                data = data[:, :0].copy()
        except AudioError as error:
            return self._refuse(segment, error.reason)
        given = int(segment.state["counts"][0, 1]) if segment.state else 0
        piece = Piece(
            ticket=segment.ticket,
            file=segment.file,
            info=info,
            parts=(Part("sound", segment.file.output, target, given, data, clipped, path),),
            start=segment.start,
            first=segment.state is None,
            ended=read.job.ended,
            frames=read.job.sound.shape[1],
            level_in=read.level,
            level_out=level,
            notes=(*read.notes, *lost) if read.job.ended else (),
            busy_s=share_s,
            worker=self.name,
        )
        state = made.state
        if state is None:
            self._close(segment.ticket)
        else:
            state = state | read.meters | join_states(level_out=level_state)
        stepped = Stepped(segment.ticket, info, read.job.sound.shape[1], read.job.ended, state)
        return stepped, piece

    def _target(self, segment: Segment, read: _Read) -> tuple[SoundTarget, tuple[str, ...]]:
        suffix = PurePosixPath(segment.file.output).suffix
        return target_for(read.job.info, self.settings.output_format, suffix, self.settings.raw)

    def _encode(self, sound: Samples, target: SoundTarget) -> tuple[Samples, int]:
        if waits_for_gain(target, self.settings.clip):
            return sound, 0  # its gain is known only once the whole file is there
        encoded = encode(sound, target)
        return encoded.data, encoded.clipped

    def _may_write(self, target: SoundTarget) -> bool:
        """True for encoded sound, where there is a place for it."""
        return self.place is not None and not waits_for_gain(target, self.settings.clip)

    def _write_whole(self, segment: Segment, data: Samples, target: SoundTarget) -> str:
        """Write a file that came in one segment, under a name that no other worker uses."""
        assert self.place is not None, "asked for by _may_write"
        self._written += 1
        path = self.place.temporary(f"{segment.ticket}-{self.name}-{self._written}")
        writer = open_writer(path, target)
        try:
            writer.write(data)
            writer.close()
        except BaseException:
            writer.abort()
            raise
        return path

    def _reader(self, segment: Segment) -> SoundReader:
        reader = self._readers.pop(segment.ticket, None)
        if reader is None:
            reader = open_sound(
                segment.file.path,
                segment.info,
                segment.file.layout,
                keep_truncated=self.settings.keep_truncated,
            )
        self._readers[segment.ticket] = reader
        while len(self._readers) > self._most_readers:
            self._readers.popitem(last=False)[1].close()
        return reader

    def _close(self, ticket: int) -> None:
        reader = self._readers.pop(ticket, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Close the readers that are still open."""
        for ticket in list(self._readers):
            self._close(ticket)

    def _refuse(self, segment: Segment, reason: str) -> Refused:
        reader = self._readers.get(segment.ticket)
        info = reader.info if reader is not None else segment.info
        self._close(segment.ticket)
        return Refused(segment.ticket, reason, info)


def _check_range(path: str, sound: Samples) -> None:
    """Refuse doubles that float32, in which models compute, cannot hold."""
    largest = np.max(np.abs(sound), initial=0.0)
    if largest > np.finfo(np.float32).max:
        raise UnsupportedAudio(path, f"has a sample of {largest:.3g}, more than float32 can hold")
