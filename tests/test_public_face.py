"""``import raypipe``: light, complete, and free of what only makes models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

import raypipe
from raypipe import ModelError, StorageError, UsageError
from tests.signals import noise

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"ray", "soundfile", "soxr", "ai_edge_litert", "rich", "click", "scipy", "mutagen", "av"}
MAKERS = {"tensorflow", "torch", "keras", "jax", "onnxruntime"}


def loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after this code."""
    code += (
        "\nimport json, sys\nprint(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60,
    )  # fmt: skip
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    sf.write(tmp_path / "a.wav", noise(4000).T, 16_000, "FLOAT")
    return tmp_path / "a.wav"


def test_importing_it_is_light() -> None:
    loaded = loaded_after("import raypipe; raypipe.enhance; raypipe.RunSettings(); raypipe.Done")
    assert not loaded & (HEAVY | MAKERS)
    assert "numpy" in loaded


def test_an_inline_job_loads_no_ray_and_nothing_that_makes_models(wav: Path) -> None:
    loaded = loaded_after(
        f"import raypipe\nr = raypipe.enhance({str(wav)!r}, {str(wav.with_name('b.wav'))!r})\n"
        "assert r.totals.done == 1"
    )
    assert not loaded & (MAKERS | {"ray", "rich", "click"})


def test_an_enhancer_loads_no_ray_and_nothing_that_makes_models() -> None:
    loaded = loaded_after(
        "import raypipe, numpy\nraypipe.Enhancer('recurrent').process(numpy.zeros(99, 'f'), 8000)"
    )
    assert not loaded & (MAKERS | {"ray", "rich", "click", "soundfile"})


def test_the_command_line_loads_no_ray_for_a_small_job(wav: Path) -> None:
    loaded = loaded_after(
        "from raypipe.cli.entry import entry\n"
        f"assert entry(['enhance', {str(wav)!r}, {str(wav.with_name('b.wav'))!r}]) == 0"
    )
    assert not loaded & (MAKERS | {"ray"})


def test_all_that_it_promises_is_there() -> None:
    for name in raypipe.__all__:
        assert getattr(raypipe, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = raypipe.nonsense


def test_a_model_is_loaded_with_its_card() -> None:
    model = raypipe.load_model("recurrent", lanes=4)
    assert (model.card.name, model.card.rate_hz, model.lanes) == ("recurrent", 16_000, 4)
    with pytest.raises(ModelError, match="no model 'nope'"):
        raypipe.load_model("nope")


def test_enhance_takes_settings_by_name_and_gives_a_report(wav: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    report = raypipe.enhance(
        wav, tmp_path / "out", model="delay", lanes=3, executor="inline", output_format="flac",
        suffix=".x", segment_s=0.1, report=tmp_path / "r.json",
    )  # fmt: skip
    assert (report.totals.done, report.exit_code) == (1, 0)
    (entry,) = report.files
    assert entry["output"] == "a.x.flac"
    assert (tmp_path / "out" / "a.x.flac").is_file()
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["files"] == report.files
    assert written["settings"]["segment_s"] == 0.1
    assert written["totals"]["files"] == 1


def test_words_and_numbers_make_the_same_settings(wav: Path, tmp_path: Path) -> None:
    sf.write(tmp_path / "raw.raw", noise(100).T, 8000, "PCM_16", format="RAW")
    layout = raypipe.make_settings({"raw": "rate=8000"}).raw
    for number, raw in enumerate(["rate=8000", {"rate": 8000, "channels": 1}, layout]):
        out = tmp_path / f"{number}.wav"
        assert raypipe.enhance(tmp_path / "raw.raw", out, raw=raw, workers="1").exit_code == 0
        assert sf.info(out).samplerate == 8000


def test_a_config_file_is_read_and_arguments_win_over_it(wav: Path, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('model = "delay"\noutput-format = "flac"\n')
    (tmp_path / "out").mkdir()
    report = raypipe.enhance(wav, tmp_path / "out", config=config, model="recurrent")
    assert report.model["name"] == "recurrent"
    assert report.files[0]["output"] == "a.flac"


def test_a_files_own_fault_is_an_outcome(wav: Path, tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"no audio at all")
    report = raypipe.enhance(tmp_path, tmp_path / "out")
    assert (report.totals.done, report.totals.failed, report.exit_code) == (1, 1, 1)
    outcomes = {entry["path"]: entry["outcome"] for entry in report.files}
    assert outcomes == {"a.wav": "done", "b.wav": "failed"}


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (
            {"colour": "red"},
            UsageError,
            "'colour' is not a setting; known: address, atten_limit_db",
        ),
        ({"workers": 0}, UsageError, "workers must be auto or at least 1, not 0"),
        ({"executor": "magic"}, UsageError, "executor must be one of auto, inline, ray"),
        ({"model": "nope"}, ModelError, "no model 'nope'"),
        ({"output_format": "xyz"}, UsageError, "output format 'xyz' is unknown"),
        ({"raw": "44100"}, UsageError, "raw layout '44100' cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_an_error_before_anything_is_written(
    wav: Path, tmp_path: Path, settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        raypipe.enhance(wav, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        raypipe.enhance(tmp_path / "nope", tmp_path / "out")


def test_an_output_that_cannot_be_written_is_an_error(wav: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a part of the path is a file, not a folder"):
        raypipe.enhance(wav, tmp_path / "file" / "out" / "b.wav")


def test_the_result_of_the_function_is_that_of_the_model(wav: Path, tmp_path: Path) -> None:
    raypipe.enhance(str(wav), str(tmp_path / "b.wav"), model="passthrough")
    assert np.array_equal(sf.read(tmp_path / "b.wav")[0], sf.read(wav)[0])
