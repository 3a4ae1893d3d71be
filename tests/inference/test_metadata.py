"""The card inside a ``.tflite``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from raypipe.errors import ModelError
from raypipe.inference.metadata import CARD_NAME, embed_card, read_card
from raypipe.inference.zoo import SHIPPED, find_model

CONTENT = (SHIPPED / "recurrent.tflite").read_bytes()
CARD = find_model("recurrent").card


def test_embedded_card_reads_back() -> None:
    card = replace(CARD, name="other", description="ä" * 1000)
    assert read_card(embed_card(CONTENT, card), "x") == card


def test_embedding_is_the_same_to_the_byte_each_time() -> None:
    assert embed_card(CONTENT, CARD) == embed_card(CONTENT, CARD)


def test_embedding_again_replaces_the_card() -> None:
    other = replace(CARD, name="other")
    again = embed_card(embed_card(CONTENT, other), CARD)
    assert again.count(CARD_NAME) == 1
    assert b'"other"' not in again
    assert again == embed_card(CONTENT, CARD)


def test_model_computes_the_same_with_another_card() -> None:
    def run(content: bytes) -> list[bytes]:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
        for details in interpreter.get_input_details():
            noise = np.random.default_rng(0).uniform(-1, 1, details["shape"])
            interpreter.set_tensor(details["index"], noise.astype(np.float32))
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        return [interpreter.get_tensor(details["index"]).tobytes() for details in outputs]

    assert run(CONTENT) == run(embed_card(CONTENT, replace(CARD, name="a longer name")))


def test_weights_stay_aligned_as_the_schema_asks() -> None:
    content = embed_card(CONTENT, replace(CARD, description="1"))
    weights = np.random.default_rng(3).normal(0, 0.05, (24, 128)).astype(np.float32)
    found = max(content.find(weights.tobytes()), content.find(weights.T.tobytes()))
    assert found > 0
    assert found % 16 == 0


def test_model_without_a_card_has_none() -> None:
    assert read_card(CONTENT.replace(CARD_NAME, b"raypipe.none"), "x") is None


@pytest.mark.parametrize("content", [b"", b"RIFF", b"x" * 100])
def test_other_files_are_named_as_such(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"^song\.wav: is not a TFLite model"):
        read_card(content, "song.wav")


@pytest.mark.parametrize("length", [8, 20, 1000, len(CONTENT) // 2])
def test_cut_file_is_named_as_such(length: int) -> None:
    with pytest.raises(ModelError, match="is cut short or damaged inside"):
        read_card(CONTENT[:length], "x")


@given(st.integers(8, 4000), st.binary(min_size=1, max_size=16))
def test_damage_gives_a_model_error_or_a_card(at: int, noise: bytes) -> None:
    content = CONTENT[:at] + noise + CONTENT[at + len(noise) :]
    try:
        read_card(content, "x")
    except ModelError as error:
        assert str(error).startswith(("x: ", "model card"))


def test_shipped_files_carry_their_cards() -> None:
    for path in sorted(Path(SHIPPED).glob("*.tflite")):
        card = read_card(path.read_bytes(), str(path))
        assert card is not None
        assert card.name == path.stem
