"""int8 weights: what is stored, what is computed with it, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from raypipe.errors import ModelError
from raypipe.inference.interpreter import TensorNames
from raypipe.inference.packing import data_of, pack, tensors, unpack
from raypipe.inference.quantize import LARGEST, Int8, quantize_weights, to_int8, weight_names
from tests.inference.models_for_tests import LANES, write_signatures

INPUTS, OUTPUTS = 64, 48
STEPS_OF_8_BITS = 255


@pytest.fixture
def weights() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (OUTPUTS, INPUTS)).astype(np.float32)


@pytest.fixture
def content(tmp_path: Path, weights: np.ndarray) -> bytes:
    """Two graphs, of 1 and 4 frames, that share the matrix ``w``; and a matrix ``v`` beside it."""
    other = np.random.default_rng(1).normal(0, 1, (8, 16)).astype(np.float32)
    graphs: dict[str, Any] = {
        name: [("x", "y", (LANES, frames, INPUTS), weights), ("a", "b", (LANES, 1, 16), other)]
        for name, frames in (("one", 1), ("one_4", 4))
    }
    model = unpack(write_signatures(tmp_path / "m.tflite", graphs).read_bytes(), "m")
    names = {weights.tobytes(): "w", other.tobytes(): "v"}
    first: dict[str, int] = {}
    for tensor in tensors(model):
        tensor.name = names.get(data_of(model, tensor), tensor.name)
        tensor.buffer = first.setdefault(tensor.name, tensor.buffer)
    return pack(model)


def product(content: bytes, folder: Path, x: np.ndarray, signature: str = "one") -> np.ndarray:
    """What a graph makes of ``x`` (lanes, frames, inputs)."""
    path = folder / f"{hash(content)}.tflite"
    path.write_bytes(content)
    names = TensorNames(path, signature)
    number = names.input("x")["index"]
    names.interpreter.resize_tensor_input(number, x.shape)
    names.interpreter.resize_tensor_input(names.input("a")["index"], [len(x), 1, 16])
    names.interpreter.allocate_tensors()
    names.interpreter.set_tensor(number, x)
    names.interpreter.invoke()
    return np.array(names.interpreter.get_tensor(names.output("y")["index"]))


def expected(weights: np.ndarray, x: np.ndarray, how: Int8) -> np.ndarray:
    """The same in numpy: rows to 8 bits between their least and greatest number, or 0."""
    gains = np.array(how.gains or [1.0] * INPUTS)
    total = np.zeros((*x.shape[:-1], OUTPUTS))
    for w, rows in zip(
        np.split(weights / gains, how.bands, axis=1),
        np.split(x.astype(float) * gains, how.bands, axis=-1),
        strict=True,
    ):
        whole, scales = to_int8(w.astype(np.float32))
        least = np.minimum(rows.min(-1, keepdims=True), 0)
        step = (np.maximum(rows.max(-1, keepdims=True), 0) - least) / STEPS_OF_8_BITS
        zero = np.rint(-least / step)
        near = (np.rint(rows / step + zero).clip(0, STEPS_OF_8_BITS) - zero) * step
        total += near @ (whole * scales[:, None].astype(float)).T
    return total


def rows(frames: int = 1) -> np.ndarray:
    """Ten rows of different levels, whose first inputs are the loud ones."""
    x = np.random.default_rng(2).normal(0, 1, (10, frames, INPUTS))
    return (x * np.logspace(2, -2, INPUTS) * np.logspace(-2, 2, 10)[:, None, None]).astype("f4")


GAINS = tuple(2.0 ** np.rint(np.linspace(-6, 6, INPUTS)))
WAYS = [Int8(), Int8(bands=2), Int8(bands=4), Int8(gains=GAINS), Int8(gains=GAINS, bands=2)]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(("signature", "frames"), [("one", 1), ("one_4", 4)])
def test_product_is_that_of_8_bit_rows_and_weights(
    content: bytes, weights: np.ndarray, tmp_path: Path, how: Int8, signature: str, frames: int
) -> None:
    x = rows(frames)
    found = product(quantize_weights(content, {"w": how}), tmp_path, x, signature)
    wanted = expected(weights, x, how)
    # A number between two of the 8-bit steps may go to either.
    error = np.abs(found - wanted).max(-1) / np.abs(wanted).max(-1)
    assert np.median(error) < 1e-5
    assert error.max() < 0.02
    assert not np.array_equal(found, product(content, tmp_path, x, signature))


def test_bands_and_gains_help_rows_of_uneven_level(
    content: bytes, weights: np.ndarray, tmp_path: Path
) -> None:
    quiet = weights * np.logspace(-2, 2, INPUTS, dtype=np.float32)
    model = unpack(content, "m")
    number = next(t.buffer for t in tensors(model) if t.name == "w")
    model.buffers[number].data = np.frombuffer(quiet.tobytes(), np.uint8)
    even = pack(model)
    exact = product(even, tmp_path, rows())

    def error(how: Int8) -> float:
        found = product(quantize_weights(even, {"w": how}), tmp_path, rows())
        return float(np.std(found - exact) / np.std(exact))

    assert error(Int8(bands=4)) < 0.5 * error(Int8())
    assert error(Int8(gains=GAINS)) < 0.1 * error(Int8())


def test_row_does_not_depend_on_its_neighbours(content: bytes, tmp_path: Path) -> None:
    small = quantize_weights(content, {"w": Int8(bands=2)})
    x = rows()
    together = product(small, tmp_path, x)
    alone = np.concatenate([product(small, tmp_path, x[i : i + 1]) for i in range(len(x))])
    assert together.tobytes() == alone.tobytes()


def test_same_bytes_each_time(content: bytes) -> None:
    plan = {"w": Int8(gains=GAINS, bands=2), "v": Int8()}
    backwards = dict(reversed(plan.items()))
    assert quantize_weights(content, plan) == quantize_weights(content, backwards)


def test_only_named_weights_change_and_graphs_still_share_them(content: bytes) -> None:
    model = unpack(quantize_weights(content, {"w": Int8()}), "m")
    held = [(t.name, t.buffer, data_of(model, t)) for t in tensors(model) if t.name in ("w", "v")]
    assert len(held) == 4
    assert len(set(held)) == 2
    assert {name: len(data) for name, _, data in held} == {"w": 64 * 48, "v": 4 * 8 * 16}
    total = sum(0 if b.data is None else len(b.data) for b in model.buffers)
    assert total < 64 * 48 + 4 * 8 * 16 + 100, "the float32 weights are still there"


@given(hnp.arrays(np.float32, (5, 7), elements=st.floats(-1e6, 1e6, width=32)))
@example(np.full((5, 7), 1e-45, np.float32))
def test_weights_are_kept_to_half_a_scale(weights: np.ndarray) -> None:
    whole, scales = to_int8(weights)
    assert np.all(scales > 0)
    assert np.abs(whole).max(initial=0) <= LARGEST
    again = whole * scales[:, None].astype(np.float64)
    assert np.all(np.abs(again - weights) <= 0.5001 * scales[:, None])


def test_names_of_what_can_be_int8(content: bytes) -> None:
    assert weight_names(content) == ["v", "w"]
    assert weight_names(quantize_weights(content, {"w": Int8()})) == ["v"]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"u": Int8()}, "weights 'u': there are none of this name"),
        ({"x": Int8()}, "weights 'x': are not used by FULLY_CONNECTED alone"),
        ({"w": Int8(bands=5)}, "found 5 bands of 64 inputs, wanted 1 to 4 equal ones"),
        ({"w": Int8(bands=3)}, "found 3 bands of 64 inputs, wanted 1 to 4 equal ones"),
        ({"w": Int8(gains=(1.0,))}, "found 1 gains, wanted 64"),
        ({"w": Int8(gains=(3.0,) * 64)}, "found a gain that is no power of two"),
        ({"w": Int8(gains=(0.0,) * 64)}, "found a gain that is no power of two"),
    ],
)
def test_what_does_not_fit_is_refused(content: bytes, plan: dict[str, Int8], message: str) -> None:
    with pytest.raises(ModelError, match=f"^m: .*{message}"):
        quantize_weights(content, plan, "m")


def test_int8_weights_are_not_quantised_again(content: bytes) -> None:
    with pytest.raises(ModelError, match="weights 'w': found type 9"):
        quantize_weights(quantize_weights(content, {"w": Int8()}), {"w": Int8()})


def test_weights_that_are_not_finite_are_refused(content: bytes, weights: np.ndarray) -> None:
    broken = content.replace(weights[0].tobytes(), np.full(INPUTS, np.nan, np.float32).tobytes())
    assert broken != content
    with pytest.raises(ModelError, match="weights 'w': found a number that is not finite"):
        quantize_weights(broken, {"w": Int8()})
