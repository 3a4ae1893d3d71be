"""A worker's answers: each file's own, the same however often and wherever a segment is stepped."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from raypipe.dsp.level import LevelSum
from raypipe.errors import ModelError, StorageError
from raypipe.execution import worker as worker_module
from raypipe.execution.worker import Worker
from raypipe.types import Piece, Refused, Segment, State, Stepped
from tests.execution.work import (
    RATE_HZ,
    batch,
    facts,
    first,
    following,
    job,
    listed,
    sound_of,
    to_the_end,
    wav,
)
from tests.poison import MAGIC
from tests.signals import bursts, noise

Hire = Callable[..., Worker]


@pytest.fixture
def hire() -> Iterator[Hire]:
    """Workers whose readers are closed at the end, as the end of their process would."""
    hired: list[Worker] = []

    def one(model: str = "passthrough", name: str = "worker-1", **settings: Any) -> Worker:
        hired.append(Worker(job(model, **settings), name))
        return hired[-1]

    yield one
    for worker in hired:
        for ticket in list(worker._readers):
            worker._close(ticket)


@pytest.fixture
def worker(hire: Hire) -> Worker:
    return hire()


def same_state(one: State | None, other: State | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and np.array_equal(one[name], other[name])
        for name in one
    )


def same_piece(one: Piece, other: Piece) -> bool:
    parts = zip(one.parts, other.parts, strict=True)
    return (
        all(
            (a.name, a.output, a.target, a.start, a.clipped, a.data.dtype)
            == (b.name, b.output, b.target, b.start, b.clipped, b.data.dtype)
            and np.array_equal(a.data, b.data)
            for a, b in parts
        )
        and (one.ticket, one.file, one.info, one.first, one.ended, one.frames, one.notes)
        == (
            other.ticket,
            other.file,
            other.info,
            other.first,
            other.ended,
            other.frames,
            other.notes,
        )
        and one.level_in.peak == other.level_in.peak
        and np.array_equal(one.level_in.energies, other.level_in.energies)
        and one.level_out.peak == other.level_out.peak
        and np.array_equal(one.level_out.energies, other.level_out.energies)
    )


def test_pieces_tile_each_file(tmp_path: Path, worker: Worker) -> None:
    lengths = {1: 0, 2: 1, 3: RATE_HZ - 1, 4: RATE_HZ, 5: RATE_HZ + 1, 6: 3 * RATE_HZ + 5}
    sounds = {n: noise(frames, 1 + n % 2, seed=n) for n, frames in lengths.items()}
    segments = [first(n, wav(tmp_path / f"{n}.wav", sound)) for n, sound in sounds.items()]
    for ticket, pieces in to_the_end(worker, segments).items():
        sound = sounds[ticket]
        assert np.array_equal(sound_of(pieces), sound)
        assert [p.first for p in pieces] == [True] + [False] * (len(pieces) - 1)
        assert [p.ended for p in pieces] == [False] * (len(pieces) - 1) + [True]
        assert len(pieces) == max(1, -(-lengths[ticket] // RATE_HZ)), "no piece too many"
        start = 0
        for piece in pieces:
            assert piece.parts[0].start == start
            start += piece.parts[0].data.shape[1]
        assert sum(piece.frames for piece in pieces) == sound.shape[1]


def test_sound_goes_to_the_files_own_collector(tmp_path: Path, worker: Worker) -> None:
    segments = [
        first(ticket, wav(tmp_path / f"{ticket}.wav", noise(100)), collector)
        for ticket, collector in ((1, 0), (2, 5), (3, 0))
    ]
    _, sound = worker.step(batch(*segments))
    assert {index: [p.ticket for p in some] for index, some in sound.items()} == {0: [1, 3], 5: [2]}


def test_a_bad_file_among_good_ones_is_refused_alone(tmp_path: Path, worker: Worker) -> None:
    (tmp_path / "2.wav").write_bytes(b"RIFF is all there is")
    (tmp_path / "5.wav").mkdir()
    beyond = np.zeros((1, 50))
    beyond[0, 7] = -1e300
    segments = [
        first(1, wav(tmp_path / "1.wav", noise(100))),
        first(2, listed(tmp_path / "2.wav")),
        first(3, listed(tmp_path / "there is none.wav")),
        first(4, wav(tmp_path / "4.wav", beyond, "DOUBLE")),
        first(5, listed(tmp_path / "5.wav")),
        first(6, wav(tmp_path / "6.wav", np.full((1, 50), np.nan, np.float32))),
        first(7, wav(tmp_path / "7.wav", noise(100, 2))),
    ]
    result, sound = worker.step(batch(*segments))
    assert facts(result) == ["Stepped", *["Refused"] * 5, "Stepped"]
    assert [answer.ticket for answer in result.answers] == [1, 2, 3, 4, 5, 6, 7]
    reasons = [answer.reason for answer in result.answers if isinstance(answer, Refused)]
    assert all(reasons)
    assert "\n" not in "".join(reasons)
    assert "No such file" in reasons[1]
    assert reasons[2] == "has a sample of 1e+300, more than float32 can hold"
    assert reasons[4] == "50 samples are NaN or infinite, first at sample 0"
    wide = result.answers[3]
    assert isinstance(wide, Refused)
    assert wide.info is not None
    assert (wide.info.subtype, wide.info.channels) == ("DOUBLE", 1)
    assert [piece.ticket for piece in sound[0]] == [1, 7]
    assert np.array_equal(sound_of(sound[0][:1]), noise(100))
    assert set(result.busy_s) == {"read", "level", "resample", "step", "encode"}
    assert result.lane_s == pytest.approx(3 * result.longest_s)


def test_a_batch_of_bad_files_alone_is_answered_too(tmp_path: Path, worker: Worker) -> None:
    result, sound = worker.step(batch(first(1, listed(tmp_path / "1")), first(2, listed(tmp_path))))
    assert facts(result) == ["Refused", "Refused"]
    assert (sound, result.lane_s, result.longest_s) == ({}, 0, 0)


def test_a_file_that_vanishes_midway_is_refused(tmp_path: Path, hire: Hire) -> None:
    file = wav(tmp_path / "1.wav", noise(2 * RATE_HZ))
    segment = first(1, file)
    result, _ = hire().step(batch(segment))
    (tmp_path / "1.wav").unlink()
    again, sound = hire().step(batch(following(segment, result.answers[0])))
    assert facts(again) == ["Refused"]
    assert sound == {}


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_a_machine_that_is_short_of_something_is_not_the_files_fault(
    tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*given: Any, **named: Any) -> None:
        raise OSError(number, "short of something")

    monkeypatch.setattr(worker_module, "open_sound", refuse)
    with pytest.raises(StorageError, match=r"1\.wav: cannot open"):
        worker.step(batch(first(1, wav(tmp_path / "1.wav", noise(100)))))


@pytest.mark.parametrize("model", ["nan_maker", "infinity_maker"])
def test_a_model_that_makes_no_sound_of_a_file_fails_that_file(
    tmp_path: Path, model: str, hire: Hire
) -> None:
    worker = hire(f"python:tests.execution.lane_models:{model}")
    poisoned = noise(2 * RATE_HZ)
    poisoned[0, RATE_HZ + 5] = MAGIC
    good = first(1, wav(tmp_path / "1.wav", noise(2 * RATE_HZ, seed=1)))
    bad = first(2, wav(tmp_path / "2.wav", poisoned))
    result, _ = worker.step(batch(good, bad))
    assert facts(result) == ["Stepped", "Stepped"]
    second = [following(s, a) for s, a in zip((good, bad), result.answers, strict=True)]
    result, sound = worker.step(batch(*second))
    answer = result.answers[1]
    assert isinstance(answer, Refused)
    assert answer.reason == "the model made NaN or infinite samples of it"
    assert answer.info is not None
    assert [piece.ticket for piece in sound[0]] == [1]


def test_a_bug_in_a_model_is_nobodys_fault(tmp_path: Path, hire: Hire) -> None:
    worker = hire("python:tests.poison:buggy")
    with pytest.raises(ZeroDivisionError):
        worker.step(batch(first(1, wav(tmp_path / "1.wav", np.full((1, 9), MAGIC, np.float32)))))


def test_a_model_that_cannot_be_loaded_is_a_model_error(tmp_path: Path, hire: Hire) -> None:
    with pytest.raises(ModelError, match="found no weights"):
        hire("python:tests.execution.lane_models:unloadable")


SOURCES = {
    "wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_24"), "ogg": ("OGG", "VORBIS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", SOURCES)
@pytest.mark.parametrize("model", ["recurrent", "delay"])
def test_a_segment_stepped_again_gives_the_same_bytes(
    tmp_path: Path, suffix: str, model: str, hire: Hire
) -> None:
    """On the worker that has the file open, and on one that has never seen it."""
    container, subtype = SOURCES[suffix]
    path = tmp_path / f"a.{suffix}"
    sf.write(path, bursts(3 * 44_100 + 7, 2).T, 44_100, subtype, format=container)
    one, other = hire(model), hire(model)
    segment: Segment | None = first(1, listed(path))
    seen = 0
    while segment is not None:
        result, sound = one.step(batch(segment))
        (answer,) = result.answers
        assert isinstance(answer, Stepped)
        for worker in (one, other, hire(model)) if seen == 1 else (one, other):
            result, again = worker.step(batch(segment))
            (repeated,) = result.answers
            assert isinstance(repeated, Stepped)
            assert (repeated.read, repeated.ended) == (answer.read, answer.ended)
            assert same_state(repeated.state, answer.state)
            assert same_piece(again[0][0], sound[0][0])
        seen += 1
        segment = None if answer.ended else following(segment, answer)
    assert seen >= 3


def test_few_readers_stay_open_and_nothing_depends_on_which(tmp_path: Path, hire: Hire) -> None:
    sounds = {n: noise(2 * RATE_HZ + n, seed=n) for n in range(1, 8)}
    segments = [first(n, wav(tmp_path / f"{n}.wav", sound)) for n, sound in sounds.items()]
    worker = hire()
    worker._most_readers = 3
    closed = []
    close = worker_module.SoundReader.close

    def closing(reader: worker_module.SoundReader) -> None:
        closed.append(reader)
        close(reader)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker_module.SoundReader, "close", closing)
        result, sound = worker.step(batch(*segments))
        assert sorted(worker._readers) == [5, 6, 7]
        assert len(closed) == 4
    pieces = {p.ticket: [p] for p in sound[0]}
    rest = [following(s, a) for s, a in zip(segments, result.answers, strict=True)]
    for ticket, more in to_the_end(worker, rest).items():
        assert np.array_equal(sound_of([*pieces[ticket], *more]), sounds[ticket])
    assert worker._readers == {}


def test_a_file_that_is_refused_is_closed(tmp_path: Path, worker: Worker) -> None:
    whole = wav(tmp_path / "1.wav", noise(3 * RATE_HZ))
    content = (tmp_path / "1.wav").read_bytes()
    (tmp_path / "1.wav").write_bytes(content[: len(content) // 2])
    segment = first(1, whole)
    result, _ = worker.step(batch(segment))
    assert list(worker._readers) == [1]
    result, _ = worker.step(batch(following(segment, result.answers[0])))
    assert facts(result) == ["Refused"]
    assert worker._readers == {}


def loud() -> NDArray[np.float32]:
    sound = noise(100)
    sound[0, [3, 50, 99]] = [1.5, -7.0, 1.0]
    return sound


@pytest.mark.parametrize(
    ("clip", "output_format", "dtype", "clipped"),
    [("count", "flac", "int", 3), ("scale", "flac", "float32", 0), ("scale", "keep", "float32", 0)],
)
def test_what_would_clip_is_counted_or_left_for_its_gain(
    tmp_path: Path, clip: str, output_format: str, dtype: str, clipped: int, hire: Hire
) -> None:
    file = wav(tmp_path / "1.wav", loud())
    if output_format == "flac":
        file = worker_module.Segment(1, file, 0, 0).file
        file = type(file)(file.path, file.name, "1.flac", file.size, file.mtime_ns)
    worker = hire(clip=clip, output_format=output_format)
    result, sound = worker.step(batch(first(1, file)))
    assert facts(result) == ["Stepped"]
    (part,) = sound[0][0].parts
    assert part.data.dtype.name.startswith(dtype)
    assert part.clipped == clipped
    if dtype == "float32":
        assert np.array_equal(part.data, loud())


def test_levels_of_the_pieces_are_those_of_the_whole(tmp_path: Path, hire: Hire) -> None:
    """The delay gives the input back, but in other cuts."""
    sound = bursts(3 * RATE_HZ + 77, 2)
    file = wav(tmp_path / "1.wav", sound)
    (pieces,) = to_the_end(hire("delay"), [first(1, file)]).values()
    (one,) = to_the_end(hire("delay"), [first(1, file)], 60).values()
    level_in, level_out = LevelSum(RATE_HZ, 2), LevelSum(RATE_HZ, 2)
    for piece in pieces:
        level_in.add(piece.level_in)
        level_out.add(piece.level_out)
    whole = LevelSum(RATE_HZ, 2)
    whole.add(one[0].level_in)
    assert level_in.levels() == level_out.levels() == whole.levels()
    assert pieces[0].parts[0].data.shape[1] < RATE_HZ, "the cuts of input and output differ"


def test_a_files_share_of_the_time_is_that_of_its_samples(tmp_path: Path, worker: Worker) -> None:
    segments = [
        first(1, wav(tmp_path / "1.wav", noise(1000))),
        first(2, wav(tmp_path / "2.wav", noise(1000, 3))),
        first(3, wav(tmp_path / "3.wav", noise(0))),
    ]
    result, sound = worker.step(batch(*segments))
    one, three, none = (piece.busy_s for piece in sound[0])
    assert three == pytest.approx(3 * one)
    assert none == 0
    assert 0 < one + three <= sum(result.busy_s.values())


def test_notes_come_with_the_last_piece(tmp_path: Path, hire: Hire) -> None:
    file = wav(tmp_path / "1.wav", noise(3 * RATE_HZ))
    content = (tmp_path / "1.wav").read_bytes()
    (tmp_path / "1.wav").write_bytes(content[: len(content) // 2])
    worker = hire(keep_truncated=True)
    (pieces,) = to_the_end(worker, [first(1, file)]).values()
    assert [bool(piece.notes) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert len(pieces) == 2
