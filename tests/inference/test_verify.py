"""Verifying: good models pass, and each promise that is broken shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from raypipe.inference import verify as verifying
from raypipe.inference.arrival import arrival, by_voice
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.lanes import Block
from raypipe.inference.zoo import (
    ModelFile,
    find_model,
    load_lane_model,
    shipped_models,
    verify,
)
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


class Sounding:
    """A model without a memory that does one thing to all it hears."""

    lanes = 3

    def __init__(self, does: Callable[[Block], Block], latency: int = 0) -> None:
        self.does = does
        self.card = ModelCard(
            name="sounding",
            frame=16,
            memory="stateless",
            latency=latency,
            tensors=Tensors("a", "b"),
        )

    def new_state(self, lanes: int) -> State:
        return {}

    def process(
        self, blocks: Sequence[Block], states: Sequence[State]
    ) -> tuple[list[Block], list[State]]:
        return [self.does(block).astype(np.float32) for block in blocks], list(states)


@pytest.mark.parametrize("off", [-1, 1])
def test_wrong_latency_of_a_denoiser_shows_to_the_sample(off: int) -> None:
    def gate(sound: Block) -> Block:
        return np.roll(np.sign(sound) * np.maximum(np.abs(sound) - 0.02, 0), 5, axis=1)

    assert arrival(Sounding(gate, 5)) == (True, "a voice arrives 5 samples late, the card says 5")
    # A loud offset, and the other sign, are no delay.
    said = (True, "a voice arrives 0 samples late, the card says 0")
    assert arrival(Sounding(lambda sound: 0.1 - np.tanh(3 * sound))) == said
    assert by_voice(Sounding(lambda sound: np.roll(sound, 50_000, axis=1), 50_000)) == 50_000
    wrong = f"a voice arrives 5 samples late, the card says {5 + off}"
    assert arrival(Sounding(gate, 5 + off)) == (False, wrong)


@pytest.mark.parametrize(
    ("does", "why"),
    [
        (lambda sound: 0 * sound, "an impulse does not come through, and a voice comes"),
        (lambda sound: sound**2, "the model is not linear, and a voice comes through too much"),
        (lambda sound: np.abs(sound) ** 0.5 * np.where(sound < 0.3, 1, np.nan), "it gives NaN"),
        (lambda sound: np.cumsum(sound, axis=1), "it spreads an impulse out"),
        (
            lambda sound: smooth(sound),
            "the model is not linear, and a voice comes through too much",
        ),
        (
            lambda sound: sound**2 * np.where(sound.shape[1] > 1000, np.nan, 1),
            "the model is not linear, and it gives NaN",
        ),
    ],
)
def test_a_latency_that_cannot_be_measured_is_no_fault(
    does: Callable[[Block], Block], why: str
) -> None:
    fine, said = arrival(Sounding(does))
    assert fine
    assert said.startswith(f"not measurable: {why}")


def smooth(sound: Block) -> Block:
    """Less of what is soft, then a low pass without a delay: no one sample is its latency."""
    soft = np.sign(sound) * np.maximum(np.abs(sound) - 0.02, 0)
    return lfilter([0.3], [1, -0.7], soft, axis=1)


@pytest.mark.parametrize("name", ["denoise-48k", "denoise-48k-int8"])
def test_a_denoisers_latency_is_heard_by_a_voice(name: str) -> None:
    lanes = load_lane_model(find_model(name), 3)
    assert arrival(lanes) == (True, "an impulse arrives 1440 samples late, the card says 1440")
    assert by_voice(lanes) == 1440


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
