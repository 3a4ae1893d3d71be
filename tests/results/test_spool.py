"""Lines come back as they went in, and a disk that refuses is heard of in one sentence."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raypipe.errors import StorageError
from raypipe.results.report import RunReport
from raypipe.results.scores import ScoreReport
from raypipe.results.spool import Spool
from raypipe.types import Failed, Outcome
from tests.results.made import audio_file, done


def run_report() -> RunReport:
    return RunReport("0.1", {}, {}, {})


@given(st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line)))
def test_every_line_comes_back(lines: list[bytes]) -> None:
    spool = Spool("keep lines")
    places = []
    for line in lines:
        places.append(spool.add(line))
        assert spool.line(places[0]) == lines[0]
    assert list(spool) == lines
    assert [spool.line(lies) for lies in reversed(places)] == lines[::-1]


@pytest.mark.parametrize("make", [run_report, ScoreReport])
def test_where_no_file_can_be_made_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StorageError, match=r"gone: cannot keep [a-z ]+: "):
        make()


@pytest.fixture
def most_bytes(monkeypatch: pytest.MonkeyPatch) -> int:
    """The disk is full after so many: a call writes what still has room, the next is refused."""
    write, most = os.pwrite, 1000

    def write_what_has_room(file: int, data: memoryview, offset: int) -> int:
        if offset >= most:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data[: most - offset], offset)

    monkeypatch.setattr(os, "pwrite", write_what_has_room)
    return most


def test_a_full_disk_leaves_what_was_kept_before(most_bytes: int) -> None:
    spool = Spool("keep lines")
    spool.add(b"a" * (most_bytes - 500))
    with pytest.raises(StorageError, match="cannot keep lines: no space is left"):
        spool.add(b"b" * 600)
    assert list(spool) == [b"a" * (most_bytes - 500)]
    assert spool.line(spool.add(b"c")) == b"c"


def test_a_report_counts_what_it_kept(most_bytes: int) -> None:
    report = run_report()
    outcomes: list[Outcome] = [Failed(audio_file("a.wav"), "broken")]
    outcomes += [done(audio_file(f"{number}.wav")) for number in range(10)]
    with pytest.raises(StorageError, match="cannot keep what was done: no space is left"):
        for outcome in outcomes:
            report.add(outcome)
    assert 0 < len(report.files) == report.totals.files < len(outcomes)
    assert (report.totals.failed, report.totals.done) == (1, report.totals.files - 1)


def test_scores_count_what_they_kept(most_bytes: int) -> None:
    report = ScoreReport()
    with pytest.raises(StorageError, match="cannot keep the rows: no space is left"):
        for number in range(1, 20):
            report.add(Failed(audio_file(f"{number}.wav"), "broken"), number)
    assert 0 < len(list(report.rows())) == report.failed < 19


def test_rows_that_cannot_be_read_leave_no_half_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = run_report()
    report.add(Failed(audio_file("a.wav"), "broken"))

    def refuse(self: Spool, lies: int) -> bytes:
        raise StorageError("TMPDIR: cannot keep what was done: input/output error")

    monkeypatch.setattr(Spool, "line", refuse)
    with pytest.raises(StorageError, match="TMPDIR"):
        report.write(tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []
