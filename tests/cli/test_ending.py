"""What is said at the end of a run."""

from __future__ import annotations

import pytest

from raypipe.cli.ending import MOST_SHOWN, Ending
from raypipe.results.report import RunReport
from raypipe.types import AudioFile, Done, Failed, Levels, Skipped, SoundInfo


def file_of(name: str) -> AudioFile:
    return AudioFile(f"/in/{name}", name, name, 100, 0)


def done(name: str, *notes: str, clipped: int = 0) -> Done:
    info = SoundInfo(16_000, 1, 32_000, "WAV", "PCM_16")
    silence = Levels(None, None)
    return Done(
        file=file_of(name), artifacts={"sound": name}, info=info, frames=32_000,
        level_in=silence, level_out=silence, clipped=clipped, notes=notes,
    )  # fmt: skip


def said(capsys: pytest.CaptureFixture[str], *outcomes: Done | Failed | Skipped) -> str:
    report = RunReport("1", {}, {"name": "recurrent"}, {})
    ending = Ending()
    for outcome in outcomes:
        ending.take(outcome)
        report.add(outcome)
    ending.print_all(report, "out", "r.json")
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_it_names_what_needs_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(
        capsys,
        Failed(file_of("bad.wav"), "is empty"),
        done("loud.wav", clipped=1),
        done("a.wav", "container WAV became FLAC"),
        done("b.wav", "container WAV became FLAC", "no [tags]"),
        Skipped(file_of("old.wav"), "already done"),
    )
    lines = text.splitlines()
    assert lines[:5] == [
        "failed  bad.wav: is empty",
        "clipped loud.wav: 1 sample at full scale; --clip scale turns such files down",
        "skipped 1 file: already done",
        "note    container WAV became FLAC (2 files)",
        "note    no [tags]",
    ]
    assert lines[6].split()[:4] == ["5", "3", "1", "1"]
    assert lines[7:] == ["written to out with model recurrent", "report: r.json"]


def test_it_names_so_many_of_a_kind_and_counts_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(
        capsys,
        *(Failed(file_of(f"f{n}.wav"), "is empty") for n in range(MOST_SHOWN + 3)),
        *(done(f"c{n}.wav", clipped=5) for n in range(MOST_SHOWN + 2)),
        *(done(f"n{n}.wav", f"note {n}") for n in range(MOST_SHOWN + 1)),
    )
    for word, rest in (("failed", 3), ("clipped", 2), ("note", 1)):
        assert text.count(f"\n{word} ") + text.startswith(word) == MOST_SHOWN
        assert f"and {rest} more; the report has all\n" in text


def test_where_nothing_was_done_it_speaks_of_no_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "written to" not in said(capsys, Failed(file_of("a.wav"), "is empty"))
