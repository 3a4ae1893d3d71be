"""Workers that sleep say what workers say, and take as long as they are told."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.throttled import Ledger, Load, Throttled, Watched, made_up, state_of
from raypipe.results.journal import Journal
from raypipe.storage import Hold
from raypipe.types import AudioFile, FrameBatch, Published, Segment, Stepped


def batch(files: list[AudioFile], start: int = 0, segment_s: float = 10.0) -> FrameBatch:
    segments = tuple(Segment(n, file, start, 0) for n, file in enumerate(files, 1))
    return FrameBatch(1, segments, segment_s)


def files(count: int, file_s: float) -> list[AudioFile]:
    return list(islice(made_up(Load(1, None, file_s), "in.wav"), count))


def test_files_are_made_up_until_there_are_enough() -> None:
    made = list(made_up(Load(1, None, 2.5, files=1500), "in.wav"))
    assert len({file.output for file in made}) == 1500
    assert {file.size for file in made} == {44 + 2 * 40_000}


def test_a_step_takes_what_the_speed_says_and_tells_where_files_end() -> None:
    worker = Throttled(400.0, state_of(), "worker-1")
    begin_s = time.monotonic()
    result, pieces = worker.step(batch(files(3, 15.0)))
    assert time.monotonic() - begin_s >= 30 / 400
    assert (result.lane_s, result.longest_s) == (30.0, 10.0)
    first, second = result.answers[:2]
    assert isinstance(first, Stepped) and isinstance(second, Stepped)
    assert (first.read, first.ended, first.info.frames) == (160_000, False, 240_000)
    assert first.state is not None and second.state is not None
    assert set(first.state) >= {"counts", "pending"}
    assert all(first.state[name] is not second.state[name] for name in first.state)
    last, _ = worker.step(batch(files(1, 15.0), start=160_000))
    (answer,) = last.answers
    assert isinstance(answer, Stepped)
    assert (answer.read, answer.ended, answer.state) == (80_000, True, None)
    assert [(piece.first, piece.ended) for piece in pieces[0]] == [(True, False)] * 3


def test_a_ledger_journals_what_has_ended(tmp_path: Path) -> None:
    source = files(2, 10.0)
    with Hold(str(tmp_path)) as place:
        ledger = Ledger(place, 0, "collector-0.1")
        _, pieces = Throttled(None, {}, "worker-1").step(batch(source))
        answers = ledger.take(pieces[0], ())
        ledger.close()
        assert [type(answer) for answer in answers] == [Published] * 2
        journal = Journal(place)
        assert all(journal.maker(file) is None for file in source), "nothing stands there"
        assert len(list(Path(place.journal).iterdir())) == 1


def test_speed_is_that_of_whole_batches() -> None:
    watched = Watched(lambda name: None, lambda index, name: None)  # type: ignore[arg-type,return-value]
    watched.note(2)
    watched.stepped["a"] = [(0.0, 700.0), (7.0, 700.0), (14.0, 700.0), (99.0, 700.0)]
    watched.stepped["b"] = [(5.0, 700.0)]
    assert watched.speed(0.0, 20.0) == pytest.approx(100.0)
