"""``raypipe score``: what it prints, writes and returns."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from raypipe.cli import score_page
from tests.cli.conftest import Raypipe
from tests.quality.speech import hiss, syllables
from tests.signals import noise


def test_few_files_have_a_row_each(raypipe: Raypipe, folder: Path) -> None:
    ran = raypipe("score", folder)
    assert ran.code == 1
    head, units, *rows = ran.out.splitlines()
    assert head.split()[:3] == ["file", "length", "peak"]
    assert "LUFS" in units.split()
    assert [row.split("  ")[0] for row in rows] == ["a.wav", "b.flac", "deep/c d.wav"]
    assert max(map(len, ran.out.splitlines())) <= 100
    lines = ran.err.splitlines()
    assert lines[0].startswith("failed  bad.wav: ")
    assert lines[-1].startswith("3 files scored, 1 failed: 1.5 s of audio in ")
    assert not (folder / ".raypipe").exists()


def test_many_files_have_a_summary_and_the_worst_are_named(
    raypipe: Raypipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_page, "FEW", 2)
    sf.write(folder / "[red]x.wav", syllables(2, 16_000) + hiss(32_000, -30), 16_000)
    ran = raypipe("score", folder)
    summary, _, worst = ran.out.partition("lowest SNR est.")
    assert summary.splitlines()[0].split() == [
        "mean",
        "10",
        "%",
        "median",
        "90",
        "%",
        "unit",
        "files",
    ]
    loudness = next(line for line in summary.splitlines() if line.startswith("loudness"))
    assert loudness.split()[-2:] == ["LUFS", "4"]
    assert "[red]x.wav" in worst


def test_references_and_files_that_are_written(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    clean = tmp_path / "clean"
    (clean / "deep").mkdir(parents=True)
    sf.write(clean / "a.flac", noise(8000).T + 0.01 * noise(8000, seed=5).T, 16_000)
    sf.write(clean / "b.wav", noise(8000, 2).T, 16_000, "FLOAT")
    ran = raypipe(
        "score", folder, "--reference", clean, "--csv", tmp_path / "s.csv", "--json",
        tmp_path / "s.json",
    )  # fmt: skip
    assert ran.code == 1
    assert "against the reference" in ran.out
    assert f"deep/c d.wav: has no reference in {clean}" in ran.err
    rows = {
        row["path"]: row for row in csv.DictReader((tmp_path / "s.csv").read_text().splitlines())
    }
    found = json.loads((tmp_path / "s.json").read_text())
    assert float(rows["a.wav"]["si_sdr_db"]) == pytest.approx(40, abs=0.5)
    assert found["totals"]["failed"] == 2
    for entry in found["files"]:
        row = rows[entry["path"]]
        assert row["delay_samples"] == ("" if entry["delay_samples"] is None else "0")
        for name in ("si_sdr_db", "loudness_lufs", "noise_floor_dbfs", "bandwidth_hz"):
            assert row[name] == ("" if entry[name] is None else str(entry[name]))
            assert entry[name] != -1


def test_what_is_printed_can_be_read_by_a_program(raypipe: Raypipe, folder: Path) -> None:
    ran = raypipe("score", folder, "--json", "-")
    assert ran.code == 1
    assert len(json.loads(ran.out)["files"]) == 4
    ran = raypipe("score", folder, "--csv", "-", "--exclude", "bad.wav")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) == 4
    ran = raypipe("score", folder, "--csv", "-", "--json", "-")
    assert ran.code == 2
    assert "only one of --csv and --json can be printed" in ran.err


def test_quiet_prints_only_what_failed(raypipe: Raypipe, folder: Path) -> None:
    ran = raypipe("score", folder, "-q")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("failed  bad.wav: ")
    assert ran.err.count("\n") == 1


def test_what_is_not_installed_is_said_once(
    raypipe: Raypipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pystoi", None)
    ran = raypipe("score", folder, "--reference", folder, "--exclude", "bad.wav")
    assert ran.code == 0
    assert ran.err.count("STOI needs pystoi: pip install raypipe[score] (3 files)") == 1


def test_results_that_cannot_be_written_cost_nothing_else(raypipe: Raypipe, folder: Path) -> None:
    results = folder.parent / "results"
    results.mkdir()
    (results / "s.csv").symlink_to("/dev/full")
    ran = raypipe("score", folder, "--csv", results / "s.csv", "--json", results / "s.json")
    assert ran.code == 3
    assert "s.csv: cannot write the scores: no space is left" in ran.err
    assert len(json.loads((results / "s.json").read_text())["files"]) == 4
    assert "deep/c d.wav" in ran.out
    assert "3 files scored, 1 failed" in ran.err


def test_a_file_is_written_though_nobody_reads_what_is_printed(folder: Path) -> None:
    place = folder.parent / "s.json"
    code = "from raypipe.cli import main; main()"
    command = (sys.executable, "-c", code, "score", str(folder), "--csv", "-", "--json", str(place))
    read, write = os.pipe()
    os.close(read)
    try:
        ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120)
    finally:
        os.close(write)
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 1
    assert len(json.loads(place.read_text())["files"]) == 4


def test_a_run_in_which_all_fails_leaves_its_rows_too(raypipe: Raypipe, folder: Path) -> None:
    place = folder.parent / "s.json"
    ran = raypipe("score", folder / "bad.wav", "--max-failures", "1", "--json", place)
    assert ran.code == 1
    found = json.loads(place.read_text())
    assert [entry["path"] for entry in found["files"]] == ["bad.wav"]
    assert found["interrupted"].startswith("stopped: 1 files have failed")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((".", "--csv", "deep"), "deep: is a folder, wanted is a file for the scores"),
        ((".", "--csv", ""), "--csv and --json want the name of a file, or - to print"),
        ((".", "--csv", "s", "--json", "./s"), "s: only one of --csv and --json can go there"),
        (("nowhere",), "no such file or folder"),
        ((".", "--reference", "nowhere"), "nowhere: no such folder of references"),
        ((".", "--dnsmos", "nowhere"), "nowhere: holds no sig_bak_ovr.onnx"),
        ((".", "--csv", "no/such/folder.csv"), "there is no such folder for the scores"),
        ((".", "--workers", "many"), "workers must be auto or a whole number"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    raypipe: Raypipe,
    folder: Path,
    arguments: tuple[str, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    ran = raypipe("score", *arguments, "--exclude", "bad.wav")
    assert ran.code == 2
    assert sentence in ran.err
    assert len(ran.err.splitlines()) == 1


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(40):
        sf.write(tmp_path / f"in/{number}.wav", np.tile(noise(480_000)[0], 20), 48_000)
    command = (sys.executable, "-c", "from raypipe.cli import main; main()", "score")
    ran = subprocess.Popen(
        [
            *command,
            str(tmp_path / "in"),
            "--executor",
            "inline",
            "--json",
            str(tmp_path / "s.json"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen: set[str] = set()
    while ran.poll() is None and len(seen) < 3:
        seen |= _open_files(ran.pid, ".wav")
        time.sleep(0.02)
    ran.send_signal(signal.SIGINT)
    out, err = ran.communicate(timeout=60)
    assert ran.returncode == 130
    assert "Traceback" not in out + err
    assert "raypipe: interrupted" in err
    assert "so far: " in err
    found = json.loads((tmp_path / "s.json").read_text())
    assert found["interrupted"] == "interrupted"
    assert 0 < found["totals"]["scored"] == len(found["files"]) < 40


def _open_files(pid: int, ending: str) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(fd))
    return {path for path in found if path.endswith(ending)}


@pytest.mark.slow
def test_odd_files_each_end_in_a_row(raypipe: Raypipe, odd: Path, tmp_path: Path) -> None:
    ran = raypipe(
        "score", odd, "--include", "*", "--json", tmp_path / "s.json", "--executor", "inline",
    )  # fmt: skip
    assert ran.code == 1, "some of them cannot be read, and the exit code says so"
    found = json.loads((tmp_path / "s.json").read_text())
    names = {str(p.relative_to(odd)) for p in odd.rglob("*") if p.is_file()}
    assert {entry["path"] for entry in found["files"]} == names
    assert found["totals"]["scored"] > 500
    measures = [
        n for n in found["files"][0] if n.endswith(("_db", "_dbfs", "_lufs", "_hz", "_share"))
    ]
    for entry in found["files"]:
        if entry["outcome"] == "failed":
            assert entry["reason"] and "\n" not in entry["reason"]
            continue
        for name in measures:
            assert entry[name] is None or abs(entry[name]) < 1e9, (entry["path"], name)
            assert (entry[name] is None) == (name in entry["missing"]), (entry["path"], name)
