"""Finding models: by name, by path, with a card inside, beside, or without one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from raypipe.errors import ModelError
from raypipe.inference.metadata import CARD_NAME
from raypipe.inference.pull import FOLDER_VARIABLE
from raypipe.inference.zoo import (
    SHIPPED,
    find_model,
    load_lane_model,
    models_to_pull,
    pulled_models,
    shipped_models,
)
from tests.inference.models_for_tests import LANES, write_copy_model


@pytest.fixture(autouse=True)
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of models, empty."""
    folder = tmp_path / "pulled"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def without_card(tmp_path: Path) -> Path:
    """The recurrent model as a stranger's: no card inside."""
    path = tmp_path / "foreign.tflite"
    content = (SHIPPED / "recurrent.tflite").read_bytes()
    path.write_bytes(content.replace(CARD_NAME, b"someone.else"))
    return path


def test_shipped_model_is_found_by_its_name() -> None:
    model = find_model("passthrough")
    content = Path(model.path).read_bytes()
    assert model.card.name == "passthrough"
    assert model.card.rate_hz is None
    assert model.sha256 == hashlib.sha256(content).hexdigest()


def test_models_for_tests_come_last_in_the_list() -> None:
    cards = [model.card for model in shipped_models()]
    assert [c.name for c in cards if c.task != "test"] == [
        c.name for c in cards[: sum(c.task != "test" for c in cards)]
    ]
    assert {"passthrough", "delay", "recurrent", "benchmark"} <= {c.name for c in cards}


def test_shipped_models_are_small_enough_for_the_wheel() -> None:
    sizes = [Path(model.path).stat().st_size for model in shipped_models()]
    assert max(sizes) < 4_500_000
    assert sum(sizes) < 8_000_000


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        ModelError, match=r"no model 'pasthrough'.* known names are benchmark, delay, denoise-48k, "
    ):
        find_model("pasthrough")


def test_model_that_is_not_pulled_yet_says_how_to_get_it(pulled: Path) -> None:
    for name in ("dtln", "dtln-int8"):
        with pytest.raises(ModelError) as told:
            find_model(name)
        assert str(told.value) == (
            f"model '{name}' is not in {pulled} yet: 'raypipe models pull dtln' gets it"
        )
    assert models_to_pull() == ["dtln", "dtln-int8"]
    assert pulled_models() == []


def test_pulled_model_is_found_by_its_name(pulled: Path) -> None:
    shutil.copy(SHIPPED / "recurrent.tflite", pulled / "dtln.tflite")
    assert find_model("dtln").path == str(pulled / "dtln.tflite")
    assert [model.path for model in pulled_models()] == [str(pulled / "dtln.tflite")]
    assert models_to_pull() == ["dtln-int8"]


def test_pulled_model_does_not_take_a_shipped_one_s_name(pulled: Path) -> None:
    shutil.copy(SHIPPED / "recurrent.tflite", pulled / "passthrough.tflite")
    assert find_model("passthrough").card.name == "passthrough"


def test_folder_of_models_need_not_be_there(pulled: Path) -> None:
    pulled.rmdir()
    assert pulled_models() == []
    assert find_model("passthrough").card.name == "passthrough"


def test_name_does_not_lead_out_of_the_shipped_folder() -> None:
    with pytest.raises(ModelError, match="no model"):
        find_model("../shipped/passthrough")


def test_path_to_a_model_with_its_card_inside(tmp_path: Path) -> None:
    path = tmp_path / "mine.tflite"
    shutil.copy(SHIPPED / "delay.tflite", path)
    assert find_model(str(path)).card == find_model("delay").card


def test_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        find_model(str(tmp_path))


def test_sidecar_gives_a_card_to_a_foreign_model(without_card: Path) -> None:
    shipped = find_model("recurrent")
    without_card.with_suffix(".toml").write_text(shipped.card.to_toml(), "utf-8")
    model = find_model(str(without_card))
    assert model.card == shipped.card
    lanes, other = load_lane_model(model, 4), load_lane_model(shipped, 4)
    sound = np.random.default_rng(0).uniform(-1, 1, (2, 1280)).astype(np.float32)
    (a,), _ = lanes.process([sound], [lanes.new_state(2)])
    (b,), _ = other.process([sound], [other.new_state(2)])
    assert np.array_equal(a, b)


def test_sidecar_s_faults_name_the_sidecar(without_card: Path) -> None:
    without_card.with_suffix(".toml").write_text('name = "x"', "utf-8")
    with pytest.raises(ModelError, match=r"foreign\.toml: field 'frame' is missing"):
        find_model(str(without_card))


def test_sidecar_that_is_not_text_is_named(without_card: Path) -> None:
    without_card.with_suffix(".toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"foreign\.toml: cannot be read as UTF-8 text"):
        find_model(str(without_card))


def test_sidecar_is_part_of_the_fingerprint_and_not_of_the_sha256(without_card: Path) -> None:
    sidecar = without_card.with_suffix(".toml")
    text = find_model("recurrent").card.to_toml()
    sidecar.write_text(text, "utf-8")
    before = find_model(str(without_card))
    sidecar.write_text(text.replace("latency = 0", "latency = 3"), "utf-8")
    after = find_model(str(without_card))
    assert before.sha256 == after.sha256
    assert before.fingerprint != after.fingerprint


def test_frame_model_without_a_card_runs_at_a_given_rate(tmp_path: Path) -> None:
    path = write_copy_model(tmp_path / "foreign.tflite", shape=(LANES, 96))
    model = find_model(str(path), 22_050)
    assert (model.card.name, model.card.frame, model.card.rate_hz) == ("foreign", 96, 22_050)
    assert model.card.memory == "stateless"
    lanes = load_lane_model(model, 16)
    sound = np.random.default_rng(0).uniform(-1, 1, (3, 960)).astype(np.float32)
    (out,), _ = lanes.process([sound], [lanes.new_state(3)])
    assert np.array_equal(out, sound)


@pytest.mark.parametrize(
    ("shape", "pairs", "rate_hz", "message"),
    [
        ((LANES, 96), [("frame", "out")], None, "its sampling rate must be given"),
        ((LANES, 96), [("a", "b"), ("c", "d")], 8000, r"more than one input or output \(a "),
        ((LANES, 4, 96), [("frame", "out")], 8000, r"\[-1, 4, 96\]\) do not tell the frame"),
    ],
)
def test_model_without_a_card_that_tells_too_little_says_how_to_write_one(
    tmp_path: Path,
    shape: tuple[int, ...],
    pairs: list[tuple[str, str]],
    rate_hz: int | None,
    message: str,
) -> None:
    path = write_copy_model(tmp_path / "foreign.tflite", shape=shape, pairs=pairs)
    with pytest.raises(ModelError, match=message) as caught:
        find_model(str(path), rate_hz)
    assert "Write a model card beside it, as foreign.toml" in str(caught.value)


def test_card_in_the_help_text_is_a_good_card(tmp_path: Path) -> None:
    path = write_copy_model(tmp_path / "foreign.tflite")
    with pytest.raises(ModelError) as caught:
        find_model(str(path))
    path.with_suffix(".toml").write_text(str(caught.value).split(":\n")[1], "utf-8")
    assert find_model(str(path)).card.name == "foreign"


def test_given_rate_fills_in_an_open_one_and_contradicts_another() -> None:
    assert find_model("passthrough", 44_100).card.rate_hz == 44_100
    assert find_model("recurrent", 16_000).card.rate_hz == 16_000
    with pytest.raises(
        ModelError, match="'rate_hz': found 16000 in the model card, wanted the 8000"
    ):
        find_model("recurrent", 8000)


def test_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "song.tflite"
    path.write_bytes(b"RIFF....WAVE")
    with pytest.raises(ModelError, match=r"song\.tflite: is not a TFLite model"):
        find_model(str(path), 8000)
