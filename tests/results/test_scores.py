"""Rows of a scoring run: their order, their files, what they come to."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import pytest

from raypipe.errors import StorageError
from raypipe.results import scores
from raypipe.results.scores import ScoreReport
from raypipe.types import AudioFile, Failed, Scored, SoundInfo

INFO = SoundInfo(8000, 1, 80_000, "WAV", "PCM_16")


def scored(name: str, **values: float) -> Scored:
    missing = {} if "snr_db" in values else {"snr_db": "digital silence"}
    file = AudioFile(name, name, name, 1, 0)
    return Scored(file, INFO, 80_000, values, missing, ("odd; strange",), "worker-1")


def failed(name: str) -> Failed:
    return Failed(AudioFile(name, name, name, 1, 0), "is broken,\nsays who")


def report() -> ScoreReport:
    found = ScoreReport()
    found.add(scored("c.wav", snr_db=10.0, peak_dbfs=-1.0), 3)
    found.add(failed("b\udcff.wav"), 1)
    found.add(scored('a "1", [red]\n.wav', snr_db=20.0), 4)
    found.add(scored("d.wav"), 2)
    return found


def test_rows_are_in_the_order_of_names_whatever_came_first() -> None:
    names = [row["path"] for row in report().rows()]
    assert names == sorted(names)


def test_many_rows_are_in_the_order_of_the_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_SORTED", 2)
    names = [row["path"][0] for row in report().rows()]
    assert names == ["b", "d", "c", "a"]


def test_csv_has_a_line_a_file_and_empty_cells() -> None:
    out = io.StringIO()
    report().write_csv(out)
    out.getvalue().encode("utf-8")
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert [row["path"] for row in rows] == ['a "1", [red]\n.wav', "b\\xff.wav", "c.wav", "d.wav"]
    first, broken, _, silent = rows
    assert (first["snr_db"], first["peak_dbfs"], first["rate_hz"]) == ("20.0", "", "8000")
    assert (broken["outcome"], broken["reason"]) == ("failed", "is broken,\nsays who")
    assert (broken["snr_db"], broken["rate_hz"], broken["missing"]) == ("", "", "")
    assert (silent["snr_db"], silent["missing"]) == ("", "snr_db: digital silence")
    assert silent["notes"] == "odd; strange"


def test_a_csv_row_stays_one_row_whatever_the_name(tmp_path: Path) -> None:
    names = ["a\rb.wav", "c\nd.wav", "e\r\nf.wav", '"g', "=h", "i,j", ""]
    found = ScoreReport()
    for number, name in enumerate(names, 1):
        found.add(scored(name), number)
    with (tmp_path / "s.csv").open("w", newline="") as out:
        found.write_csv(out)
    assert b"\r\n\n" not in (tmp_path / "s.csv").read_bytes()
    with (tmp_path / "s.csv").open(newline="") as read:
        head, *rows = csv.reader(read)
    assert sorted(row[0] for row in rows) == sorted(names)
    assert {len(row) for row in rows} == {len(head)}


def test_rows_that_cannot_be_kept_are_the_storages_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StorageError, match="cannot keep the rows: "):
        ScoreReport()


def test_the_summary_has_the_decimals_of_the_measures() -> None:
    found = ScoreReport()
    found.add(scored("a.wav", clipped_share=0.000012), 1)
    assert found.summary()["clipped_share"].mean == 0.000012


def test_json_has_all_of_it() -> None:
    out = io.StringIO()
    report().write_json(out)
    found = json.loads(out.getvalue())
    assert found["totals"] == {
        "files": 4, "scored": 3, "failed": 1, "audio_s": 30.0, "wall_s": 0.0,
    }  # fmt: skip
    assert found["summary"]["snr_db"] == {
        "count": 2, "mean": 15.0, "median": 15.0, "p10": 11.0, "p90": 19.0,
    }  # fmt: skip
    assert "loudness_lufs" not in found["summary"]
    by_name = {row["path"]: row for row in found["files"]}
    assert by_name["d.wav"]["snr_db"] is None
    assert by_name["d.wav"]["missing"] == {"snr_db": "digital silence"}
    assert by_name["b\udcff.wav"]["reason"] == "is broken,\nsays who"


def test_the_summary_does_not_depend_on_the_order() -> None:
    values = [0.1, 1e6, -3.25, 7.7, 0.3]
    one, other = ScoreReport(), ScoreReport()
    for number, value in enumerate(values, 1):
        one.add(scored(f"{number}.wav", snr_db=value), number)
    for number, value in reversed(list(enumerate(values, 1))):
        other.add(scored(f"{number}.wav", snr_db=value), number)
    assert one.summary() == other.summary()
    assert one.exit_code == 0
    assert report().exit_code == 1


def test_columns_are_what_was_asked_for() -> None:
    assert "si_sdr_db" not in ScoreReport().names
    names = ScoreReport(deep=True, judged=True).names
    assert names[-4:] == ["dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808"]
    assert {"si_sdr_db", "pesq_wb", "delay_samples", "snr_db"} <= set(names)
    assert len(names) == len(set(names))
