"""What the storage does to a run: full, read-only, gone, nested, strange names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import raypipe
from raypipe.errors import StorageError, UsageError

COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()", "enhance")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for three of the files, and no more."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def make(folder: Path, files: int, samples: int = 50_000) -> Path:
    folder.mkdir()
    random = np.random.default_rng(2)
    for number in range(files):
        sf.write(folder / f"{number}.wav", 0.1 * random.standard_normal(samples), 16_000)
    return folder


@pytest.mark.ray
@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_full_disk_stops_the_run_and_loses_nothing(
    tmp_path: Path, small_disk: Path, executor: str, ray_cluster: None
) -> None:
    inputs = make(tmp_path / "in", 8)
    settings = {"executor": executor, "workers": 1, "lanes": 1}
    with pytest.raises(StorageError, match="cannot write: no space is left on the device"):
        raypipe.enhance(inputs, small_disk, **settings)
    some = [p for p in small_disk.iterdir() if p.suffix == ".wav"]
    assert some
    for path in some:
        assert np.array_equal(sf.read(path)[0], sf.read(inputs / path.name)[0])
    assert not list((small_disk / ".raypipe/tmp").iterdir())
    for path in some[:-1]:
        (inputs / path.name).unlink()
        path.unlink()
    for path in list(inputs.iterdir())[2:]:
        path.unlink()
    report = raypipe.enhance(inputs, small_disk, **settings)
    assert report.totals.failed == 0


def test_the_command_says_in_one_line_what_is_full(tmp_path: Path, small_disk: Path) -> None:
    inputs = make(tmp_path / "in", 8)
    done = subprocess.run([*COMMAND, str(inputs), str(small_disk)], capture_output=True, text=True)
    assert done.returncode == 3
    assert done.stderr.startswith(f"raypipe: {small_disk}")
    assert "no space is left" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_read_only_output_is_named(tmp_path: Path, small_disk: Path) -> None:
    inputs = make(tmp_path / "in", 1)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match=r"small/out: .*read-only"):
        raypipe.enhance(inputs, small_disk / "out")


def test_an_output_path_that_a_file_stands_in_fails_that_file_alone(tmp_path: Path) -> None:
    inputs = make(tmp_path / "in", 2)
    (inputs / "sub").mkdir()
    os.rename(inputs / "0.wav", inputs / "sub/0.wav")
    out = tmp_path / "out"
    out.mkdir()
    (out / "sub").write_text("in the way")
    report = raypipe.enhance(inputs, out)
    assert {f["path"]: f["outcome"] for f in report.files} == {
        "1.wav": "done",
        "sub/0.wav": "failed",
    }
    assert (out / "sub").read_text() == "in the way"


def test_two_inputs_for_one_output_are_refused_before_the_start(tmp_path: Path) -> None:
    inputs = make(tmp_path / "in", 1)
    sf.write(inputs / "0.mp3", np.zeros(1000), 16_000)
    with pytest.raises(UsageError, match=r"0\.(wav|mp3) and 0\.(wav|mp3) would both become 0\.fl"):
        raypipe.enhance(inputs, tmp_path / "out", output_format="flac")
    assert not (tmp_path / "out").exists()


def test_outputs_that_raypipe_did_not_make_are_kept(tmp_path: Path) -> None:
    inputs = make(tmp_path / "in", 2)
    out = tmp_path / "out"
    out.mkdir()
    (out / "0.wav").write_text("mine")
    report = raypipe.enhance(inputs, out)
    assert (report.totals.done, report.totals.skipped) == (1, 1)
    assert (out / "0.wav").read_text() == "mine"
    report = raypipe.enhance(inputs, out, overwrite=True)
    assert (report.totals.done, report.totals.skipped) == (1, 1)
    assert sf.info(out / "0.wav").frames == 50_000


def test_what_is_done_is_done_again_only_where_something_changed(tmp_path: Path) -> None:
    inputs, out = make(tmp_path / "in", 3), tmp_path / "out"
    assert raypipe.enhance(inputs, out).totals.done == 3
    assert raypipe.enhance(inputs, out, lanes=3).totals.skipped == 3
    os.utime(inputs / "0.wav", ns=(1, 1))
    assert raypipe.enhance(inputs, out).totals.done == 1
    (out / "1.wav").unlink()
    assert raypipe.enhance(inputs, out).totals.done == 1
    assert raypipe.enhance(inputs, out, model="delay").totals.done == 3
    assert raypipe.enhance(inputs, out, model="delay").totals.skipped == 3
    assert raypipe.enhance(inputs, out, model="delay", fresh=True).totals.done == 3


def test_strange_names_come_out_as_they_are(tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    names = [
        b"new\nline.wav",
        b"\xff\xfe\xfd.wav",
        b"q" * 250 + b".flac",
        b"[x](y) *.wav",
        b"-n.wav",
    ]
    sound = np.arange(-500, 500) / 1000
    for name in names:
        sf.write(inputs / "plain.wav", sound, 8_000)
        if name.endswith(b".flac"):
            sf.write(inputs / "plain.wav", sound, 8_000, format="FLAC")
        os.rename(inputs / "plain.wav", os.path.join(os.fsencode(inputs), name))
    report = raypipe.enhance(inputs, out, report=tmp_path / "report.json")
    assert report.totals.done == len(names), report.files
    assert sorted(n for n in os.listdir(os.fsencode(out)) if n != b".raypipe") == sorted(names)
    done = subprocess.run([*COMMAND, str(inputs), str(out), "-n"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "new\\nline.wav" in done.stdout
    assert "\\xff\\xfe\\xfd.wav" in done.stdout


def test_a_report_that_cannot_be_written_is_said_before_the_start(tmp_path: Path) -> None:
    inputs = make(tmp_path / "in", 1)
    with pytest.raises(UsageError, match=r"nowhere/report\.json: there is no such folder"):
        raypipe.enhance(inputs, tmp_path / "out", report=tmp_path / "nowhere/report.json")
    assert not (tmp_path / "out").exists()


def test_an_output_belongs_to_the_input_that_made_it(tmp_path: Path) -> None:
    one, two, out = make(tmp_path / "a", 1), make(tmp_path / "b", 1, 9_000), tmp_path / "out"
    assert raypipe.enhance(one, out).totals.done == 1
    report = raypipe.enhance(two, out)
    assert [f["outcome"] for f in report.files] == ["failed"]
    assert report.files[0]["reason"] == (
        f"its output was made of {one}/0.wav; --overwrite replaces it"
    )
    assert sf.info(out / "0.wav").frames == 50_000
    assert raypipe.enhance(two, out, overwrite=True).totals.done == 1
    assert raypipe.enhance(two, out).totals.skipped == 1
    assert raypipe.enhance(one, out).totals.failed == 1, "it is the second input's by now"
    assert sf.info(out / "0.wav").frames == 9_000


def test_an_output_that_was_edited_is_its_editors(tmp_path: Path) -> None:
    inputs, out = make(tmp_path / "in", 1), tmp_path / "out"
    raypipe.enhance(inputs, out)
    (out / "0.wav").write_text("edited by hand")
    assert raypipe.enhance(inputs, out, model="delay").totals.skipped == 1
    assert (out / "0.wav").read_text() == "edited by hand"


def test_a_suffix_in_the_same_folder_can_be_run_again(tmp_path: Path) -> None:
    inputs = make(tmp_path / "in", 2)
    assert raypipe.enhance(inputs, inputs, suffix="_clean").totals.done == 2
    again = raypipe.enhance(inputs, inputs, suffix="_clean")
    assert (again.totals.files, again.totals.skipped) == (2, 2)


def test_one_file_is_not_replaced_unless_told_to(tmp_path: Path) -> None:
    inputs, out = make(tmp_path / "in", 1), tmp_path / "o.wav"
    assert raypipe.enhance(inputs / "0.wav", out).totals.done == 1
    out.write_text("mine")
    assert raypipe.enhance(inputs / "0.wav", out).totals.skipped == 1
    assert out.read_text() == "mine"
    assert raypipe.enhance(inputs / "0.wav", out, overwrite=True).totals.done == 1
    assert sorted(os.listdir(tmp_path)) == ["in", "o.wav"]


def test_a_folder_on_another_disk_inside_the_output_fails_its_files_alone(
    tmp_path: Path, small_disk: Path
) -> None:
    inputs, out = make(tmp_path / "in", 2), tmp_path / "out"
    (inputs / "sub").mkdir()
    os.rename(inputs / "0.wav", inputs / "sub/0.wav")
    out.mkdir()
    (out / "sub").symlink_to(small_disk)
    report = raypipe.enhance(inputs, out)
    assert {f["path"]: f["outcome"] for f in report.files} == {
        "1.wav": "done",
        "sub/0.wav": "failed",
    }
    assert not list(small_disk.iterdir())
    assert not list((out / ".raypipe/tmp").iterdir())


def test_scaled_files_report_the_level_that_they_have(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sound = 2.0 * np.sin(np.arange(16_000) / 10).astype(np.float32)
    sf.write(tmp_path / "in/a.wav", sound, 16_000, "FLOAT")
    report = raypipe.enhance(tmp_path / "in", tmp_path / "out", output_format="flac", clip="scale")
    entry = report.files[0]
    assert entry["gain_db"] == pytest.approx(-6.02, abs=0.01)
    assert entry["peak_out_db"] == pytest.approx(0.0, abs=0.01)
    assert entry["clipped"] == 0
    after = sf.read(tmp_path / "out/a.flac")[0]
    assert np.max(np.abs(after - sound / np.max(np.abs(sound)))) < 2**-15


@pytest.mark.ray
def test_relative_paths_are_meant_from_here_on_ray_too(
    tmp_path: Path, ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "in", 2)
    monkeypatch.chdir(tmp_path)
    report = raypipe.enhance("in", "out", executor="ray", workers=1)
    assert report.totals.done == 2
    assert (tmp_path / "out/0.wav").is_file()
