"""The folder that is resumed is what a run would have left; its start is measured."""

from __future__ import annotations

from pathlib import Path

import raypipe
from benchmarks.resume import make_inputs, make_outputs, started, table


def test_only_what_was_left_is_done(tmp_path: Path) -> None:
    make_inputs(tmp_path / "in", 150)
    assert make_outputs(tmp_path / "in", tmp_path / "out", 20) == 130
    facts = started(tmp_path / "in", tmp_path / "out", "inline")
    assert facts["seconds"] > facts["start"] + facts["first scan"] + facts["journal"] > 0
    assert facts["open files"] > facts["journal"]
    assert facts["peak_bytes"] > 1e7
    totals = raypipe.enhance(tmp_path / "in", tmp_path / "out").totals
    assert (totals.skipped, totals.done, totals.failed) == (130, 20, 0)
    assert "| inline, 130 done | " in table({"inline, 130 done": [facts]})
