"""``raypipe plan``: says what would be done, writes nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from raypipe.cli.plan_page import MOST_SHOWN, print_survey
from raypipe.survey import Kind, Survey
from tests.cli.conftest import Raypipe


def test_it_says_what_would_be_done_and_writes_nothing(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = raypipe("plan", folder, tmp_path / "out", "--output-format", "flac")
    assert ran.code == 1
    assert ran.err == ""
    table, _, rest = ran.out.partition("would fail  ")
    assert table.splitlines()[0].split() == ["format", "rate", "channels", "files", "audio"]
    assert {line.split()[0] for line in table.splitlines()[1:]} == {"WAV", "FLAC"}
    assert rest.startswith("bad.wav: ")
    assert "note        container WAV became FLAC (2 files)\n" in rest
    assert "3 files to do (1.5 s of audio), 0 would be skipped, 1 would fail\n" in rest
    assert f"disk: about 91 kB for {tmp_path / 'out'}, " in rest
    assert "time: about 0." in rest
    assert " in this process, measured " in rest
    assert sorted(tmp_path.rglob("*")) == before


def test_json_has_all_of_it(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    ran = raypipe("plan", folder, "-o", tmp_path / "out", "--json")
    assert (ran.code, ran.err) == (1, "")
    found = json.loads(ran.out)
    assert found["to_do"] == 3
    assert [entry["path"] for entry in found["failed"]] == ["bad.wav"]
    assert {"format": "FLAC", "subtype": "PCM_24", "rate_hz": 16_000, "channels": 2, "files": 1,
            "audio_s": 0.5} in found["kinds"]  # fmt: skip
    assert found["executor"] == "inline"
    assert found["x_real_time"] > 0


def test_after_a_run_there_is_nothing_to_do(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    (folder / "bad.wav").unlink()
    assert raypipe("enhance", folder, tmp_path / "out", "-q").code == 0
    ran = raypipe("plan", folder, tmp_path / "out")
    assert ran.code == 0
    assert "0 files to do (0.0 s of audio), 3 would be skipped, 0 would fail" in ran.out
    assert "time:" not in ran.out


def test_a_named_pipe_among_the_files_does_not_hang_it(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    os.mkfifo(folder / "pipe.wav")
    ran = raypipe("plan", folder, tmp_path / "out")
    assert "would fail  pipe.wav: is a named pipe, not a regular file" in ran.out


def test_what_is_long_is_cut_and_what_cannot_fit_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Survey(
        to_do=2, audio_s=7200, kinds={("WAV", "PCM_16", 16_000, 1): Kind(2, 7200.0)},
        failed=[(f"{n}.wav", "is [red]broken") for n in range(MOST_SHOWN + 5)], unmeasured=1,
        output_bytes=2 * 10**9, free_bytes=10**9, executor="ray", workers=4, x_real_time=100,
        predicted_s=23,
    )  # fmt: skip
    print_survey(found, "out")
    text = capsys.readouterr().out
    assert text.count("would fail  ") == MOST_SHOWN
    assert "is [red]broken" in text
    assert "and 5 more (--json has all)" in text
    assert "2 files to do (2:00:00 of audio), 0 would be skipped, 25 would fail" in text
    assert "1 of them not counted: no length in their header" in text
    assert "disk: about 2.0 GB for out, 1.0 GB free\nthat will not fit\n" in text
    assert "time: about 0:23 on Ray with 4 workers, measured 100 x real time each\n" in text


def test_a_time_that_could_not_be_measured_is_said_to_be_unknown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_survey(Survey(to_do=1), "out")
    assert "time: unknown, no file could be tried" in capsys.readouterr().out
