"""Pieces of many files become whole files, each published once, whatever dies in between."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from raypipe.dsp.level import LevelMeter, LevelSum
from raypipe.errors import StorageError, UnsupportedAudio
from raypipe.results import collector as collector_module
from raypipe.results.collector import Collector, CollectorJob
from raypipe.results.journal import Journal, JournalWriter, published_by
from raypipe.storage import LocalPlace
from raypipe.storage import local as local_module
from raypipe.types import Fault, Gap, Levels, Part, Piece, Published
from tests.results.made import RATE_HZ, audio_file, floats, part, pieces_of, target, temporaries
from tests.signals import noise

FINGERPRINT = "f" * 32
MakeCollector = Callable[..., Collector]


@pytest.fixture
def make(place: LocalPlace) -> Iterator[MakeCollector]:
    made: list[Collector] = []

    def build(clip: str = "count", resumable: bool = True) -> Collector:
        job = CollectorJob(place, FINGERPRINT, clip, resumable)
        made.append(Collector(job, 0, f"collector-{len(made)}"))
        return made[-1]

    yield build
    for one in made:
        one.close()


def pieces(
    ticket: int, name: str, sound: NDArray[Any] | None = None, cuts: tuple[int, ...] = ()
) -> list[Piece]:
    sound = noise(3000, 2, seed=ticket) if sound is None else sound
    return pieces_of(ticket, audio_file(name), sound, cuts, target(len(sound), "FLOAT"))


def held(place: LocalPlace, name: str) -> NDArray[Any]:
    sound: NDArray[Any] = sf.read(place.final(name), dtype="float32", always_2d=True)[0].T
    return sound


def outputs(place: LocalPlace) -> list[str]:
    root = Path(place.root)
    found = (str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.startswith(".raypipe"))


def levels_of(sound: NDArray[Any]) -> Levels:
    meter, total = LevelMeter(RATE_HZ, len(sound)), LevelSum(RATE_HZ, len(sound))
    total.add(meter.process(sound, meter.reset(len(sound)))[0])
    return total.levels()


@pytest.mark.parametrize("seed", range(5))
def test_interleaved_pieces_become_their_own_files(
    place: LocalPlace, make: MakeCollector, seed: int
) -> None:
    chance = random.Random(seed)
    sounds = {n: noise(20_000, 1 + n % 3, seed=n) for n in range(4)}
    waiting = {
        n: pieces(n, f"sub{n}/{n}.wav", sound, tuple(sorted(chance.sample(range(20_000), 5))))
        for n, sound in sounds.items()
    }
    collector = make()
    answers = []
    while waiting:
        call = []
        for ticket in chance.sample(sorted(waiting), chance.randint(1, len(waiting))):
            call.append(waiting[ticket].pop(0))
            if not waiting[ticket]:
                del waiting[ticket]
        answers += collector.take(call, ())
        ended = {a.ticket for a in answers}
        assert ended == sounds.keys() - waiting.keys(), "a file is published with its last piece"
        assert outputs(place) == sorted(f"sub{n}/{n}.wav" for n in ended)
    assert temporaries(place.private) == []
    for answer in answers:
        assert isinstance(answer, Published)
        sound, outcome = sounds[answer.ticket], answer.done
        name = f"sub{answer.ticket}/{answer.ticket}.wav"
        assert np.array_equal(held(place, name), sound)
        assert (outcome.artifacts, outcome.frames) == ({"sound": name}, 20_000)
        assert outcome.level_in == outcome.level_out == levels_of(sound)
        assert outcome.notes == ("odd", "tags were not carried: No such file or directory")
        assert (outcome.busy_s, outcome.worker) == (3.0, "worker-1")
        assert Journal(place).finds(outcome.file, FINGERPRINT)
        assert published_by(place, [outcome.file], FINGERPRINT) == {name: outcome}


def test_a_file_without_samples_is_published_too(place: LocalPlace, make: MakeCollector) -> None:
    (answer,) = make().take(pieces(1, "a.wav", np.zeros((1, 0), np.float32)), ())
    assert isinstance(answer, Published)
    assert held(place, "a.wav").shape == (1, 0)


def test_clipped_samples_are_added_up(make: MakeCollector) -> None:
    sound = np.array([[0.5, 1.5, -1.0, -1.5, 0.0, 7.0]], np.float32)
    (answer,) = make().take(pieces_of(1, audio_file(), sound, (2, 4), target()), ())
    assert isinstance(answer, Published)
    assert answer.done.clipped == 3


def test_a_dropped_file_leaves_nothing(place: LocalPlace, make: MakeCollector) -> None:
    collector = make()
    first, second = pieces(1, "a.wav", cuts=(1000,))
    other = pieces(2, "b.wav")
    assert collector.take([first], ()) == []
    assert temporaries(place.private) == [f"{place.run}-1-sound"]
    (answer,) = collector.take([second, *other], (1,))
    assert answer.ticket == 2
    assert outputs(place) == ["b.wav"]
    assert temporaries(place.private) == []
    assert not Journal(place).finds(audio_file("a.wav"), FINGERPRINT)


def test_a_drop_of_what_never_came_is_no_matter(make: MakeCollector) -> None:
    assert make().take([], (5, 6)) == []


def test_a_file_begun_again_under_a_new_ticket_is_whole(
    place: LocalPlace, make: MakeCollector
) -> None:
    collector = make()
    old = pieces(1, "a.wav", cuts=(1000,))
    new = pieces(2, "a.wav", cuts=(500,))
    collector.take([old[0], new[0]], ())
    collector.take([new[1]], (1,))
    assert np.array_equal(held(place, "a.wav"), noise(3000, 2, seed=2))


@pytest.mark.parametrize(("lost", "text"), [(0, "1000 on, -1 were"), (1, "2000 on, 1000 were")])
def test_a_file_with_a_piece_lost_is_given_up_and_told(
    place: LocalPlace, make: MakeCollector, lost: int, text: str
) -> None:
    """Whether that is a loss on the way or a mistake of ours, the driver knows."""
    collector = make()
    parts = pieces(1, "a.wav", cuts=(1000, 2000))
    parts.pop(lost)
    answers = [answer for part in parts for answer in collector.take([part], ())]
    assert answers
    assert all(isinstance(answer, Gap) and answer.ticket == 1 for answer in answers)
    assert answers[0] == Gap(1, f"a.wav: sound came from sample {text} there")
    assert outputs(place) == temporaries(place.private) == []


def test_a_piece_that_comes_twice_is_a_gap(place: LocalPlace, make: MakeCollector) -> None:
    collector = make()
    first, _ = pieces(1, "a.wav", cuts=(1000,))
    collector.take([first], ())
    (answer,) = collector.take([first], ())
    assert isinstance(answer, Gap)
    assert temporaries(place.private) == []


def in_the_way(place: LocalPlace, what: str) -> str:
    """An output name that cannot be."""
    if what == "file for a folder":
        Path(place.root, "sub").write_text("mine")
        return "sub/a.wav"
    if what == "folder for a file":
        Path(place.root, "a.wav/full").mkdir(parents=True)
        return "a.wav"
    return "q" * 256


@pytest.mark.parametrize("what", ["file for a folder", "folder for a file", "name too long"])
def test_a_path_that_cannot_be_is_that_files_fault_alone(
    place: LocalPlace, make: MakeCollector, what: str
) -> None:
    name = in_the_way(place, what)
    before = outputs(place)
    calls = [*pieces(1, "b.wav"), *pieces(2, name), *pieces(3, "c.wav")]
    answers = {answer.ticket: answer for answer in make().take(calls, ())}
    fault = answers[2]
    assert isinstance(fault, Fault)
    assert fault.reason.startswith(f"its output cannot be placed at {name}: ")
    assert isinstance(answers[1], Published)
    assert isinstance(answers[3], Published)
    assert outputs(place) == sorted([*before, "b.wav", "c.wav"])
    assert temporaries(place.private) == []
    assert not Journal(place).finds(audio_file(name), FINGERPRINT)


def test_a_format_that_cannot_hold_it_is_that_files_fault_alone(
    place: LocalPlace, make: MakeCollector
) -> None:
    mp3 = target(1, "MPEG_LAYER_III", "MP3")
    nothing = pieces_of(1, audio_file("a.mp3"), np.zeros((1, 0), np.float32), (), mp3)
    answers = {answer.ticket: answer for answer in make().take([*nothing, *pieces(2, "b.wav")], ())}
    assert answers[1] == Fault(1, "MPEG_LAYER_III cannot hold a sound of 0 samples")
    assert isinstance(answers[2], Published)
    assert temporaries(place.private) == []


def test_pieces_that_follow_a_fault_are_thrown_away(
    place: LocalPlace, make: MakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(first: Part, path: str, clip: str) -> None:
        raise UnsupportedAudio(path, "cannot be written")

    collector = make()
    first, second, third = pieces(1, "a.wav", cuts=(1000, 2000))
    with monkeypatch.context() as patched:
        patched.setattr(collector_module, "open_sink", refuse)
        assert collector.take([first], ()) == [Fault(1, "cannot be written")]
    (answer,) = collector.take([second], ())
    assert isinstance(answer, Gap)
    assert collector.take([third], (1,)) == []
    assert outputs(place) == temporaries(place.private) == []


def two_artifacts(ticket: int, second: str) -> Piece:
    sound = noise(100)
    (piece,) = pieces_of(ticket, audio_file("a.wav"), sound, (), target(1, "FLOAT"))
    stem = replace(part(sound / 2, 0, target(1, "FLOAT"), second), name="stem")
    return replace(piece, parts=(*piece.parts, stem))


def test_a_file_may_have_several_artifacts(place: LocalPlace, make: MakeCollector) -> None:
    (answer,) = make().take([two_artifacts(1, "stems/a.wav")], ())
    assert isinstance(answer, Published)
    assert answer.done.artifacts == {"sound": "a.wav", "stem": "stems/a.wav"}
    assert np.array_equal(held(place, "stems/a.wav") * 2, held(place, "a.wav"))
    assert Journal(place).finds(audio_file("a.wav"), FINGERPRINT)


def test_all_artifacts_appear_or_none(place: LocalPlace, make: MakeCollector) -> None:
    Path(place.root, "stems").write_text("mine")
    (answer,) = make().take([two_artifacts(1, "stems/a.wav")], ())
    assert isinstance(answer, Fault)
    assert outputs(place) == ["stems"]


def take_over(place: LocalPlace) -> None:
    Path(place.private, "lock").write_text("another run\n")


def test_an_orphan_does_not_begin_a_file(place: LocalPlace, make: MakeCollector) -> None:
    collector = make()
    take_over(place)
    with pytest.raises(StorageError, match="out: was taken over by another run"):
        collector.take(pieces(1, "a.wav"), ())
    assert temporaries(place.private) == []


def test_an_orphan_does_not_publish(place: LocalPlace, make: MakeCollector) -> None:
    collector = make()
    first, last = pieces(1, "a.wav", cuts=(1000,))
    collector.take([first], ())
    take_over(place)
    with pytest.raises(StorageError, match="was taken over by another run"):
        collector.take([last], ())
    assert outputs(place) == []
    assert list(Path(place.journal).iterdir()) == []


def test_everything_is_durable_and_announced_before_it_appears(
    place: LocalPlace, make: MakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, int] = {}
    appeared = []
    sync, replace_file = os.fsync, os.replace

    def fsync(handle: int) -> None:
        sync(handle)
        synced[os.fstat(handle).st_ino] = os.fstat(handle).st_size

    def look(source: str, final: str) -> None:
        name = os.path.relpath(final, place.root)
        (journal,) = Path(place.journal).iterdir()
        found = os.stat(source)
        assert synced[found.st_ino] == found.st_size, "the sound is durable"
        assert synced[journal.stat().st_ino] == journal.stat().st_size, "the journal is"
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        said = [line["artifacts"]["sound"] for line in lines if line["state"] == "publishing"]
        assert [name, found.st_size, found.st_mtime_ns] in said
        assert not any(line["state"] == "done" for line in lines)
        assert not os.path.exists(final)
        appeared.append(name)
        replace_file(source, final)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", look)
    make().take([*pieces(1, "a.wav"), *pieces(2, "sub/b.wav"), *pieces(3, "sub/c.wav")], ())
    assert appeared == ["a.wav", "sub/b.wav", "sub/c.wav"]
    assert synced.keys() >= {os.stat(place.root).st_ino, os.stat(place.final("sub")).st_ino}
    (journal,) = Path(place.journal).iterdir()
    states = [json.loads(line)["state"] for line in journal.read_text().splitlines()]
    assert states == ["publishing"] * 3 + ["done"] * 3


class Killed(BaseException):
    """Nothing that any code would catch."""


def dies(times: int, after: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function end the process at its n-th call, before or after it has done its work."""
    left = [times]

    def wrap(work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and not after:
                raise Killed
            result = work(*given, **named)
            if left[0] == 0:
                raise Killed
            return result

        return call

    return wrap


STEPS: dict[str, tuple[Any, str, int, bool, int]] = {
    "before anything is durable": (local_module, "make_durable", 1, False, 0),
    "before it is announced": (JournalWriter, "publishing", 1, False, 0),
    "after it was announced": (JournalWriter, "publishing", 1, True, 0),
    "before the second appears": (os, "replace", 2, False, 1),
    "after the second appeared": (os, "replace", 2, True, 2),
    "after all appeared": (os, "replace", 3, True, 3),
    "before the folders are durable": (local_module, "sync_folder", 1, False, 3),
    "before it is said to be done": (JournalWriter, "done", 1, False, 3),
    "after it was said to be done": (JournalWriter, "done", 1, True, 3),
}
"""What dies, at which call, before or after its work; how many files stand in place then."""


@pytest.mark.parametrize("step", STEPS)
def test_what_stands_in_place_is_done_wherever_the_process_died(
    place: LocalPlace, make: MakeCollector, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    where, name, times, after, appeared = STEPS[step]
    names = ["a.wav", "b.wav", "c.wav"]

    def calls(first_ticket: int) -> list[Piece]:
        sounds = [noise(3000, 2, seed=n) for n in range(3)]
        return [
            piece
            for number, (file, sound) in enumerate(zip(names, sounds, strict=True))
            for piece in pieces(first_ticket + number, file, sound)
        ]

    with monkeypatch.context() as patched:
        patched.setattr(where, name, dies(times, after)(getattr(where, name)))
        with pytest.raises(Killed):
            make().take(calls(1), ())
    assert outputs(place) == names[:appeared]
    journal = Journal(place)
    found = [name for name in names if journal.finds(audio_file(name), FINGERPRINT)]
    assert found == names[:appeared]
    published = published_by(place, [audio_file(name) for name in names], FINGERPRINT)
    assert list(published) == found, "a driver that lived on would take them for done"
    todo = [piece for piece in calls(4) if piece.file.name not in found]
    answers = make().take(todo, ())
    assert all(isinstance(answer, Published) for answer in answers)
    for number, file in enumerate(names):
        assert np.array_equal(held(place, file), noise(3000, 2, seed=number))
    assert all(Journal(place).finds(audio_file(name), FINGERPRINT) for name in names)


def test_an_old_output_stands_until_the_new_one_replaces_it(
    place: LocalPlace, make: MakeCollector
) -> None:
    Path(place.final("a.wav")).write_text("old")
    collector = make()
    first, last = pieces(1, "a.wav", cuts=(1000,))
    collector.take([first], ())
    assert Path(place.final("a.wav")).read_text() == "old"
    collector.take([last], ())
    assert np.array_equal(held(place, "a.wav"), noise(3000, 2, seed=1))


def test_what_is_unfinished_is_removed_at_the_end(place: LocalPlace, make: MakeCollector) -> None:
    for clip in ("count", "scale"):
        collector = make(clip)
        sound = noise(3000)
        scale = clip == "scale"
        unfinished = pieces_of(1, audio_file(), sound, (1000,), target(), scale=scale)
        collector.take(unfinished[:1], ())
        assert temporaries(place.private)
        collector.close()
        assert temporaries(place.private) == outputs(place) == []


def test_one_file_keeps_no_journal(place: LocalPlace, make: MakeCollector) -> None:
    (answer,) = make(resumable=False).take(pieces(1, "a.wav"), ())
    assert isinstance(answer, Published)
    assert outputs(place) == ["a.wav"]
    assert list(Path(place.journal).iterdir()) == []


def take_loud(make: MakeCollector) -> Published:
    loud = (2 * noise(RATE_HZ, 1, 1.0)).astype(np.float32)
    scaled = pieces_of(1, audio_file(), loud, (5000,), target(), scale=True)
    (answer,) = make("scale").take(scaled, ())
    assert isinstance(answer, Published)
    return answer


def test_a_file_that_would_clip_is_turned_down_as_a_whole(
    place: LocalPlace, make: MakeCollector
) -> None:
    outcome = take_loud(make).done
    sound = held(place, "a.wav")
    assert outcome.gain_db == pytest.approx(-6.02, abs=0.01)
    assert outcome.clipped == 0
    assert outcome.level_in == levels_of((2 * noise(RATE_HZ, 1, 1.0)).astype(np.float32))
    assert np.abs(sound - noise(RATE_HZ, 1, 1.0)).max() < 2**-13


def test_the_level_of_a_scaled_file_is_that_of_its_output(
    place: LocalPlace, make: MakeCollector
) -> None:
    outcome = take_loud(make).done
    wanted = levels_of(held(place, "a.wav"))
    assert outcome.level_out.peak_db == pytest.approx(wanted.peak_db, abs=0.01)
    assert outcome.level_out.lufs == pytest.approx(wanted.lufs, abs=0.01)


def test_a_storage_that_refuses_ends_the_run(
    place: LocalPlace, make: MakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, final: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StorageError, match=r"a\.wav: cannot publish: permission denied"):
        make().take(pieces(1, "a.wav"), ())
    assert not Journal(place).finds(audio_file("a.wav"), FINGERPRINT)


def test_a_machine_short_of_handles_is_not_called_another_run(
    place: LocalPlace, make: MakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> str:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(StorageError, match=r"[Tt]oo many open files"):
        make().take(pieces(1, "a.wav"), ())


def test_floats_and_encoded_parts_go_to_the_sink_of_their_kind(
    place: LocalPlace, make: MakeCollector
) -> None:
    """Only then does a part's own dtype reach the file."""
    (piece,) = pieces_of(1, audio_file(), noise(100), (), target())
    raw = floats(noise(100), 0, target())
    (answer,) = make("scale").take([replace(piece, parts=(raw,))], ())
    assert isinstance(answer, Published)
    assert np.array_equal(held(place, "a.wav") * 2**15, np.rint(noise(100) * 2**15))
