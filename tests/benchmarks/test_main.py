"""The command, with small models in the place of DTLN."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import QUESTIONS, main


def test_a_quick_run_prints_a_table_and_writes_every_figure(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        main,
        [
            "--quick", "--rounds", "1", "--only", "kernel", "--json", str(tmp_path / "all.json"),
            "--model-dir", str(tmp_path), "--scratch", str(tmp_path),
            "--dtln", "recurrent", "--dtln-int8", "benchmark",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "| raypipe's kernel, dtln | " in done.stdout
    assert "| reference loop | DTLN's published pair is not here (--model-dir) |" in done.stdout
    facts = json.loads((tmp_path / "all.json").read_text())
    assert facts["rounds"] == 1
    assert [question["name"] for question in facts["questions"]] == ["kernel"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.json"]


def test_without_our_models_it_says_how_to_get_them(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--dtln", str(tmp_path / "none.tflite")])
    assert done.exit_code == 1
    assert "raypipe models pull dtln" in done.output


def test_every_question_can_be_chosen() -> None:
    assert list(QUESTIONS) == ["kernel", "folder", "lengths", "long-file", "flac"]


@pytest.mark.parametrize("wrong", [["--only", "speed"], ["--rounds", "0"]])
def test_what_cannot_be_meant_is_refused(wrong: list[str]) -> None:
    assert CliRunner().invoke(main, wrong).exit_code == 2
