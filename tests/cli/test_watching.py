"""What is seen of a run while it goes on."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from raypipe.cli import watching
from raypipe.cli.watching import (
    BarWatch,
    JsonWatch,
    LineWatch,
    QuietWatch,
    progress_words,
    watch_for,
)
from raypipe.telemetry import Progress
from raypipe.types import AudioFile, Failed

HALF_WAY = Progress(
    done=7, skipped=2, failed=1, listed=20, all_listed=True, audio_s=1800.0, known_s=3600.0,
    opened_bytes=500, total_bytes=500, working_s=9.0,
)  # fmt: skip
FAILED = Failed(AudioFile("/in/a.wav", "a.wav", "a.wav", 0, 0), "is empty (0 bytes)")


def test_progress_in_words() -> None:
    assert progress_words(HALF_WAY) == (
        "30:00 of 1:00:00, 200 x real time, 9.0 s left, 1 failed, 9 files"
    )
    listing = replace(HALF_WAY, all_listed=False, total_bytes=1000)
    assert progress_words(listing).startswith("30:00 of at least 2:00:00, ")
    assert progress_words(Progress()) == "0.0 s, 0 files"
    assert progress_words(Progress(skipped=1)) == "0.0 s, 1 file"


def test_the_watcher_fits_the_flags_and_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(watch_for(quiet=False, as_json=True)) is JsonWatch
    assert type(watch_for(quiet=True, as_json=True)) is JsonWatch
    assert type(watch_for(quiet=True, as_json=False)) is QuietWatch
    assert type(watch_for(quiet=False, as_json=False)) is LineWatch
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert type(watch_for(quiet=False, as_json=False)) is BarWatch


def test_a_log_gets_one_line_an_interval(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = 100.0
    monkeypatch.setattr(watching.time, "monotonic", lambda: now_s)
    watch = LineWatch()
    for step in range(50):
        now_s = 100.0 + step
        watch.progress(HALF_WAY)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"raypipe: {progress_words(HALF_WAY)}"] * 4


def test_a_log_that_is_full_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watching, "LINE_INTERVAL_S", 0.0)
    monkeypatch.setattr(watching.click, "echo", full)
    LineWatch().progress(HALF_WAY)


@pytest.mark.parametrize("width", [40, 80, 160])
def test_the_bar_stays_within_its_line_and_leaves_a_margin(width: int) -> None:
    watch = BarWatch()
    watch.progress(HALF_WAY)
    page = io.StringIO()
    Console(file=page, width=width).print(watch._bar.get_renderable())
    (line,) = page.getvalue().splitlines()
    assert len(line) <= width - watching.MARGIN
    assert "30:00 of 1:00:00" in line
    if width >= 80:
        assert "200 x real time, 9.0 s left, 1 failed" in line
        assert "━━━━" in line


def test_quiet_says_what_failed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    watch = QuietWatch()
    with watch:
        watch.progress(HALF_WAY)
        watch.outcome(FAILED)
    assert capsys.readouterr() == ("", "")
    watch.ended_early()
    assert capsys.readouterr() == ("", "failed  a.wav: is empty (0 bytes)\n")


def test_a_note_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    JsonWatch().note("dashboard: there")
    QuietWatch().note("dashboard: there")
    assert capsys.readouterr() == ("", "")
    for watch in (LineWatch(), BarWatch()):
        watch.note("dashboard: there")
        assert capsys.readouterr() == ("", "raypipe: dashboard: there\n")


def test_json_goes_out_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    watch = JsonWatch()
    watch.outcome(FAILED)
    printed = capsys.readouterr()
    assert json.loads(printed.out)["outcome"] == "failed"
    watch.ended_early()
    assert capsys.readouterr() == ("", "")
