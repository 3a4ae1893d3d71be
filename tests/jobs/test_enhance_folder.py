"""``jobs/enhance_folder.py``: raypipe enhance, on the cluster that it finds itself in.

In a real job: `tests/end_to_end/test_submit.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile as sf

from jobs.enhance_folder import HERE, on_this_cluster
from tests.signals import noise

ROOT = Path(__file__).resolve().parents[2]


def test_it_works_where_it_is_unless_told() -> None:
    assert on_this_cluster(["a", "b", "-m", "x"]) == ["a", "b", "-m", "x", *HERE]
    for said in (["--executor", "inline"], ["--executor=ray"], ["--address=head:6379"]):
        assert on_this_cluster(["a", "b", *said]) == ["a", "b", *said]


@pytest.mark.parametrize("bad", [False, True])
def test_it_runs_as_a_script_with_raypipes_exit_codes(tmp_path: Path, bad: bool) -> None:
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in" / "a.wav", noise(4000).T, 16_000)
    if bad:
        (tmp_path / "in" / "bad.wav").write_bytes(b"no audio at all")
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "enhance_folder.py"), "in", "out", "--executor",
         "inline"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == int(bad), done.stderr
    assert (tmp_path / "out" / "a.wav").exists()
