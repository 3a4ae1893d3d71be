"""The command, with few workers and short windows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.scale import main


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.cluster
def test_a_small_run_prints_both_tables_and_writes_every_figure(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main,
        ["--speed", "2000", "--fast", "2000", "--workers", "5", "--window-s", "3",
         "--files", "2000", "--json", str(tmp_path / "all.json")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "| 5 at 2000 x | 1 | 10 s | " in done.stdout
    assert "| 2000 of 10 s | " in done.stdout
    runs = json.loads((tmp_path / "all.json").read_text())["runs"]
    assert [run["load"]["workers"] for run in runs] == [1, 2, 4, 5, 5, 5, 4, 4, 4]
    assert [run["files"] for run in runs if run["load"]["files"]] == [20, 200, 2000]
    for run in runs[:6]:
        # How near they come to it is for the benchmark to say; more than that would be a mistake.
        assert 0 <= run["speed"] < 1.05 * 2000 * run["load"]["workers"]
        assert run["cpu_s"] > 0
        assert run["rss_bytes"] > 0
