"""``--dashboard``: Ray's own pages during a run on a Ray of one's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()", "enhance")


@pytest.mark.ray
@pytest.mark.slow
def test_the_dashboard_is_where_the_run_says_and_knows_its_actors(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(60):
        sf.write(source / f"{number}.wav", np.zeros(16_000 * 60), 16_000)
    run = subprocess.Popen(
        [*COMMAND, str(source), str(tmp_path / "out"), "--dashboard", "-j", "1", "--lanes", "1",
         "--segment", "5", "--model", "benchmark"],
        env=os.environ | {"RAY_AUTH_MODE": "disabled"}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stderr is not None
    said = re.match(r"raypipe: dashboard: (http://\S+) ", run.stderr.readline())
    assert said is not None
    found: set[str] = set()
    while run.poll() is None and "raypipe-worker-1" not in " ".join(found):
        with urllib.request.urlopen(f"{said[1]}/logical/actors", timeout=30) as answer:
            actors = json.load(answer)["data"]["actors"].values()
        found = {actor["reprName"] for actor in actors}
    run.kill() if run.poll() is None else None
    run.communicate(timeout=60)
    assert "raypipe-worker-1" in " ".join(found)
