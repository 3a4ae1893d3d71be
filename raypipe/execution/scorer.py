"""The worker that measures: reads whole files, gives their measures, writes nothing.

Comes in: a `FrameBatch` whose segments are whole files. Goes out: a `BatchResult`, and a `Scored`
for each file that could be measured. A peer of `Worker` for the executors.

What needs only sums is measured on every sample, in stretches. What was made for some seconds of
speech is measured on the whole up to `WHOLE_S` (DNSMOS: 69 s), and beyond on excerpts that are
evenly spread over the file; their mean counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from raypipe.audio.encode import LARGEST
from raypipe.audio.rawpcm import HEADERLESS
from raypipe.errors import AudioError, StorageError
from raypipe.execution.isolated import Isolated, Lost
from raypipe.execution.limits import OUR_LIMITS
from raypipe.execution.references import find_reference
from raypipe.execution.track import Track, mono
from raypipe.quality import dnsmos
from raypipe.quality.against import AgainstReference, held, mean, rounded
from raypipe.quality.dnsmos import DNSMOS_HZ, Dnsmos, DnsmosScores
from raypipe.quality.excerpts import spread
from raypipe.quality.intelligibility import stoi
from raypipe.quality.measures import Measures, Meter
from raypipe.quality.pesq import PESQ_HZ, pesq_wb
from raypipe.quality.reference import Pair, delay
from raypipe.quality.value import Missing, Value, parted
from raypipe.storage import show, storage_error
from raypipe.telemetry import Stopwatch, resident_bytes
from raypipe.types import (
    AudioFile,
    BatchResult,
    FrameBatch,
    RawLayout,
    Refused,
    Scored,
    SoundInfo,
    Stepped,
)

BLOCK = 1 << 18
"""Samples a channel that are read at a time."""

WHOLE_S, EXCERPT_S, MOST_EXCERPTS = 15.0, 10.0, 12
"""PESQ is meant for 8 to 12 s; two minutes of a long recording are heard by it and by STOI."""

LONGEST_DELAY_S = 1.0
LOWEST_RATE_HZ = 1000
PESQ_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """What every scorer of a run is told once."""

    reference: str | None = None
    """Folder or address of the references, or the one reference."""
    one_reference: bool = False
    """True where `reference` is a file."""
    networks: tuple[bytes, bytes | None] | None = None
    """DNSMOS's: P.835 and, where it is there, P.808."""
    raw: RawLayout | None = None
    keep_truncated: bool = False


class Scorer:
    """Measures file after file.

    Parameters
    ----------
    job : ScoreJob
        What to measure.
    name : str
        How reports name this worker.

    Raises
    ------
    UsageError, ModelError
        If a network cannot be used.
    """

    def __init__(self, job: ScoreJob, name: str) -> None:
        self.name = name
        self._job = job
        self._clock = Stopwatch()
        self._dnsmos = Dnsmos(*job.networks) if job.networks else None
        self._pesq = Isolated(pesq_wb, PESQ_TIMEOUT_S)

    def step(self, batch: FrameBatch) -> tuple[BatchResult, dict[int, list[Scored]]]:
        """Measure the files of a batch, each on its own."""
        answers: list[Stepped | Refused] = []
        scored: list[Scored] = []
        for segment in batch.segments:
            with self._clock("score"):
                found = self._score(segment.file)
            if isinstance(found, Scored):
                scored.append(found)
                answers.append(Stepped(segment.ticket, found.info, found.frames, True, None))
            else:
                answers.append(Refused(segment.ticket, *found))
        result = BatchResult(
            batch.number, tuple(answers), self._clock.take(), rss_bytes=resident_bytes()
        )
        return result, {batch.segments[0].collector: scored}

    def close(self) -> None:
        """End PESQ's process."""
        self._pesq.close()

    def _score(self, file: AudioFile) -> Scored | tuple[str, SoundInfo | None]:
        info: SoundInfo | None = None
        with ExitStack() as stack:
            try:
                track = self._track(file.path, file.layout)
                stack.callback(track.close)
                info = track.info
                reference = self._reference_of(file, track.rate_hz)
                if isinstance(reference, Missing):
                    return reference.reason, info
                if reference is not None:
                    stack.callback(reference.close)
                return self._measured(file, track, reference)
            except AudioError as error:
                where = "" if error.path == file.path else "its reference "
                named = where and f"{where}{show(error.path)}: "
                return named + error.reason, info
            except StorageError:
                raise
            except OSError as error:
                if error.errno in OUR_LIMITS:
                    raise storage_error(error, file.path, "open") from error
                return f"cannot be read: {error.strerror or error}", info

    def _track(self, path: str, layout: RawLayout | None, rate_hz: int | None = None) -> Track:
        deep = self._dnsmos is not None or self._job.reference is not None
        kept_s = dnsmos.WHOLE_S if deep else 0.0
        truncated = self._job.keep_truncated
        return Track(path, layout, keep_truncated=truncated, kept_s=kept_s, rate_hz=rate_hz)

    def _reference_of(self, file: AudioFile, rate_hz: int) -> Track | Missing | None:
        root = self._job.reference
        if root is None:
            return None
        path = root if self._job.one_reference else find_reference(root, file.name)
        if path is None:
            return Missing(f"has no reference in {show(root)}")
        ending = os.path.splitext(path)[1].lower()
        layout = self._job.raw if ending in HEADERLESS else None
        return self._track(path, layout, rate_hz)

    def _measured(self, file: AudioFile, track: Track, reference: Track | None) -> Scored:
        alone, pair = self._heard(track, reference)
        notes: list[str] = []
        found: list[Measures | AgainstReference | DnsmosScores] = [alone]
        if reference is not None:
            against = self._against(track, reference, pair)
            odd = (*reference.info.notes, *reference.reader.notes)
            notes += [f"its reference: {note}" for note in odd]
            notes += _differences(track, reference)
            if against.delay_samples:
                notes.append(_late(round(against.delay_samples)))
            found.append(against)
        if self._dnsmos is not None:
            found.append(self._judged(track))
        values: dict[str, float] = {}
        missing: dict[str, str] = {}
        for one in found:
            facts = asdict(one)
            missing |= facts.pop("missing")
            values |= {name: rounded(name, v) for name, v in facts.items() if v is not None}
        told = (*track.info.notes, *track.reader.notes, *notes)
        return Scored(file, track.info, track.frames, values, missing, told, self.name)

    def _heard(self, track: Track, reference: Track | None) -> tuple[Measures, Pair]:
        """All samples, once."""
        info, pair = track.info, Pair()
        meter = Meter(track.rate_hz, info.channels, LARGEST.get(info.subtype, 1.0))
        together = reference is not None
        while (sound := track.read(BLOCK)).shape[1]:
            meter.add(sound)
            if reference is not None and together:
                other = reference.read(sound.shape[1])
                both = min(sound.shape[1], other.shape[1])
                together = both == sound.shape[1]
                if info.channels == reference.info.channels:
                    pair.add(sound[:, :both], other[:, :both])
                else:
                    pair.add(mono(sound)[:both], mono(other)[:both])
        if reference is not None:
            reference.rest()
        return meter.measures(), pair

    def _against(self, track: Track, reference: Track, pair: Pair) -> AgainstReference:
        rate_hz = track.rate_hz
        total = min(track.frames, reference.frames)
        whole, length = (round(s * rate_hz) for s in (WHOLE_S, EXCERPT_S))
        places = spread(total, whole, length, MOST_EXCERPTS) if total else []
        stois: list[Value] = []
        pesqs: list[Value] = []
        if rate_hz < LOWEST_RATE_HZ:
            stois = pesqs = [Missing(f"a rate below {LOWEST_RATE_HZ} Hz")]
        for start, stop in places if rate_hz >= LOWEST_RATE_HZ else ():
            sound, other = (t.excerpt(start, stop, PESQ_HZ) for t in (track, reference))
            size = min(len(sound), len(other))
            stois.append(stoi(sound[:size], other[:size], PESQ_HZ))
            pesqs.append(self._pesq_of(sound[:size], other[:size]))
        found = {
            "si_sdr_db": held(pair.si_sdr_db()),
            "reference_snr_db": held(pair.snr_db()),
            "level_difference_db": held(pair.level_difference_db()),
            "delay_samples": delay(
                ((track.excerpt(*place), reference.excerpt(*place)) for place in places),
                round(LONGEST_DELAY_S * rate_hz),
            ),
            "stoi": mean(stois),
            "pesq_wb": mean(pesqs),
        }
        return AgainstReference(**parted(found))

    def _pesq_of(self, sound: NDArray[np.float32], reference: NDArray[np.float32]) -> Value:
        try:
            value: Value = self._pesq(sound, reference)
        except Lost as lost:
            return Missing(f"PESQ {lost.why} over it")
        return value

    def _judged(self, track: Track) -> DnsmosScores:
        assert self._dnsmos is not None, "asked for by _measured"
        if track.rate_hz < LOWEST_RATE_HZ:
            return dnsmos.nothing(f"a rate below {LOWEST_RATE_HZ} Hz")
        if track.kept:
            return self._dnsmos.score(track.excerpt(0, track.frames, DNSMOS_HZ))
        return self._dnsmos.score_windows(_windows(track))


def _windows(track: Track) -> Iterator[NDArray[np.float32]]:
    """Windows of a long sound, each read and resampled on its own."""
    rate_hz = track.rate_hz
    for first in dnsmos.windows(track.frames * DNSMOS_HZ // rate_hz):
        start = first // DNSMOS_HZ * rate_hz
        stop = min(track.frames, start + -(-dnsmos.WINDOW * rate_hz // DNSMOS_HZ) + 1)
        sound = track.excerpt(start, stop, DNSMOS_HZ)[: dnsmos.WINDOW]
        yield np.pad(sound, (0, dnsmos.WINDOW - len(sound)))


def _differences(track: Track, reference: Track) -> list[str]:
    """What had to be made equal before the two could be compared."""
    notes = []
    if reference.info.rate_hz != track.rate_hz:
        notes.append(
            f"its reference has {reference.info.rate_hz} Hz, it has {track.rate_hz} Hz; the "
            "reference was resampled"
        )
    if reference.info.channels != track.info.channels:
        notes.append(
            f"its reference has {reference.info.channels} channels, it has {track.info.channels}; "
            "both were mixed to one"
        )
    if reference.frames != track.frames:
        notes.append(
            f"its reference has {reference.frames} samples, it has {track.frames}; the rest was "
            "left out"
        )
    return notes


def _late(samples: int) -> str:
    how = "later" if samples > 0 else "earlier"
    return (
        f"comes {abs(samples)} samples {how} than its reference; SI-SDR, SNR and STOI are of the "
        "two as they lie"
    )
