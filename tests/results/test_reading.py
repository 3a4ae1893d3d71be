"""Reports and journals, read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from raypipe.errors import UsageError
from raypipe.results.reading import made_in, read_report
from raypipe.results.report import RunReport, entry_of
from raypipe.storage import hold, place_at
from raypipe.types import Failed, Levels, Skipped
from tests.results.made import audio_file, done
from tests.results.test_journal import publish


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = RunReport("1", {"raw": None}, {"name": 'a "files": [ model'}, {"run": "x"})
    outcomes = [
        done(audio_file("a.wav"), worker="w"),
        Failed(audio_file("]"), 'says "files": [', notes=("}",)),
        Skipped(audio_file("über\udcff\n.wav"), "already done"),
    ]
    for outcome in outcomes:
        report.add(outcome)
    report.write(tmp_path / "report.json")
    head, entries = read_report(str(tmp_path / "report.json"))
    assert head["model"] == {"name": 'a "files": [ model'}
    assert head["totals"]["files"] == 3
    found = sorted(entries, key=lambda entry: str(entry["path"]))
    assert found == sorted(map(entry_of, outcomes), key=lambda entry: str(entry["path"]))


def test_an_empty_report_has_no_files(tmp_path: Path) -> None:
    RunReport("1", {}, {}, {}).write(tmp_path / "report.json")
    assert list(read_report(str(tmp_path / "report.json"))[1]) == []


@pytest.mark.parametrize("text", ["", "{}", '{\n "files": [\n ]\n}', 'no json\n "files": [\n'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(UsageError, match="is no report that"):
        read_report(str(tmp_path / "report.json"))


def test_the_journal_tells_what_was_made_and_of_what(tmp_path: Path) -> None:
    with hold(str(tmp_path)) as place:
        file = audio_file("deep/a.flac", "deep/a-clean.wav")
        outcomes = publish(place, file)
        made = made_in(place)
        assert made_in(place, place.run) == made
        assert made_in(place, "another") == {}
    assert list(made) == ["deep/a-clean.wav"]
    one = made["deep/a-clean.wav"]
    assert (one.name, one.input, one.finished) == ("deep/a.flac", "/in/deep/a.flac", True)
    assert one.entry == entry_of(outcomes[0])
    assert one.done is not None
    assert one.done.level_in == Levels(None, None)


def test_a_journal_that_was_merged_still_names_its_files(tmp_path: Path) -> None:
    with hold(str(tmp_path)) as place:
        publish(place, audio_file("a.wav"))
    for part in (tmp_path / ".raypipe" / "journal").iterdir():
        told = part.read_text().replace('"done": {', '"lost": {')
        part.write_text(told + "torn {\n[]\n")
    one = made_in(place_at(str(tmp_path)))["a.wav"]
    assert one.done is None
    assert one.entry == {"path": "a.wav", "outcome": "done", "reason": None, "output": "a.wav"}
