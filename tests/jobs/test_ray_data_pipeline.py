"""``jobs/ray_data_pipeline.py``: recordings in, Parquet out, with Ray Data."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from jobs.ray_data_pipeline import main
from raypipe import Enhancer
from raypipe.audio.read import open_sound
from raypipe.types import RawLayout

ROOT = Path(__file__).resolve().parents[2]
MISSING = [name for name in ("pandas", "pyarrow") if importlib.util.find_spec(name) is None]

needs_ray_data = pytest.mark.skipif(
    bool(MISSING), reason=f"Ray Data needs {' and '.join(MISSING)}, which are not installed"
)


@needs_ray_data
@pytest.mark.ray
@pytest.mark.slow
def test_it_runs_as_a_script_and_its_rows_are_the_models_sound(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    shutil.copytree(ROOT / "audio_samples", tmp_path / "in")
    (tmp_path / "in" / "broken.wav").write_bytes(b"no audio at all")
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "ray_data_pipeline.py"), "--source-folder", "in",
         "--destination-folder", "out", "--model-path", "recurrent", "--actors", "1"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=200,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "7 files done, 1 failed" in done.stdout
    assert "broken.wav: libsndfile says: Format not recognised" in done.stderr
    rows = [row for part in sorted((tmp_path / "out").glob("*.parquet"))
            for row in pq.ParquetFile(part).read().to_pylist()]  # fmt: skip
    assert len(rows) == 8
    enhancer = Enhancer("recurrent")
    for row in rows:
        if row["error"]:
            continue
        with open_sound(row["path"], None, RawLayout(48_000)) as reader:
            expected = enhancer.process(reader.read(1 << 30), reader.info.rate_hz)
        assert row["sample_rate"] == reader.info.rate_hz
        assert np.array_equal(_array(row["amplitude"]), expected), row["path"]


def _array(cell: object) -> object:
    """An array of a Parquet file, with or without Ray's own types at hand."""
    if isinstance(cell, dict):
        return np.array(cell["data"], np.float32).reshape(cell["shape"])
    return np.asarray(cell, np.float32)


def test_what_cannot_be_meant_is_one_sentence_and_a_code(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "in").mkdir()
    for source, destination, model, code, words in (
        ("none", "out", "passthrough", 2, "none: there is no such folder"),
        ("in", "in", "passthrough", 2, "in: is there already, wanted is a new folder"),
        ("in", "out", "nope", 4, "no model 'nope'"),
    ):
        result = CliRunner().invoke(
            main,
            ["--source-folder", str(tmp_path / source), "--model-path", model,
             "--destination-folder", str(tmp_path / destination)],
        )  # fmt: skip
        assert result.exit_code == code
        assert words in result.stderr
        assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_every_option_has_help() -> None:
    assert all(getattr(option, "help", None) for option in main.params)
    assert main.help
