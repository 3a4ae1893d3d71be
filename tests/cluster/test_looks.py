"""What is looked at after a round is seen when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psutil")
from benchmarks.chaos.inputs import BROKEN, make_inputs
from benchmarks.chaos.looks import FolderOutput, Wanted, report_faults, tree_is_the_same
from benchmarks.kill import tree

WANTED = Wanted({}, 4, 0.0)


def report() -> dict[str, Any]:
    """As it should be: two files done, the broken ones failed."""
    files = [{"path": name, "outcome": "done", "reason": None} for name in ("a.wav", "b.wav")]
    files += [{"path": name, "outcome": "failed", "reason": "no sound"} for name in BROKEN]
    totals = {"files": 4, "done": 2, "skipped": 0, "failed": 2}
    return {"interrupted": None, "totals": totals, "files": files}


def test_a_good_report_has_no_faults() -> None:
    assert report_faults(report(), WANTED) == []


def test_a_file_without_an_outcome_is_seen() -> None:
    told = report()
    del told["files"][0]
    assert report_faults(told, WANTED)
    told["totals"] = {"files": 3, "done": 1, "skipped": 0, "failed": 2}
    assert report_faults(told, WANTED) == [
        "of 4 files, 3 are counted, {'done': 1, 'skipped': 0, 'failed': 2}"
    ]


def test_two_outcomes_are_seen() -> None:
    told = report()
    told["files"][1] = told["files"][0]
    assert report_faults(told, WANTED) == ["a.wav: has more than one outcome"]


def test_a_failure_of_a_good_file_and_a_broken_one_that_did_not_fail_are_seen() -> None:
    told = report()
    told["files"][0]["outcome"], told["files"][2]["outcome"] = "failed", "done"
    assert report_faults(told, WANTED) == [
        "a.wav: failed: None",
        f"{next(iter(BROKEN))}: did not fail",
    ]


def test_an_ended_run_is_seen() -> None:
    assert report_faults(report() | {"interrupted": "interrupted"}, WANTED)


def test_another_tree_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"a")
    (tmp_path / "b.wav").write_bytes(b"b")
    wanted = Wanted(tree(tmp_path), 2, 0.0)
    assert tree_is_the_same(FolderOutput(tmp_path), wanted) == []
    (tmp_path / "a.wav").write_bytes(b"other")
    (tmp_path / "b.wav").rename(tmp_path / "c.wav")
    assert sorted(tree_is_the_same(FolderOutput(tmp_path), wanted)) == [
        "a.wav: other bytes",
        "b.wav: missing",
        "c.wav: should not be there",
    ]


def test_inputs_are_the_same_every_time_and_of_many_kinds(tmp_path: Path) -> None:
    make_inputs(tmp_path / "1", 20, 2.0)
    make_inputs(tmp_path / "2", 20, 2.0)
    found = tree(tmp_path / "1")
    assert found == tree(tmp_path / "2")
    assert len(found) == 20
    assert len({name.rpartition(".")[2] for name in found}) == 2
