"""Totals that add up, a shape that others rely on, and a file that is whole or not there."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raypipe.configuration import parse_raw
from raypipe.errors import StorageError
from raypipe.results import report as report_module
from raypipe.results.report import RunReport, entry_of, settings_facts
from raypipe.settings import RunSettings
from raypipe.types import Done, Failed, Levels, Outcome, Skipped
from tests.results.made import audio_file, done, info

FULL = replace(
    done(audio_file("a.wav"), frames=24_000),
    level_in=Levels(-3.006, -23.456, -60.126),
    level_out=Levels(0.004, None),
    clipped=7,
    gain_db=-1.239,
    notes=("odd",),
    busy_s=0.25,
    worker="worker-2",
)


def new() -> RunReport:
    return RunReport("0.1", {"lanes": None}, {"name": "passthrough", "sha256": "0"}, {"cpus": 2})


def outcome_of(number: int, kind: str, frames: int, clipped: int) -> Outcome:
    file = audio_file(f"{number}.wav")
    if kind == "done":
        return done(file, frames=frames, clipped=clipped)
    return Failed(file, "broken") if kind == "failed" else Skipped(file, "there already")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["done", "failed", "skipped"]),
            st.integers(0, 10**9),
            st.sampled_from([0, 0, 1, 5]),
        ),
        max_size=20,
    )
)
def test_totals_add_up(kinds: list[tuple[str, int, int]]) -> None:
    report = new()
    outcomes = [outcome_of(number, *kind) for number, kind in enumerate(kinds)]
    for outcome in outcomes:
        report.add(outcome)
    totals, entries = report.totals, report.files
    for kind in ("done", "failed", "skipped"):
        assert getattr(totals, kind) == sum(e["outcome"] == kind for e in entries)
    assert totals.files == len(entries) == len(outcomes)
    assert totals.done + totals.failed + totals.skipped == totals.files
    finished = [o for o in outcomes if isinstance(o, Done)]
    assert totals.audio_s == pytest.approx(sum(o.seconds for o in finished))
    assert totals.clipped_samples == sum(o.clipped for o in finished)
    assert totals.clipped_files == sum(o.clipped > 0 for o in finished)
    assert report.exit_code == (1 if totals.failed else 0)


def test_the_file_has_the_shape_that_is_documented(tmp_path: Path) -> None:
    report = new()
    report.add(FULL)
    report.add(Failed(audio_file("b.wav"), "is empty", info(), ("odd",)))
    report.add(Failed(audio_file("c.wav"), "cannot be read"))
    report.add(Skipped(audio_file("d.wav"), "already done"))
    report.totals.wall_s, report.totals.startup_s, report.totals.x_real_time = 3.0, 1.0, 0.75
    report.write(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert set(found) == {
        "version", "settings", "model", "place", "interrupted", "totals", "files",
    }  # fmt: skip
    assert found["totals"] == {
        "files": 4, "done": 1, "skipped": 1, "failed": 2, "audio_s": 1.5, "wall_s": 3.0,
        "startup_s": 1.0, "x_real_time": 0.75, "clipped_files": 1, "clipped_samples": 7,
        "busy_s": {}, "publish_s": 0.0, "lane_s": 0.0, "longest_s": 0.0, "audio_in_s": 0.0,
        "batches": 0, "lost_batches": 0, "reopened_files": 0, "worker_restarts": 0,
        "collector_restarts": 0, "retired_workers": 0,
    }  # fmt: skip
    assert found["interrupted"] is None
    assert found["version"] == "0.1"
    one, two, three, four = found["files"]
    assert one == {
        "path": "a.wav", "outcome": "done", "reason": None, "artifacts": {"sound": "a.wav"},
        "output": "a.wav", "seconds": 1.5, "frames": 24_000, "rate_hz": 16_000, "channels": 1,
        "format": "WAV", "subtype": "PCM_16", "peak_in_db": -3.01, "lufs_in": -23.46,
        "floor_in_db": -60.13, "peak_out_db": 0.0, "lufs_out": None, "floor_out_db": None,
        "clipped": 7, "gain_db": -1.24, "x_real_time": 6.0,
        "worker": "worker-2", "notes": ["odd"],
    }  # fmt: skip
    assert two == {
        "path": "b.wav", "outcome": "failed", "reason": "is empty", "artifacts": {},
        "notes": ["odd"], "rate_hz": 16_000, "channels": 1, "format": "WAV", "subtype": "PCM_16",
    }  # fmt: skip
    assert three == {
        "path": "c.wav", "outcome": "failed", "reason": "cannot be read", "artifacts": {},
        "notes": [],
    }  # fmt: skip
    assert four == {
        "path": "d.wav", "outcome": "skipped", "reason": "already done", "artifacts": {},
    }  # fmt: skip


def test_a_file_that_took_no_time_has_no_speed() -> None:
    assert entry_of(replace(FULL, busy_s=0.0))["x_real_time"] is None


def test_a_report_of_nothing_is_json_too(tmp_path: Path) -> None:
    new().write(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert (found["files"], found["totals"]["files"]) == ([], 0)


def test_what_ended_the_run_is_said(tmp_path: Path) -> None:
    report = new()
    report.interrupted = 'the "disk"\nis full'
    report.write(tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["interrupted"] == report.interrupted


def test_files_are_in_the_order_of_their_names() -> None:
    report = new()
    names = ["b/1.wav", "a.wav", "b/0.wav", "\udcff.wav", "a.wav", "new\nline.wav"]
    for name in names:
        report.add(Skipped(audio_file(name), "there"))
    assert [entry["path"] for entry in report.files] == sorted(names)
    report.add(done(audio_file("0.wav")))
    assert [entry["path"] for entry in report.files] == sorted([*names, "0.wav"])


def test_very_many_files_are_all_there_as_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_module, "MOST_SORTED", 10)
    report = new()
    names = [f"{number * 7919 % 100:02}.wav" for number in range(100)]
    for name in names:
        report.add(Skipped(audio_file(name), "there"))
    assert len(report._index) == 10, "what is kept in memory is bounded"
    assert [entry["path"] for entry in report.files] == names
    report.write(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert [entry["path"] for entry in found["files"]] == names


def test_names_that_are_no_text_make_valid_utf8(tmp_path: Path) -> None:
    report = new()
    report.add(Failed(audio_file(os.fsdecode(b"\xff\xc3\xa9.wav")), "is é"))
    report.write(tmp_path / "report.json")
    (entry,) = json.loads((tmp_path / "report.json").read_bytes().decode("utf-8"))["files"]
    assert os.fsencode(entry["path"]) == b"\xff\xc3\xa9.wav"


def test_the_report_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    path.write_text("the old one")
    seen = []
    replace_file = os.replace

    def look(source: str, destination: str | os.PathLike[str]) -> None:
        seen.append((json.loads(Path(source).read_text())["totals"]["files"], path.read_text()))
        replace_file(source, destination)

    monkeypatch.setattr(os, "replace", look)
    report = new()
    report.add(FULL)
    report.write(path)
    assert seen == [(1, "the old one")]
    assert os.listdir(tmp_path) == ["report.json"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, destination: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)


def test_a_report_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, full_disk: None
) -> None:
    path = tmp_path / "report.json"
    path.write_text("the old one")
    with pytest.raises(StorageError, match=r"report\.json: cannot write the report: no space is"):
        new().write(path)
    assert path.read_text() == "the old one"


def test_a_report_that_cannot_be_written_leaves_nothing_else(
    tmp_path: Path, full_disk: None
) -> None:
    with pytest.raises(StorageError):
        new().write(tmp_path / "report.json")
    assert os.listdir(tmp_path) == []


def test_it_can_be_written_again_and_again(tmp_path: Path) -> None:
    report = new()
    for number in range(3):
        report.add(done(audio_file(f"{number}.wav")))
        report.write(tmp_path / "report.json")
        found = json.loads((tmp_path / "report.json").read_text())
        assert [e["path"] for e in found["files"]] == [f"{n}.wav" for n in range(number + 1)]


def test_settings_become_json() -> None:
    settings = RunSettings(raw=parse_raw("rate=8000"), include=("*.wav",))
    facts = settings_facts(asdict(settings) | {"path": Path("/in")})
    assert json.loads(json.dumps(facts)) == facts
    assert facts["raw"] == {"rate_hz": 8000, "channels": 1, "sample": "s16le"}
    assert (facts["include"], facts["path"]) == (["*.wav"], "/in")
