"""``raypipe bench``: a table for people, JSON for programs, and auto remembers it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from raypipe.cli import entry
from raypipe.inference import speed
from raypipe.inference.metadata import embed_card
from raypipe.inference.widths import LADDER
from raypipe.inference.zoo import find_model, shipped_models
from raypipe.tuning import tuned


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speed, "TRY_S", 0.004)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_every_number_of_lanes_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry(["bench", "-m", "recurrent"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "recurrent"
    after = 2 + len(LADDER)
    assert [line.split()[0] for line in lines[2:after]] == [str(width) for width in LADDER]
    assert lines[after].startswith("auto: ")


def test_json_says_the_same_and_auto_remembers_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry(["bench", "-m", "recurrent", "--json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)["models"]
    assert facts["model"] == "recurrent"
    assert [one["lanes"] for one in facts["speeds"]] == list(LADDER)
    found = tuned(find_model("recurrent"), measure=False)
    assert facts["auto"] == {"lanes": found.lanes, "workers": found.workers}


def test_all_but_test_models_are_measured_by_default(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYPIPE_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    card = replace(find_model("recurrent").card, name="mine", task="enhance")
    content = embed_card(Path(find_model("recurrent").path).read_bytes(), card)
    (tmp_path / "models/mine.tflite").write_bytes(content)
    assert entry(["bench", "--json"]) == 0
    names = [one["model"] for one in json.loads(capsys.readouterr().out)["models"]]
    shipped = [model.card.name for model in shipped_models() if model.card.task != "test"]
    assert names == ["mine", *shipped]


def test_unknown_model_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry(["bench", "-m", "none-such"]) == 4
    assert "no model 'none-such'" in capsys.readouterr().err
