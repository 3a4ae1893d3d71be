"""A model as objects and back."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from raypipe.errors import ModelError
from raypipe.inference.packing import ALIGNMENT, data_of, new_buffer, pack, tensors, unpack
from raypipe.inference.zoo import SHIPPED

CONTENT = (SHIPPED / "recurrent.tflite").read_bytes()


def outputs(content: bytes) -> list[bytes]:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        noise = np.random.default_rng(0).uniform(-1, 1, details["shape"]).astype(np.float32)
        interpreter.set_tensor(details["index"], noise)
    interpreter.invoke()
    return [interpreter.get_tensor(d["index"]).tobytes() for d in interpreter.get_output_details()]


def test_model_computes_the_same_after_there_and_back() -> None:
    assert outputs(pack(unpack(CONTENT, "x"))) == outputs(CONTENT)


def test_there_and_back_again_gives_the_same_bytes() -> None:
    once = pack(unpack(CONTENT, "x"))
    assert pack(unpack(once, "x")) == once == pack(unpack(CONTENT, "x"))


def test_weights_stand_aligned() -> None:
    model = unpack(CONTENT, "x")
    content = pack(model)
    large = [data for data in (data_of(model, t) for t in tensors(model)) if len(data) > 1000]
    assert large
    assert all(content.find(data) % ALIGNMENT == 0 for data in large)


def test_equal_data_is_kept_once() -> None:
    model = unpack(CONTENT, "x")
    first = new_buffer(model, b"0123456789abcdef")
    assert new_buffer(model, b"0123456789abcdef") == first
    assert new_buffer(model, b"another") == first + 1


@pytest.mark.parametrize("content", [b"", b"RIFF", b"x" * 100, CONTENT[:1000], CONTENT[:20]])
def test_what_is_no_model_is_named(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"^song\.wav: is (not a TFLite|cut short or damaged)"):
        unpack(content, "song.wav")
