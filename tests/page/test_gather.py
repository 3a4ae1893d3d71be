"""What the page knows: after resumed, killed and broken runs, of folders and buckets."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import soundfile as sf

from raypipe.errors import UsageError
from raypipe.page.gather import EARLIER, LATER, NO_REPORT, FileRow, gather, output_path
from tests.page.pages import page_of, run
from tests.signals import bursts
from tests.stores import S3


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two good files and a bad one."""
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    sf.write(root / "a.wav", bursts(16_000).T, 16_000, "PCM_16")
    sf.write(root / "deep" / "b.flac", bursts(16_000).T, 16_000, "PCM_16")
    (root / "bad.wav").write_bytes(b"")
    return root


def by_name(output: Path) -> dict[str, FileRow]:
    return {row.name: row for row in gather(str(output)).files}


def test_a_report_and_its_journal_are_joined(small: Path, tmp_path: Path) -> None:
    result = run(small, tmp_path / "out", suffix="-clean")
    gathered = gather(str(tmp_path / "out"))
    assert [row.name for row in gathered.files] == ["a.wav", "bad.wav", "deep/b.flac"]
    one, bad, _ = gathered.files
    told = result.files[0]
    assert (one.outcome, one.output, one.input) == ("done", "a-clean.wav", str(small / "a.wav"))
    assert (one.seconds, one.lufs_in, one.floor_in_db) == (1.0, told["lufs_in"],
                                                           told["floor_in_db"])  # fmt: skip
    assert one.gain_db == pytest.approx(0, abs=0.02)
    assert one.info is not None
    assert one.info.subtype == "PCM_16"
    assert (bad.outcome, bad.reason, bad.output) == ("failed", "is empty (0 bytes)", "")
    assert bad.gain_db is None
    assert gathered.remarks == ()
    assert gathered.head["place"]["input"] == str(small)


def test_what_an_earlier_run_has_done_keeps_its_levels(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    before = by_name(tmp_path / "out")
    run(small, tmp_path / "out")
    after = by_name(tmp_path / "out")
    assert after["a.wav"].outcome == "skipped"
    assert after["a.wav"].reason.startswith("already done")
    assert after["a.wav"].lufs_in == before["a.wav"].lufs_in is not None
    page = page_of(tmp_path / "out", tmp_path / "page.html")
    assert len(page.sounds("after")) == 2


def test_files_of_another_run_into_the_same_output_are_told_apart(
    small: Path, tmp_path: Path
) -> None:
    run(small, tmp_path / "out")
    run(small / "deep" / "b.flac", tmp_path / "out" / "x")
    run(small, tmp_path / "out", include=("*.flac",))
    rows = by_name(tmp_path / "out")
    assert (rows["a.wav"].outcome, rows["a.wav"].reason) == ("done", EARLIER)
    assert rows["deep/b.flac"].outcome == "skipped"
    assert "bad.wav" not in rows


def test_a_killed_run_is_told_by_its_journal(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    os.unlink(tmp_path / "out" / ".raypipe" / "report.json")
    gathered = gather(str(tmp_path / "out"))
    assert [row.name for row in gathered.files] == ["a.wav", "deep/b.flac"]
    assert {row.reason for row in gathered.files} == {NO_REPORT}
    assert "it was killed, or is still going on" in gathered.remarks[0]
    page = page_of(tmp_path / "out", tmp_path / "page.html")
    assert len(page.sounds("before")) == len(page.sounds("after")) == 2
    assert "killed" in page.words


def test_what_was_announced_and_never_appeared_is_no_file(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    private = tmp_path / "out" / ".raypipe"
    os.unlink(private / "report.json")
    for part in (private / "journal").iterdir():
        lines = [line for line in part.read_text().splitlines() if '"publishing"' in line]
        part.write_text("\n".join([*lines, '{"torn']) + "\n")
    os.unlink(tmp_path / "out" / "a.wav")
    assert set(by_name(tmp_path / "out")) == {"deep/b.flac"}


def test_a_report_that_is_older_than_the_journal_says_so(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    report = tmp_path / "out" / ".raypipe" / "report.json"
    old = report.read_text()
    sf.write(small / "bad.wav", bursts(16_000).T, 16_000, "PCM_16")
    run(small, tmp_path / "out")
    report.write_text(old)
    os.utime(report, (1, 1))  # long before
    rows = by_name(tmp_path / "out")
    assert (rows["bad.wav"].outcome, rows["bad.wav"].reason) == ("done", LATER)
    assert rows["a.wav"].reason == ""  # made by the report's own run, whatever the clocks say
    assert "has done 1 of these files" in gather(str(tmp_path / "out")).remarks[0]


def test_a_run_that_ended_early_says_why(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    report = tmp_path / "out" / ".raypipe" / "report.json"
    told = report.read_text().replace('"interrupted": null', '"interrupted": "stop & <b>"')
    report.write_text(told)
    page = page_of(tmp_path / "out", tmp_path / "page.html", most_shown=0)
    assert "The run ended early: stop & <b>. The same command goes on from there." in page.words


def test_where_no_run_has_written_there_is_nothing_to_tell(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="no run of raypipe has left a report or a journal"):
            gather(str(folder))


def test_a_file_as_output_is_told_from_a_folder_without_runs(small: Path, tmp_path: Path) -> None:
    run(small / "a.wav", tmp_path / "a.wav")
    with pytest.raises(UsageError, match=r"is a file.*its page is written with the run.*--html"):
        gather(str(tmp_path / "a.wav"))


def test_a_damaged_report_is_named(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    report = tmp_path / "out" / ".raypipe" / "report.json"
    text = report.read_text()
    report.write_text(text.replace('{"path": "bad.wav"', '{"pa'))
    with pytest.raises(UsageError, match=r"report\.json: is damaged at"):
        gather(str(tmp_path / "out"))
    report.write_text(json.dumps({"files": []}))
    with pytest.raises(UsageError, match="is no report that"):
        gather(str(tmp_path / "out"))


def test_a_report_of_an_unknown_outcome_is_named(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    report = tmp_path / "out" / ".raypipe" / "report.json"
    report.write_text(report.read_text().replace('"outcome": "failed"', '"outcome": "lost"'))
    with pytest.raises(UsageError, match=r"report\.json: is damaged at .*bad\.wav"):
        gather(str(tmp_path / "out"))


def test_levels_that_are_no_numbers_are_not_known(small: Path, tmp_path: Path) -> None:
    run(small, tmp_path / "out")
    report = tmp_path / "out" / ".raypipe" / "report.json"
    told = re.sub(r'"(lufs_in|peak_out_db)": [-0-9.]+', r'"\1": -Infinity', report.read_text())
    report.write_text(re.sub(r'"floor_in_db": [-0-9.]+', '"floor_in_db": NaN', told))
    found = by_name(tmp_path / "out")["a.wav"]
    assert (found.lufs_in, found.peak_out_db, found.floor_in_db) == (None, None, None)
    assert found.lufs_out is not None
    assert page_of(tmp_path / "out", tmp_path / "page.html").names


@pytest.mark.parametrize("output", ["../a.wav", "/etc/passwd", "x/../../a.wav", ""])
def test_no_output_leads_out_of_its_folder(small: Path, tmp_path: Path, output: str) -> None:
    run(small, tmp_path / "out")
    gathered = gather(str(tmp_path / "out"))
    assert output_path(gathered, FileRow("a.wav", "done", output=output)) == ""
    assert output_path(gathered, gathered.files[0]) == str(tmp_path / "out" / "a.wav")


def test_a_bucket_is_read_like_a_folder(small: Path, tmp_path: Path, s3: S3) -> None:
    output = f"s3://{s3.bucket}/out"
    run(small, output)
    page = page_of(output, tmp_path / "page.html")
    assert page.names == ["a.wav", "bad.wav", "deep/b.flac"]
    assert page.sounds("before") == page.sounds("after")
    assert len(page.sounds("after")) == 2
    shutil.rmtree(small)
    page = page_of(output + "/", tmp_path / "page.html")
    assert (len(page.sounds("before")), len(page.sounds("after"))) == (0, 2)


def test_of_a_long_object_a_few_stretches_are_fetched(tmp_path: Path, s3: S3) -> None:
    sf.write(tmp_path / "long.wav", bursts(8000 * 400).T, 8000, "PCM_16")
    size = (tmp_path / "long.wav").stat().st_size
    source = s3.put("in/long.wav", (tmp_path / "long.wav").read_bytes())
    output = f"s3://{s3.bucket}/out"
    run(source.rpartition("/")[0], output)
    s3.proxy.forget()
    page = page_of(output, tmp_path / "page.html")
    assert page.sounds("before") == page.sounds("after") != []
    assert s3.proxy.served < size  # of two files of this size
