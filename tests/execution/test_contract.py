"""What the driver relies on, asked of both executors with real workers, collectors and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from raypipe.errors import ModelError
from raypipe.execution.events import BatchDone, Executor, SoundCollected, WorkerReady
from raypipe.execution.inline import InlineExecutor
from raypipe.execution.worker import Worker
from raypipe.results.collector import Collector, CollectorJob
from raypipe.storage import LocalHold, LocalPlace
from raypipe.types import Collected, Fault, Published, Segment
from tests.execution.fakes import until
from tests.execution.work import RATE_HZ, batch, first, following, job, wav
from tests.poison import MAGIC
from tests.signals import noise

Start = Callable[..., Executor]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LocalPlace]:
    with LocalHold(str(tmp_path / "out")) as held:
        yield held


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def start(request: pytest.FixtureRequest, place: LocalPlace) -> Iterator[Start]:
    """Starts an executor for a model; it is closed at the end."""
    running = []

    def one(model: str = "passthrough") -> Executor:
        make_worker = partial(Worker, job(model))
        make_collector = partial(Collector, CollectorJob(place, "f" * 32, "count", True))
        executor: Executor
        if request.param == "inline":
            executor = InlineExecutor(make_worker, make_collector)
        else:
            from raypipe.execution.ray_executor import Crew, RayExecutor

            request.getfixturevalue("ray_cluster")
            executor = RayExecutor(make_worker, make_collector, None, Crew(1))
        running.append(executor)
        executor.start()
        return executor

    yield one
    for executor in running:
        executor.close()


def answers_of(executor: Executor, count: int) -> dict[int, Collected]:
    answers: dict[int, Collected] = {}
    while len(answers) < count:
        event = until(lambda: executor.events(0.5), SoundCollected)
        answers |= {answer.ticket: answer for answer in event.answers}
    return answers


def test_files_go_in_and_stand_published(tmp_path: Path, start: Start, place: LocalPlace) -> None:
    sounds = {n: noise(2 * RATE_HZ + n, 1 + n % 2, seed=n) for n in (1, 2, 3)}
    files = {n: wav(tmp_path / f"{n}.wav", sound) for n, sound in sounds.items()}
    executor = start()
    worker = until(lambda: executor.events(0.5), WorkerReady).worker
    segments: list[Segment] = [first(n, f, executor.choose_collector()) for n, f in files.items()]
    number = 0
    while segments:
        number += 1
        executor.submit(worker, batch(*segments, number=number), 60)
        done = until(lambda: executor.events(0.5), BatchDone)
        assert (done.worker, done.result.number) == (worker, number)
        executor.collect(number, ())
        pairs = zip(segments, done.result.answers, strict=True)
        segments = [following(s, a) for s, a in pairs if not a.ended]
    assert number == 3
    for ticket, answer in answers_of(executor, 3).items():
        assert isinstance(answer, Published)
        held = sf.read(place.final(files[ticket].output), dtype="float32", always_2d=True)[0]
        assert np.array_equal(held.T, sounds[ticket])
    assert executor.backlog() == 0


def test_a_dropped_file_does_not_appear_and_bad_paths_are_told(
    tmp_path: Path, start: Start, place: LocalPlace
) -> None:
    names = ("kept", "dropped with its sound", "dropped later", "in the way")
    files = [wav(tmp_path / f"{name}.wav", noise(RATE_HZ + 100)) for name in names]
    os.mkdir(place.final(files[3].output))
    executor = start()
    worker = until(lambda: executor.events(0.5), WorkerReady).worker
    segments = [first(n, file, executor.choose_collector()) for n, file in enumerate(files)]
    executor.submit(worker, batch(*segments), 60)
    done = until(lambda: executor.events(0.5), BatchDone)
    executor.collect(1, (1,))
    executor.drop(segments[2].collector, 2)
    rest = [following(s, a) for s, a in zip(segments, done.result.answers, strict=True)]
    executor.submit(worker, batch(*rest, number=2), 60)
    until(lambda: executor.events(0.5), BatchDone)
    executor.collect(2, (1, 2))
    answers = answers_of(executor, 2)
    assert isinstance(answers[0], Published)
    assert isinstance(answers[3], Fault)
    assert sorted(os.listdir(place.root)) == [".raypipe", "in the way.wav", "kept.wav"]
    assert os.listdir(os.path.join(place.private, "tmp")) == []


def test_closing_removes_what_is_unfinished(
    tmp_path: Path, start: Start, place: LocalPlace
) -> None:
    file = wav(tmp_path / "a.wav", noise(2 * RATE_HZ))
    executor = start()
    worker = until(lambda: executor.events(0.5), WorkerReady).worker
    executor.submit(worker, batch(first(1, file, executor.choose_collector())), 60)
    until(lambda: executor.events(0.5), BatchDone)
    executor.collect(1, ())
    executor.close()
    assert os.listdir(place.root) == [".raypipe"]
    assert os.listdir(os.path.join(place.private, "tmp")) == []


def test_a_bug_comes_out_as_it_is(tmp_path: Path, start: Start) -> None:
    file = wav(tmp_path / "a.wav", np.full((1, 9), MAGIC, np.float32))
    executor = start("python:tests.poison:buggy")
    worker = until(lambda: executor.events(0.5), WorkerReady).worker
    executor.submit(worker, batch(first(1, file, executor.choose_collector())), 60)
    with pytest.raises(ZeroDivisionError):
        until(lambda: executor.events(0.5), BatchDone)


def test_a_model_that_cannot_be_loaded_is_a_model_error(start: Start) -> None:
    with pytest.raises(ModelError, match="found no weights"):
        executor = start("python:tests.execution.lane_models:unloadable")
        until(lambda: executor.events(0.5), WorkerReady)


def test_an_inline_run_that_is_given_up_closes_the_files_it_was_reading(tmp_path: Path) -> None:
    file = wav(tmp_path / "a.wav", noise(2 * RATE_HZ))
    place = LocalPlace(str(tmp_path), str(tmp_path), "")
    make_collector = partial(Collector, CollectorJob(place, "f" * 32, "count", True))
    executor = InlineExecutor(partial(Worker, job()), make_collector)
    executor.start()
    executor.submit("inline", batch(first(1, file)), 60)
    until(lambda: executor.events(0.5), BatchDone)
    assert str(tmp_path / "a.wav") in opened()
    executor.close()
    assert str(tmp_path / "a.wav") not in opened()


def opened() -> set[str]:
    return {os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")}
