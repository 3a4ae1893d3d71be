"""``raypipe enhance``: what it writes, prints and returns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from tests.cli.conftest import Raypipe, tree
from tests.signals import noise

GOOD = {"a.wav", "b.flac", "deep/c d.wav"}


def test_a_folder_becomes_a_mirrored_folder(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    ran = raypipe("enhance", folder, tmp_path / "out")
    assert ran.code == 1
    assert tree(tmp_path / "out") == GOOD
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines[0].startswith("failed  bad.wav: ")
    assert lines[1].split() == [
        "files",
        "done",
        "skipped",
        "failed",
        "audio",
        "time",
        "start-up",
        "speed",
    ]
    assert lines[2].split()[:4] == ["4", "3", "0", "1"]
    assert lines[3] == f"written to {tmp_path / 'out'} with model passthrough"
    assert lines[4] == f"report: {tmp_path / 'out' / '.raypipe' / 'report.json'}"


def test_a_second_run_skips_what_is_done(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    (folder / "bad.wav").unlink()
    assert raypipe("enhance", folder, tmp_path / "out").code == 0
    times = {name: os.stat(tmp_path / "out" / name).st_mtime_ns for name in GOOD}
    ran = raypipe("enhance", folder, tmp_path / "out")
    assert ran.code == 0
    lines = ran.err.splitlines()
    assert lines[0] == "skipped 3 files: already done, with the same model and settings"
    assert lines[2].split()[:4] == ["3", "0", "3", "0"]
    assert {name: os.stat(tmp_path / "out" / name).st_mtime_ns for name in GOOD} == times
    assert raypipe("enhance", folder, tmp_path / "out", "--fresh", "--json").out.count("done") == 4


def test_one_file_becomes_one_file(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    assert raypipe("enhance", folder / "a.wav", tmp_path / "x.flac").code == 0
    assert np.array_equal(
        sf.read(tmp_path / "x.flac", dtype="int16")[0], sf.read(folder / "a.wav", dtype="int16")[0]
    )
    ran = raypipe("enhance", folder / "a.wav", tmp_path / "x.flac")
    assert "--overwrite replaces it" in ran.err
    assert "0 x real time" not in ran.err
    ran = raypipe("enhance", folder / "a.wav", tmp_path / "x.flac", "-f")
    assert ran.code == 0
    assert "x real time" in ran.err


def test_one_file_goes_into_a_folder(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    assert raypipe("enhance", folder / "a.wav", f"{tmp_path}/out/").code == 0
    assert tree(tmp_path / "out") == {"a.wav"}


def test_out_may_be_a_flag(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    assert raypipe("enhance", folder / "a.wav", "-o", tmp_path / "x.wav").code == 0
    assert raypipe("enhance", "--output", tmp_path / "y.wav", folder / "a.wav").code == 0


def test_a_glob_keeps_the_tree_below_it(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    assert raypipe("enhance", folder / "**" / "*.wav", tmp_path / "out").code == 1
    assert tree(tmp_path / "out") == {"a.wav", "deep/c d.wav"}


def test_a_list_names_the_files(
    raypipe: Raypipe, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("in/a.wav\n\nin/deep/c d.wav\nin/gone.wav\n")
    ran = raypipe("enhance", "@list.txt", "out")
    assert ran.code == 1
    assert "failed  gone.wav: cannot be read: No such file or directory" in ran.err
    assert tree(tmp_path / "out") == {"a.wav", "deep/c d.wav"}


def test_patterns_choose_and_leave_out(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    wavs = ("--include", "*.wav", "--include", "*.mp3", "--exclude", "bad*")
    assert raypipe("enhance", folder, tmp_path / "out", *wavs, "--exclude", "deep").code == 0
    assert tree(tmp_path / "out") == {"a.wav"}


@pytest.mark.parametrize("ending", ["flac", "wav", "mp3", "ogg", "aiff"])
def test_formats_and_suffixes(raypipe: Raypipe, folder: Path, tmp_path: Path, ending: str) -> None:
    ran = raypipe(
        "enhance", folder, tmp_path / "out", "--exclude", "bad.wav",
        "--output-format", ending, "--suffix", ".x",
    )  # fmt: skip
    assert ran.code == 0
    names = {f"a.x.{ending}", f"b.x.{ending}", f"deep/c d.x.{ending}"}
    assert tree(tmp_path / "out") == names
    for name in names:
        assert sf.info(tmp_path / "out" / name).frames == (22_050 if "deep" in name else 8000)
    assert f"note    container WAV became {ending.upper()}" in ran.err or ending == "wav"


def test_raw_in_raw_out(raypipe: Raypipe, tmp_path: Path) -> None:
    sound = (noise(5000, 2) * 32767).astype("<i2").T.tobytes()
    (tmp_path / "a.raw").write_bytes(sound)
    layout = "rate=44100,channels=2,sample=s16le"
    ran = raypipe("enhance", tmp_path / "a.raw", tmp_path / "b.raw", "--raw", layout)
    assert ran.code == 0
    assert (tmp_path / "b.raw").read_bytes() == sound
    ran = raypipe("enhance", tmp_path / "a.raw", tmp_path / "c.raw")
    assert ran.code == 1
    assert "failed  a.raw: has no header, so --raw rate=" in ran.err


def test_quiet_prints_only_what_failed(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    ran = raypipe("enhance", folder, tmp_path / "out", "-q")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("failed  bad.wav: ")
    assert ran.err.count("\n") == 1
    ran = raypipe("enhance", folder, tmp_path / "out", "-q", "--exclude", "bad.wav")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_json_prints_an_object_a_file_then_the_totals(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    ran = raypipe("enhance", folder, tmp_path / "out", "--json")
    assert (ran.code, ran.err) == (1, "")
    *files, totals = [json.loads(line) for line in ran.out.splitlines()]
    assert {file.pop("event") for file in files} == {"file"}
    assert totals.pop("event") == "totals"
    report = json.loads((tmp_path / "out" / ".raypipe" / "report.json").read_text())
    assert sorted(files, key=lambda file: file["path"]) == report["files"]
    assert totals == report["totals"]


def test_a_dry_run_lists_and_writes_nothing(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    ran = raypipe("enhance", folder, tmp_path / "out", "-n", "--output-format", "mp3")
    assert ran.code == 0
    assert "to do    b.flac -> b.mp3\n" in ran.out
    assert ran.out.splitlines()[-1] == "4 to do, 0 skipped, 0 failed"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_knows_what_is_done(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    raypipe("enhance", folder, tmp_path / "out", "-q")
    (folder / "pipe.wav").symlink_to("gone.wav")
    ran = raypipe("enhance", folder, tmp_path / "out", "--dry-run", "--json")
    found = {entry["path"]: entry for entry in map(json.loads, ran.out.splitlines())}
    assert {path: entry["would"] for path, entry in found.items()} == {
        "a.wav": "skipped", "b.flac": "skipped", "deep/c d.wav": "skipped", "bad.wav": "to do",
        "pipe.wav": "failed",
    }  # fmt: skip
    assert found["a.wav"]["reason"] == "already done, with the same model and settings"
    assert ran.code == 1
    ran = raypipe("enhance", folder, tmp_path / "out", "-n", "-q")
    assert ran.out == "failed   pipe.wav: cannot be read: No such file or directory\n"


def test_a_config_file_the_environment_and_flags_win_in_that_order(
    raypipe: Raypipe,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    default_model: None,
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('model = "delay"\ninclude = ["a.*"]\nworkers = "auto"\n')
    fixed = ("enhance", folder, tmp_path / "out", "-c", config)
    assert raypipe(*fixed).err.endswith(report_line(tmp_path, "delay"))
    with monkeypatch.context() as patch:
        patch.setenv("RAYPIPE_MODEL", "recurrent")
        assert raypipe(*fixed).err.endswith(report_line(tmp_path, "recurrent"))
        assert raypipe(*fixed, "-m", "passthrough").err.endswith(
            report_line(tmp_path, "passthrough")
        )
    assert tree(tmp_path / "out") == {"a.wav"}


def report_line(tmp_path: Path, model: str) -> str:
    out = tmp_path / "out"
    return f"written to {out} with model {model}\nreport: {out / '.raypipe' / 'report.json'}\n"


def test_a_report_is_written_where_it_is_asked_for(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    ran = raypipe("enhance", folder, tmp_path / "out", "--report", tmp_path / "r.json")
    assert ran.err.endswith(f"report: {tmp_path / 'r.json'}\n")
    assert json.loads((tmp_path / "r.json").read_text())["totals"]["failed"] == 1


def test_a_report_that_could_not_be_written_is_refused_before_the_work(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    ran = raypipe("enhance", folder, tmp_path / "out", "--report", tmp_path / "no" / "r.json")
    assert ran.code == 2
    assert f"{tmp_path / 'no' / 'r.json'}: there is no such folder" in ran.err
    assert not (tmp_path / "out").exists()


def test_it_stops_after_so_many_failures_and_says_which(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    for number in range(5):
        (folder / f"bad{number}.wav").write_bytes(b"no audio either")
    ran = raypipe("enhance", folder, tmp_path / "out", "--max-failures", "2")
    assert ran.code == 1
    assert ran.err.count("failed  bad") == 2
    assert "2 failed" in next(line for line in ran.err.splitlines() if line.startswith("so far: "))
    assert ran.err.endswith("raypipe: stopped: 2 files have failed (--max-failures 2)\n")


def test_clipping_is_counted_or_turned_down(raypipe: Raypipe, tmp_path: Path) -> None:
    sf.write(tmp_path / "loud.wav", 2 * noise(4000).T, 16_000, "FLOAT")
    ran = raypipe("enhance", tmp_path / "loud.wav", tmp_path / "a.flac")
    assert ran.code == 0
    assert "clipped loud.wav: " in ran.err
    assert "--clip scale turns such files down" in ran.err
    ran = raypipe("enhance", tmp_path / "loud.wav", tmp_path / "b.flac", "--clip", "scale")
    assert ran.code == 0
    assert "clipped" not in ran.err
    loud, turned_down = sf.read(tmp_path / "loud.wav")[0], sf.read(tmp_path / "b.flac")[0]
    gain = np.abs(turned_down).max() / np.abs(loud).max()
    assert np.allclose(turned_down, gain * loud, atol=2**-22)  # steps of 24 bits


def test_truncated_files_fail_unless_they_are_wanted(raypipe: Raypipe, tmp_path: Path) -> None:
    sf.write(tmp_path / "whole.wav", noise(8000).T, 16_000, "PCM_16")
    data = (tmp_path / "whole.wav").read_bytes()
    (tmp_path / "half.wav").write_bytes(data[:8044])
    ran = raypipe("enhance", tmp_path / "half.wav", tmp_path / "x.wav")
    assert ran.code == 1
    assert "header promises 8000 samples" in ran.err
    ran = raypipe("enhance", tmp_path / "half.wav", tmp_path / "x.wav", "--keep-truncated")
    assert ran.code == 0
    assert "note    header promises 8000 samples" in ran.err
    assert sf.info(tmp_path / "x.wav").frames == 4000


@pytest.mark.ray
def test_ray_gives_the_same_bytes(
    raypipe: Raypipe, folder: Path, tmp_path: Path, ray_cluster: None
) -> None:
    for where, workers in (("inline", "auto"), ("ray", "2")):
        out = tmp_path / where
        ran = raypipe(
            "enhance", folder, out, "--executor", where, "-j", workers, "-m", "recurrent",
            "--lanes", "2", "--segment", "0.5", "--timeout", "60",
        )  # fmt: skip
        assert ran.code == 1
        assert "failed  bad.wav: " in ran.err
    assert tree(tmp_path / "inline") == tree(tmp_path / "ray") == GOOD
    for name in GOOD:
        one, other = ((tmp_path / where / name).read_bytes() for where in ("inline", "ray"))
        assert one == other
