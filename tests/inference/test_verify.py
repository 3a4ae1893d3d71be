"""Verifying: good models pass, and each promise that is broken shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from raypipe.inference import verify as verifying
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.lanes import Block
from raypipe.inference.zoo import ModelFile, find_model, shipped_models, verify
from raypipe.types import State
from tests.inference.models_for_tests import write_copy_model


@pytest.mark.parametrize("name", [model.card.name for model in shipped_models()])
def test_shipped_models_pass(name: str) -> None:
    checks = verify(find_model(name))
    assert [check for check in checks if not check.ok] == []
    assert [check.name for check in checks] == [
        "loads", "lanes", "rows", "neighbours", "state", "latency", "finite",
    ]  # fmt: skip


def failed(model: ModelFile) -> dict[str, str]:
    return {check.name: check.detail for check in verify(model) if not check.ok}


def test_wrong_latency_shows() -> None:
    model = find_model("delay")
    wrong = replace(model, card=replace(model.card, latency=600))
    said = "an impulse arrives 617 samples late, the card says 600"
    assert failed(wrong) == {"latency": said}


def test_wrong_tensor_shows() -> None:
    model = find_model("passthrough")
    wrong = replace(model, card=replace(model.card, tensors=Tensors("sound", "out")))
    (fault,) = failed(wrong).values()
    assert "has no input tensor 'sound'; it has frame" in fault


def test_fixed_lanes_show_and_the_rest_passes(tmp_path: Path) -> None:
    path = write_copy_model(tmp_path / "fixed.tflite", shape=(1, 64))
    faults = failed(find_model(str(path), 8000))
    assert list(faults) == ["lanes"]
    assert "has the fixed shape [1, 64]; each lane will step alone" in faults["lanes"]


class Bad:
    """Breaks one promise."""

    lanes = 64

    def __init__(self, fault: str) -> None:
        self.fault = fault
        memory = "stateless" if fault != "forgets" else "recurrent"
        state = {"h": "h_out"} if memory == "recurrent" else {}
        self.card = ModelCard(name="bad", frame=16, memory=memory, tensors=Tensors("a", "b", state))

    def new_state(self, lanes: int) -> State:
        return {"h": np.zeros((lanes, 1), np.float32)}

    def process(
        self, blocks: Sequence[Block], states: Sequence[State]
    ) -> tuple[list[Block], list[State]]:
        out = [block * np.float32(0.5) for block in blocks]
        if self.fault == "rows":
            out = [block * np.float32(1 + len(block) * 1e-6) for block in out]
        if self.fault == "neighbours":
            out = [block + np.float32(0) * block.mean() for block in out]
        if self.fault == "state":
            out = [block + np.float32(1e-6) * block.shape[1] for block in out]
        if self.fault == "remembers":
            late = [np.hstack([s["h"], b[:, :-1]]) for b, s in zip(blocks, states, strict=True)]
            out = [block + before for block, before in zip(out, late, strict=True)]
            states = [{"h": block[:, -1:]} for block in blocks]
        if self.fault == "finite":
            with np.errstate(divide="ignore"):
                out = [1 / block for block in blocks]
        return out, [dict(state) for state in states]


@pytest.mark.parametrize(
    ("fault", "check", "detail"),
    [
        ("rows", "rows", "lanes together give other bits than each alone"),
        ("neighbours", "neighbours", "neighbours of NaN change a lane's result"),
        ("state", "state", "two halves, the state handed on, give other bits"),
        ("remembers", "state", "its card says stateless, but it remembers"),
        ("forgets", "state", "its card says recurrent, but a new state changes nothing"),
        ("finite", "finite", "noise or silence at full scale gives NaN or infinite samples"),
    ],
)
def test_each_broken_promise_shows(
    monkeypatch: pytest.MonkeyPatch, fault: str, check: str, detail: str
) -> None:
    bad = Bad(fault)
    monkeypatch.setattr(verifying, "load_lane_model", lambda model, lanes: bad)
    faults = failed(ModelFile("python:a:b", bad.card, ""))
    assert detail in faults[check]


def test_a_sound_python_model_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Bad("none")
    monkeypatch.setattr(verifying, "load_lane_model", lambda model, lanes: good)
    assert failed(ModelFile("python:a:b", good.card, "")) == {}
