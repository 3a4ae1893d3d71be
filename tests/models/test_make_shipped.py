"""The files in the repository are what their makers say."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from models import delay_model, hang_model, make_shipped, recurrent_model
from models.denoiser import make as denoiser
from raypipe.inference.zoo import SHIPPED, find_model, shipped_models

HANG = Path(make_shipped.__file__).parent / "hang.tflite"


def test_wheel_holds_exactly_the_models_that_are_made_for_it() -> None:
    made = sorted([*(model.CARD.name for model in make_shipped.WHEEL), *denoiser.DESCRIPTIONS])
    assert made == sorted(path.stem for path in SHIPPED.glob("*.tflite"))
    assert made == sorted(model.card.name for model in shipped_models())


@pytest.mark.parametrize("model", [*make_shipped.WHEEL, hang_model], ids=lambda m: m.CARD.name)
def test_card_inside_is_the_one_in_the_source(model: ModuleType) -> None:
    path = HANG if model is hang_model else SHIPPED / f"{model.CARD.name}.tflite"
    assert find_model(str(path)).card == model.CARD


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", [delay_model, recurrent_model], ids=lambda m: m.CARD.name)
def test_making_twice_gives_the_same_bytes(model: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = make_shipped.make(model, tmp_path / "a").read_bytes()
    assert make_shipped.make(model, tmp_path / "b").read_bytes() == first
