"""What the journal says is done, whatever was cut off, changed, moved or still being written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raypipe.errors import StorageError
from raypipe.results.journal import (
    Journal,
    JournalWriter,
    done_from,
    done_to,
    key_of,
    published_by,
)
from raypipe.storage import LocalPlace
from raypipe.types import AudioFile, Done, Levels, SoundInfo
from tests.results.made import audio_file, done

FINGERPRINT = "f" * 32


def publish(
    place: LocalPlace,
    *files: AudioFile,
    finish: bool = True,
    writer: str = "w",
    fingerprint: str = FINGERPRINT,
) -> list[Done]:
    """Put files in place and say so, as a collector does."""
    outcomes = [done(file) for file in files]
    journal = JournalWriter(place, writer, fingerprint)
    artifacts = []
    for one in outcomes:
        path = Path(place.final(one.file.output))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"sound of " + os.fsencode(one.file.name))
        found = path.stat()
        artifacts.append({"sound": (one.file.output, found.st_size, found.st_mtime_ns)})
    journal.publishing(zip(outcomes, artifacts, strict=True))
    if finish:
        journal.done(outcomes)
    journal.close()
    return outcomes


def parts_of(place: LocalPlace) -> list[Path]:
    return sorted(Path(place.journal).glob("*.jsonl"))


def test_nothing_is_done_in_a_new_folder(place: LocalPlace) -> None:
    journal = Journal(place)
    assert not journal.finds(audio_file(), FINGERPRINT)
    assert journal.maker(audio_file()) is None
    assert published_by(place, [audio_file()], FINGERPRINT) == {}


def test_a_folder_without_a_journal_is_a_new_one(tmp_path: Path) -> None:
    nowhere = LocalPlace(str(tmp_path), str(tmp_path / ".raypipe"), "run")
    assert not Journal(nowhere).finds(audio_file(), FINGERPRINT)


def test_a_finished_file_is_found_with_its_outcome(place: LocalPlace) -> None:
    (outcome,) = publish(place, audio_file("sub/a.wav"))
    assert Journal(place).finds(audio_file("sub/a.wav"), FINGERPRINT)
    assert Journal(place).maker(audio_file("sub/a.wav")) == "/in/sub/a.wav"
    assert published_by(place, [outcome.file], FINGERPRINT) == {"sub/a.wav": outcome}


def test_a_finished_file_may_be_touched_but_not_change_its_size(place: LocalPlace) -> None:
    publish(place, audio_file())
    final = place.final("a.wav")
    os.utime(final, ns=(1, 1))
    assert Journal(place).finds(audio_file(), FINGERPRINT)
    with open(final, "ab") as more:
        more.write(b"!")
    assert not Journal(place).finds(audio_file(), FINGERPRINT)


def test_a_file_that_was_being_published_is_done_if_it_is_the_very_one(place: LocalPlace) -> None:
    publish(place, audio_file(), finish=False)
    assert Journal(place).finds(audio_file(), FINGERPRINT)
    os.utime(place.final("a.wav"), ns=(1, 1))
    assert not Journal(place).finds(audio_file(), FINGERPRINT)
    assert Journal(place).maker(audio_file()) is None, "somebody changed it since"


def test_the_done_line_of_other_settings_finishes_nothing(place: LocalPlace) -> None:
    (outcome,) = publish(place, audio_file(), finish=False)
    other = JournalWriter(place, "z", "0" * 32)
    other.done([outcome])
    other.close()
    os.utime(place.final("a.wav"), ns=(1, 1))
    assert not Journal(place).finds(audio_file(), FINGERPRINT)


def test_other_settings_make_another_sound(place: LocalPlace) -> None:
    publish(place, audio_file())
    assert not Journal(place).finds(audio_file(), "0" * 32)
    assert Journal(place).maker(audio_file()) == "/in/a.wav", "but the output is ours"


@pytest.mark.parametrize("change", [{"path": "/in/b.wav"}, {"size": 1001}, {"mtime_ns": 78}])
def test_a_changed_input_is_not_done(place: LocalPlace, change: dict[str, Any]) -> None:
    publish(place, audio_file())
    assert not Journal(place).finds(replace(audio_file(), **change), FINGERPRINT)


def test_an_input_may_have_another_name_in_the_report(place: LocalPlace) -> None:
    """The name hangs on what IN was: the folder, or the file itself."""
    publish(place, audio_file())
    assert Journal(place).finds(replace(audio_file(), name="in/a.wav"), FINGERPRINT)


def test_a_path_may_be_written_in_another_way(place: LocalPlace) -> None:
    publish(place, audio_file())
    assert Journal(place).finds(replace(audio_file(), path="/in/../in/./a.wav"), FINGERPRINT)


def test_an_output_asked_for_under_another_name_is_not_done(place: LocalPlace) -> None:
    publish(place, audio_file())
    assert not Journal(place).finds(replace(audio_file(), output="a_x.wav"), FINGERPRINT)


def test_a_missing_artifact_is_not_done(place: LocalPlace) -> None:
    publish(place, audio_file())
    os.rename(place.final("a.wav"), place.final("moved.wav"))
    assert not Journal(place).finds(audio_file(), FINGERPRINT)


def test_all_artifacts_must_stand(place: LocalPlace) -> None:
    outcome = replace(done(audio_file()), artifacts={"sound": "a.wav", "table": "a.csv"})
    artifacts = {}
    for name, output in outcome.artifacts.items():
        Path(place.final(output)).write_text("x")
        artifacts[name] = (output, 1, os.stat(place.final(output)).st_mtime_ns)
    writer = JournalWriter(place, "w", FINGERPRINT)
    writer.publishing([(outcome, artifacts)])
    writer.done([outcome])
    writer.close()
    assert Journal(place).finds(audio_file(), FINGERPRINT)
    os.unlink(place.final("a.csv"))
    assert not Journal(place).finds(audio_file(), FINGERPRINT)


def test_the_last_publishing_counts_whichever_part_is_read_first(place: LocalPlace) -> None:
    other = "0" * 32
    for first, second in (("a", "b"), ("d", "c")):
        publish(place, audio_file(), writer=first, fingerprint=other)
        publish(place, audio_file(), writer=second)
        assert Journal(place).finds(audio_file(), FINGERPRINT)
        assert not Journal(place).finds(audio_file(), other)
        for part in parts_of(place):
            part.unlink()


def test_an_output_belongs_to_the_input_that_made_it_last(place: LocalPlace) -> None:
    one, two = replace(audio_file(), path="/in/a.mp3"), replace(audio_file(), path="/in/a.m4a")
    publish(place, one, writer="1")
    publish(place, two, writer="0")
    journal = Journal(place)
    assert not journal.finds(one, FINGERPRINT)
    assert journal.finds(two, FINGERPRINT)
    assert journal.maker(one) == "/in/a.m4a"


def test_an_output_stays_ours_where_its_replacement_never_appeared(place: LocalPlace) -> None:
    """Else the run that goes on takes it for somebody's own, and leaves the old sound there."""
    publish(place, audio_file())
    writer = JournalWriter(place, "x", "0" * 32)
    writer.publishing([(done(audio_file()), {"sound": ("a.wav", 3, 5)})])
    writer.close()
    assert Journal(place).maker(audio_file()) == "/in/a.wav"


def test_what_a_run_has_published_is_told_with_its_outcome(place: LocalPlace) -> None:
    outcomes = publish(place, audio_file("a.wav"), audio_file("b.wav"), finish=False)
    files = [audio_file(name) for name in ("a.wav", "b.wav", "c.wav")]
    wanted = {outcome.file.output: outcome for outcome in outcomes}
    assert published_by(place, files, FINGERPRINT) == wanted
    assert published_by(place, files, "0" * 32) == {}
    os.unlink(place.final("b.wav"))
    assert published_by(place, files, FINGERPRINT).keys() == {"a.wav"}
    os.utime(place.final("a.wav"), ns=(1, 1))
    assert published_by(place, files, FINGERPRINT) == {}


def test_what_an_earlier_run_has_published_is_not_this_ones(place: LocalPlace) -> None:
    """With --fresh it is to be made again, whatever becomes of a collector."""
    publish(place, audio_file())
    assert published_by(replace(place, run="another"), [audio_file()], FINGERPRINT) == {}


def test_a_part_cut_anywhere_is_read_up_to_there(place: LocalPlace) -> None:
    publish(place, audio_file("a.wav"), audio_file("b.wav"))
    for name in ("a.wav", "b.wav"):
        os.utime(place.final(name), ns=(1, 1))  # so that done lines alone tell
    (part,) = parts_of(place)
    whole = part.read_bytes()
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 4
    for length in range(len(whole) + 1):
        part.write_bytes(whole[:length])
        journal = Journal(place)
        found = [bool(journal.finds(audio_file(n), FINGERPRINT)) for n in ("a.wav", "b.wav")]
        assert found == [length >= ends[2], length >= ends[3]], length


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[1, 2]",
        b"{}",
        b'{"key": "x"}',
        b"\xff\xfe\0",
        b'{"key": "x", "sta',
        b'{"key": 1, "state": "publishing", "output": "a.wav"}',
        b'{"key": 1, "state": "publishing", "output": "a.wav", "at": "soon", "artifacts": {}}',
        b'{"key": [], "state": "done", "output": "a.wav", "at": 99999999999999999999}',
    ],
)
def test_lines_that_say_nothing_are_passed_over(place: LocalPlace, line: bytes) -> None:
    publish(place, audio_file())
    (part,) = parts_of(place)
    part.write_bytes(line + b"\n" + part.read_bytes() + line)
    assert Journal(place).finds(audio_file(), FINGERPRINT)


def test_it_can_be_read_while_another_process_appends(place: LocalPlace) -> None:
    files = [audio_file(f"{number}.wav") for number in range(40)]
    wanted = {outcome.file.output: outcome for outcome in publish(place, *files)}
    (part,) = parts_of(place)
    text = part.read_bytes()
    part.write_bytes(b"")
    script = (
        "import sys\n"
        "text = sys.stdin.buffer.read()\n"
        f"out = open({str(part)!r}, 'ab', buffering=0)\n"
        "for at in range(0, len(text), 37): out.write(text[at : at + 37])\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    assert other.stdin is not None
    other.stdin.write(text)
    other.stdin.close()
    known: dict[str, Done] = {}
    while len(known) < len(files):
        ended = other.poll() is not None
        found = published_by(place, files, FINGERPRINT)
        assert known.items() <= found.items() <= wanted.items()
        known = found
        assert known == wanted or not ended
    assert other.wait() == 0
    assert all(Journal(place).finds(file, FINGERPRINT) for file in files)


def test_a_journal_that_cannot_be_read_is_the_storages_fault(place: LocalPlace) -> None:
    os.mkdir(os.path.join(place.journal, "x.jsonl"))
    with pytest.raises(StorageError, match=r"x\.jsonl: cannot read the journal"):
        Journal(place)


def test_an_entry_of_another_version_does_not_end_the_run(place: LocalPlace) -> None:
    publish(place, audio_file())
    (part,) = parts_of(place)
    part.write_text(part.read_text().replace('"frames"', '"loudness_range": 7.5, "frames"'))
    assert Journal(place).finds(audio_file(), FINGERPRINT)


def test_an_output_that_never_appeared_is_not_ours(place: LocalPlace) -> None:
    writer = JournalWriter(place, "w", FINGERPRINT)
    writer.publishing([(done(audio_file()), {"sound": ("a.wav", 3, 5)})])
    writer.close()
    Path(place.final("a.wav")).write_text("somebody else's")
    assert Journal(place).maker(audio_file()) is None


def test_a_part_begins_with_its_first_line(place: LocalPlace) -> None:
    writer = JournalWriter(place, "w", FINGERPRINT)
    assert parts_of(place) == []
    writer.close()
    assert parts_of(place) == []


def test_publishing_is_durable_before_it_returns(
    place: LocalPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[int, int]] = []

    def fsync(handle: int) -> None:
        synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    publish(place, audio_file(), finish=False)
    (part,) = parts_of(place)
    assert synced == [(part.stat().st_ino, part.stat().st_size)]


def test_a_part_that_cannot_be_written_is_the_storages_fault(place: LocalPlace) -> None:
    os.rmdir(place.journal)
    with pytest.raises(StorageError, match=r"-w\.jsonl: cannot write the journal"):
        publish(place, audio_file())


names = st.binary(min_size=1, max_size=40).map(os.fsdecode) | st.text(
    st.characters(exclude_categories=("Cs",)), min_size=1
)
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    name=names,
    output=names,
    notes=st.lists(st.text(), max_size=3),
    levels=st.lists(st.none() | numbers, min_size=4, max_size=4),
    busy_s=numbers,
    frames=st.none() | st.integers(0, 2**40),
)
def test_an_outcome_comes_back_as_it_was(
    name: str,
    output: str,
    notes: list[str],
    levels: list[float | None],
    busy_s: float,
    frames: int | None,
) -> None:
    file = AudioFile("/in/" + name, name, output, 3, 2**62)
    sound = SoundInfo(44_100, 2, frames, "W64", "DOUBLE", wide=True, notes=tuple(notes))
    outcome = Done(
        file,
        {"sound": output, name: output},
        sound,
        frames or 0,
        Levels(*levels[:2]),
        Levels(*levels[2:]),
        3,
        -1.25,
        tuple(notes),
        busy_s,
        "worker-2.3",
    )
    assert done_from(file, json.loads(json.dumps(done_to(outcome)))) == outcome


def test_names_that_are_no_text_are_found_again(place: LocalPlace) -> None:
    files = [audio_file(os.fsdecode(name)) for name in (b"\xff\xfe.wav", b"new\nline", b"\xc3\xa9")]
    outcomes = publish(place, *files)
    assert all(Journal(place).finds(file, FINGERPRINT) for file in files)
    assert [Journal(place).maker(file) for file in files] == [file.path for file in files]
    assert list(published_by(place, files, FINGERPRINT).values()) == outcomes


@pytest.mark.parametrize(
    "other",
    [
        lambda f: replace(f, path="/in/a.wav1", size=0),
        lambda f: replace(f, size=10),
        lambda f: replace(f, mtime_ns=770),
        lambda f: replace(f, path=os.fsdecode(b"/in/\xe9.wav")),
    ],
)
def test_keys_tell_inputs_apart(other: Callable[[AudioFile], AudioFile]) -> None:
    file = audio_file()
    assert key_of(other(file)) != key_of(file)
    assert key_of(replace(file, name="elsewhere", output="other")) == key_of(file)
