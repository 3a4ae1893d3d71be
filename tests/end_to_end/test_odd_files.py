"""Strange, broken and exotic files: each ends in one outcome with a reason, and the good ones
come out right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from raypipe.audio.read import open_sound
from raypipe.errors import AudioError

COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()", "enhance")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them in one folder, with names that do not clash."""
    odd = Path(__file__).resolve().parents[2].parent / "shared/odd"
    if not odd.is_dir():
        pytest.skip("the collection of odd files is not beside this checkout")
    folder = tmp_path_factory.mktemp("odd")
    for number, path in enumerate(sorted(p for p in odd.rglob("*") if p.is_file())):
        shutil.copyfile(path, folder / f"{number:04}-{path.name}")
    return folder


def run(inputs: Path, out: Path, *more: str) -> tuple[dict[str, Any], str]:
    report = out.with_suffix(".json")
    done = subprocess.run(
        [*COMMAND, str(inputs), str(out), "--include", "*", "--report", str(report), *more],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1, "some of them cannot be read, and the exit code says so"
    return json.loads(report.read_text()), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.ray
def test_each_ends_in_one_outcome_and_both_executors_agree(inputs: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV decodes a part of them")
    inline, words = run(inputs, tmp_path / "inline", "--executor", "inline")
    assert "Traceback" not in words
    entries = {entry["path"]: entry for entry in inline["files"]}
    assert set(entries) == {p.name for p in inputs.iterdir()}
    assert len(inline["files"]) == len(entries)
    totals = inline["totals"]
    assert totals["done"] + totals["skipped"] + totals["failed"] == totals["files"]
    for entry in entries.values():
        if entry["outcome"] == "failed":
            assert entry["reason"] and "\n" not in entry["reason"]
            assert "Error(" not in entry["reason"]
    assert totals["done"] > 500
    good_ones_come_out_right(inputs, tmp_path / "inline", entries)

    ray, words = run(inputs, tmp_path / "ray", "--executor", "ray", "-j", "2")
    assert "Traceback" not in words
    assert {e["path"]: (e["outcome"], e["reason"]) for e in ray["files"]} == {
        name: (e["outcome"], e["reason"]) for name, e in entries.items()
    }
    for name, entry in entries.items():
        if entry["outcome"] == "done":
            one, two = tmp_path / "inline" / entry["output"], tmp_path / "ray" / entry["output"]
            assert one.read_bytes() == two.read_bytes(), name


def good_ones_come_out_right(inputs: Path, out: Path, entries: dict[str, Any]) -> None:
    """Lossless output of the passthrough holds the input's very samples."""
    compared = 0
    for name, entry in entries.items():
        if entry["outcome"] != "done":
            continue
        found = sf.info(out / entry["output"])
        assert (found.samplerate, found.channels) == (entry["rate_hz"], entry["channels"]), name
        assert found.frames == entry["frames"], name
        if found.subtype not in ("PCM_16", "PCM_24", "PCM_U8", "PCM_S8", "FLOAT"):
            continue
        if found.subtype != entry["subtype"]:
            continue  # came out of a lossy codec or a wider subtype; the notes say so
        try:
            with open_sound(str(inputs / name)) as reader:
                before = reader.read(entry["frames"])
        except AudioError:
            pytest.fail(f"{name}: was read by the run, but not now")
        after = sf.read(out / entry["output"], dtype="float32", always_2d=True)[0].T
        assert np.array_equal(before, after), name
        compared += 1
    assert compared > 150
