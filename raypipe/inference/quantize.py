"""int8 weights for a ``.tflite``, without TensorFlow (dynamic range).

Comes in: a model's bytes, and for each of those weights that are to be int8 how. Goes
out: the model with these weights as int8, one scale for each output (symmetric).
What the graph takes and gives stays float32: each row that such a product takes is
scaled to int8 at run time, by the least and the greatest number in that row alone,
so a lane's result does not depend on its neighbours. All other weights stay as
they are. Weights that several graphs share are shared after it.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.inference.packing import data_of, new_buffer, pack, tensors, unpack
from raypipe.inference.rewrite import Rewriter, builtin

LARGEST = 127
"""Largest int8 weight; -128 is left out, so that the scale is the same on both sides."""

PER_OUTPUT_VERSION = 12
"""Of FULLY_CONNECTED in TFLite: float in and out, int8 weights with a scale for each output."""

MOST_BANDS = 4
"""Parts into which XNNPACK can split a tensor."""

Matrix = NDArray[np.float32]
"""Weights: ``(outputs, inputs)``."""


@dataclass(frozen=True, slots=True)
class Int8:
    """How some weights become int8."""

    gains: tuple[float, ...] = ()
    """One for each input, powers of two: what comes in is multiplied by it, the weights divided.
    Inputs of very different levels then share one row's 8 bits fairly. Costs a pass over the
    inputs."""
    bands: int = 1
    """Equal parts of the inputs, each with scales of its own for rows and weights; their products
    are added. Costs a pass over the inputs and, for each further band, one over the outputs."""


def quantize_weights(content: bytes, plan: Mapping[str, Int8], where: str = "the model") -> bytes:
    """Store some weights as int8.

    Parameters
    ----------
    content : bytes
        A whole ``.tflite``.
    plan : mapping of str to Int8
        By name of the weight tensor: float32 ``(outputs, inputs)``, used by FULLY_CONNECTED
        alone. Each stands for all tensors of this name, in all subgraphs.
    where : str
        The file, for error messages.

    Returns
    -------
    bytes
        A whole ``.tflite``; the same input always gives the same bytes.

    Raises
    ------
    ModelError
        If this is no model, a name is not that of such weights, or gains or bands do not fit.
    """
    model = unpack(content, where)
    weights = _Weights(model)
    for name in sorted(plan):
        fault = weights.fault(name) or _misfit(weights.values(name), plan[name])
        if fault:
            raise ModelError(f"{where}: weights '{name}': {fault}")
    for name in sorted(plan):
        parts = _parts(model, weights.values(name), plan[name])
        for graph in model.subgraphs:
            _write_products(Rewriter(model, graph), weights, name, plan[name], parts)
    _empty_unused(model)
    return pack(model)


def weight_names(content: bytes, where: str = "the model") -> list[str]:
    """Names of all weights that `quantize_weights` can take.

    Parameters
    ----------
    content : bytes
        A whole ``.tflite``.
    where : str
        The file, for error messages.

    Raises
    ------
    ModelError
        If this is no model.
    """
    weights = _Weights(unpack(content, where))
    return sorted(name for name in weights.products if weights.fault(name) is None)


def to_int8(weights: Matrix) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights as whole numbers, and a scale for each output.

    Parameters
    ----------
    weights : array, shape (outputs, inputs), float32
        Finite.

    Returns
    -------
    weights : array, shape (outputs, inputs), int8
        From -127 to 127; times its output's scale, the weight again to within half a scale.
    scales : array, shape (outputs,), float32
        Positive.
    """
    peaks = np.max(np.abs(weights), axis=1)
    scales = np.where(peaks > 0, peaks / np.float32(LARGEST), np.float32(1)).astype(np.float32)
    scales = np.maximum(scales, np.finfo(np.float32).tiny)  # subnormal ones are coarse, or zero
    whole = np.rint(weights.astype(np.float64) / scales[:, None])
    return np.clip(whole, -LARGEST, LARGEST).astype(np.int8), scales


class _Weights:
    """Which tensors a model has by a name, and which operators take them as what."""

    def __init__(self, model: Any) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.model = model
        self._float32 = schema.TensorType.FLOAT32
        self._product = schema.BuiltinOperator.FULLY_CONNECTED
        self.tensors: dict[str, list[Any]] = defaultdict(list)
        self.products: set[str] = set()
        """What FULLY_CONNECTED takes as weights."""
        self._others: set[str] = set()
        """What is taken as something else."""
        for tensor in tensors(model):
            self.tensors[tensor.name].append(tensor)
        for graph in model.subgraphs:
            self._others.update(graph.tensors[n].name for n in [*graph.inputs, *graph.outputs])
            for operator in graph.operators:
                for place, number in enumerate(operator.inputs):
                    if number < 0:  # an input that is left out
                        continue
                    role = self.products if self.is_product(operator) and place == 1 else None
                    (self._others if role is None else role).add(graph.tensors[number].name)

    def is_product(self, operator: Any) -> bool:
        """If this is FULLY_CONNECTED, which takes (sound, weights, bias)."""
        return builtin(self.model.operatorCodes[operator.opcodeIndex]) == int(self._product)

    def fault(self, name: str) -> str | None:
        """Why the weights of this name cannot be int8, or None."""
        if name not in self.tensors:
            return "there are none of this name"
        if name not in self.products or name in self._others:
            return "are not used by FULLY_CONNECTED alone"
        if len({tensor.buffer for tensor in self.tensors[name]}) > 1:
            return "are not the same in all graphs"
        for tensor in self.tensors[name]:
            if tensor.type != self._float32 or len(tensor.shape) != 2:
                return f"found type {tensor.type}, shape {list(tensor.shape)}, wanted 2-D float32"
            held = len(data_of(self.model, tensor)) // np.dtype(np.float32).itemsize
            if held != np.prod(tensor.shape):
                return f"found {held} numbers, wanted {np.prod(tensor.shape)}"
        return None if np.isfinite(self.values(name)).all() else "found a number that is not finite"

    def values(self, name: str) -> Matrix:
        """The weights of a name without `fault`."""
        tensor = self.tensors[name][0]
        return np.frombuffer(data_of(self.model, tensor), np.float32).reshape(tensor.shape)


def _misfit(weights: Matrix, how: Int8) -> str | None:
    inputs = weights.shape[1]
    if how.gains and len(how.gains) != inputs:
        return f"found {len(how.gains)} gains, wanted {inputs}"
    if how.gains and np.any(np.frexp(np.abs(how.gains))[0] != 0.5):
        return "found a gain that is no power of two"
    if not 1 <= how.bands <= MOST_BANDS or inputs % how.bands:
        return f"found {how.bands} bands of {inputs} inputs, wanted 1 to {MOST_BANDS} equal ones"
    return None


def _parts(model: Any, weights: Matrix, how: Int8) -> list[tuple[int, NDArray[np.float32]]]:
    """For each band the number of its new buffer, and the scales."""
    if how.gains:
        gains: Matrix = np.array(how.gains, np.float32)
        weights = weights / gains
    parts = []
    for start in range(0, weights.shape[1], weights.shape[1] // how.bands):
        small, scales = to_int8(weights[:, start : start + weights.shape[1] // how.bands])
        parts.append((new_buffer(model, small.tobytes()), scales))
    return parts


def _write_products(
    writer: Rewriter,
    weights: _Weights,
    name: str,
    how: Int8,
    parts: list[tuple[int, NDArray[np.float32]]],
) -> None:
    """In one graph, products with int8 weights in place of those with float32 weights."""
    made: dict[int, list[int]] = {}
    for operator in writer.graph.operators:
        old = int(operator.inputs[1]) if weights.is_product(operator) else -1
        if old < 0 or writer.name(old) != name:
            writer.written.append(operator)
            continue
        if old not in made:
            made[old] = _int8_tensors(writer, old, parts)
        _write_product(writer, operator, name, how, made[old])
    writer.graph.operators = writer.written


def _write_product(
    writer: Rewriter, operator: Any, name: str, how: Int8, weights: list[int]
) -> None:
    sound, _, bias = (*operator.inputs, -1)[:3]
    out = operator.outputs[0]
    if how.gains:
        gains = writer.constant(f"{name}.gains", np.array(how.gains, np.float32))
        plain, sound = sound, writer.like(sound, f"{name}.gained")
        writer.operator("MUL", [plain, gains], [sound])
    bands, given = [sound], [out]
    if how.bands > 1:
        axis = writer.constant(f"{name}.axis", np.array(writer.axes(sound) - 1, np.int32))
        width = writer.width(weights[0])
        bands = [writer.like(sound, f"{name}.band", width) for _ in weights]
        given = [writer.like(out, f"{name}.part") for _ in weights]
        writer.operator("SPLIT", [axis, sound], bands, numSplits=how.bands)
    for band, matrix, into in zip(bands, weights, given, strict=True):
        product = copy.deepcopy(operator)
        product.inputs, product.outputs = [band, matrix, bias], [into]
        product.builtinOptions.asymmetricQuantizeInputs = True
        code = writer.model.operatorCodes[product.opcodeIndex]
        code.version = max(code.version, PER_OUTPUT_VERSION)
        writer.written.append(product)
        bias = -1
    total = given[0]
    for number, more in enumerate(given[1:], 2):
        into = out if number == how.bands else writer.like(out, f"{name}.sum")
        writer.operator("ADD", [total, more], [into])
        total = into


def _int8_tensors(
    writer: Rewriter, old: int, parts: list[tuple[int, NDArray[np.float32]]]
) -> list[int]:
    """Make the weights' tensor the first band's, and tensors for the others; their numbers."""
    from ai_edge_litert import schema_py_generated as schema

    first = writer.graph.tensors[old]
    first.shape = [int(first.shape[0]), int(first.shape[1]) // len(parts)]
    numbers = [old, *(writer.like(old, first.name) for _ in parts[1:])]
    for number, (buffer, scales) in zip(numbers, parts, strict=True):
        tensor = writer.graph.tensors[number]
        tensor.type, tensor.buffer = schema.TensorType.INT8, buffer
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = scales
        tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
        tensor.quantization.quantizedDimension = 0
    return numbers


def _empty_unused(model: Any) -> None:
    """Let go of what no tensor holds any more; buffers keep their numbers."""
    used = {tensor.buffer for tensor in tensors(model)}
    used |= {entry.buffer for entry in model.metadata or []}
    for number, buffer in enumerate(model.buffers):
        if number not in used:
            buffer.data = None
