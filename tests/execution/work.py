"""Batches and jobs as the driver would hand them over."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from raypipe.execution.worker import Worker, WorkerJob
from raypipe.inference.zoo import find_model
from raypipe.settings import RunSettings
from raypipe.types import (
    AudioFile,
    BatchResult,
    FrameBatch,
    Piece,
    Segment,
    Stepped,
)

RATE_HZ = 8000


def job(model: str = "passthrough", lanes: int = 4, **settings: Any) -> WorkerJob:
    return WorkerJob(find_model(model), lanes, RunSettings(model=model, **settings))


def wav(
    path: Path, sound: NDArray[Any], subtype: str = "FLOAT", rate_hz: int = RATE_HZ
) -> AudioFile:
    """Write ``(channels, samples)``; give the file as it would be listed."""
    sf.write(path, sound.T, rate_hz, subtype)
    return listed(path)


def listed(path: Path) -> AudioFile:
    size, mtime_ns = (os.stat(path).st_size, os.stat(path).st_mtime_ns) if path.exists() else (0, 0)
    return AudioFile(str(path), path.name, path.name, size, mtime_ns)


def first(ticket: int, file: AudioFile, collector: int = 0) -> Segment:
    return Segment(ticket, file, 0, collector)


def following(segment: Segment, answer: Any) -> Segment:
    """The segment after one that was stepped."""
    assert isinstance(answer, Stepped), answer
    assert not answer.ended
    start = segment.start + answer.read
    return replace(segment, start=start, info=answer.info, state=answer.state)


def batch(*segments: Segment, number: int = 1, segment_s: float = 1.0) -> FrameBatch:
    return FrameBatch(number, segments, segment_s)


def to_the_end(
    worker: Worker, segments: list[Segment], segment_s: float = 1.0
) -> dict[int, list[Piece]]:
    """Step files until each has ended; every file's pieces, by ticket."""
    pieces: dict[int, list[Piece]] = {s.ticket: [] for s in segments}
    number = 0
    while segments:
        number += 1
        result, sound = worker.step(batch(*segments, number=number, segment_s=segment_s))
        assert result.number == number
        for piece in (piece for some in sound.values() for piece in some):
            pieces[piece.ticket].append(piece)
        segments = [
            following(segment, answer)
            for segment, answer in zip(segments, result.answers, strict=True)
            if isinstance(answer, Stepped) and not answer.ended
        ]
    return pieces


def sound_of(pieces: list[Piece]) -> NDArray[Any]:
    return np.concatenate([piece.parts[0].data for piece in pieces], axis=1)


def facts(result: BatchResult) -> list[str]:
    return [type(answer).__name__ for answer in result.answers]
