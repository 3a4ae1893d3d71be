"""``raypipe models``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from raypipe.inference.card import ModelCard
from raypipe.inference.pull import FOLDER_VARIABLE
from raypipe.inference.zoo import SHIPPED, Check, shipped_models
from raypipe.settings import DEFAULT_MODEL
from tests.cli.conftest import Raypipe
from tests.conftest import SHARED


@pytest.fixture(autouse=True)
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, not there yet."""
    folder = tmp_path / "pulled"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def published() -> Path:
    folder = SHARED / "models" / "dtln"
    if not folder.is_dir():
        pytest.skip("DTLN's published weights are not beside this checkout")
    return folder


def test_list_names_every_shipped_model_within_eighty_columns(raypipe: Raypipe) -> None:
    ran = raypipe("models", "list")
    assert (ran.code, ran.err) == (0, "")
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    words = " ".join(ran.out.split())
    for model in shipped_models():
        assert f"{model.card.name} {model.card.task}, " in words
        assert model.card.description in words
    assert ran.out.startswith(f"{DEFAULT_MODEL} ")


def test_list_tells_what_can_be_pulled(raypipe: Raypipe) -> None:
    ran = raypipe("models", "list")
    assert [" ".join(line.split()) for line in ran.out.splitlines()[-2:]] == [
        "dtln not here yet: raypipe models pull dtln",
        "dtln-int8 not here yet: raypipe models pull dtln",
    ]


def test_pull_says_what_it_has_written(raypipe: Raypipe, published: Path, pulled: Path) -> None:
    ran = raypipe("models", "pull", "dtln", "--from", published)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{pulled / 'dtln.tflite'}: 4.1 MB\n{pulled / 'dtln-int8.tflite'}: 1.3 MB\n"
    listed = raypipe("models", "list").out
    assert "not here yet" not in listed
    assert " ".join(listed.split()).startswith(
        "dtln enhance, 16000 Hz, recurrent, 384 samples latency. "
    )
    shown = raypipe("models", "show", "dtln-int8")
    assert ModelCard.from_toml(shown.out, "what was shown").name == "dtln-int8"


def test_pull_that_fails_is_one_sentence(raypipe: Raypipe, tmp_path: Path, pulled: Path) -> None:
    (tmp_path / "model_1.tflite").write_bytes(b"no model")
    ran = raypipe("models", "pull", "dtln", "--from", tmp_path)
    assert (ran.code, ran.out) == (4, "")
    assert ran.err.startswith(f"raypipe: {tmp_path / 'model_1.tflite'}: is not the published file")
    assert len(ran.err.splitlines()) == 1
    assert not pulled.exists()
    ran = raypipe("models", "pull", "nope")
    assert (ran.code, ran.err) == (
        4, "raypipe: no model 'nope' can be pulled; known are dtln, dtln-int8\n",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["passthrough", "recurrent"])
def test_show_prints_a_card_that_can_be_read_back(raypipe: Raypipe, name: str) -> None:
    ran = raypipe("models", "show", name)
    assert (ran.code, ran.err) == (0, "")
    model = next(model for model in shipped_models() if model.card.name == name)
    assert ModelCard.from_toml(ran.out, "what was shown") == model.card
    assert f"# sha256 {model.sha256}\n" in ran.out


def test_show_takes_a_path_and_a_rate(raypipe: Raypipe, tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "passthrough.tflite", tmp_path / "mine.tflite")
    ran = raypipe("models", "show", tmp_path / "mine.tflite", "--rate", "8000")
    assert ran.code == 0
    assert "rate_hz = 8000\n" in ran.out


def test_verify_tells_each_check(raypipe: Raypipe) -> None:
    ran = raypipe("models", "verify", "recurrent")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) == 7
    assert all(line.startswith("ok     ") for line in ran.out.splitlines())


def test_a_model_that_fails_a_check_ends_with_its_own_code(
    raypipe: Raypipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = [Check("rows", True, "as they should be"), Check("state", False, "is lost")]
    monkeypatch.setattr("raypipe.inference.zoo.verify", lambda model: checks)
    ran = raypipe("models", "verify", "recurrent")
    assert ran.code == 4
    assert ran.out == "ok     rows: as they should be\nFAILED state: is lost\n"
    assert ran.err == "raypipe: recurrent: 1 check failed\n"


def test_a_broken_model_is_one_sentence(raypipe: Raypipe, tmp_path: Path) -> None:
    data = (SHIPPED / "recurrent.tflite").read_bytes()
    for name, content in {"short": data[: len(data) // 2], "text": b"TFL3" * 100}.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        for command in ("show", "verify"):
            ran = raypipe("models", command, path)
            if command == "verify" or ran.code:
                assert ran.code == 4
                assert str(path) in ran.err
                assert ran.err.startswith("raypipe: ")
