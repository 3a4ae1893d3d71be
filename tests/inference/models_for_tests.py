"""Small TFLite models built here byte by byte of the schema: TensorFlow is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

LANES = -1
"""A first dimension that is free."""


Pair = tuple[str, str, Sequence[int]] | tuple[str, str, Sequence[int], NDArray[np.float32]]
"""An input, the output that gives it back, the shape; and perhaps a matrix ``(out, in)`` for the
last axis, with which the output is another."""


def write_copy_model(
    path: Path,
    shape: Sequence[int] = (LANES, 64),
    pairs: Sequence[tuple[str, str]] = (("frame", "out"),),
) -> Path:
    """Write a model without signature or card that gives each of its inputs back."""
    model = _empty()
    model.subgraphs = [_copying([(source, target, shape) for source, target in pairs], model)]
    return _write(model, path)


def write_signatures(path: Path, signatures: dict[str, Sequence[Pair]]) -> Path:
    """Write a model with a graph for each signature, which gives each of its inputs back."""
    model = _empty()
    model.subgraphs, model.signatureDefs = [], []
    for number, (name, pairs) in enumerate(signatures.items()):
        model.subgraphs.append(_copying(pairs, model))
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = name, number
        signature.inputs = [_named(pair[0], 2 * i) for i, pair in enumerate(pairs)]
        signature.outputs = [_named(pair[1], 2 * i + 1) for i, pair in enumerate(pairs)]
        model.signatureDefs.append(signature)
    return _write(model, path)


def _named(name: str, tensor: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, tensor
    return entry


def _empty() -> schema.ModelT:
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    model.operatorCodes = []
    for number in (schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.FULLY_CONNECTED):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = number
        model.operatorCodes.append(code)
    return model


def _copying(pairs: Sequence[Pair], model: schema.ModelT) -> schema.SubGraphT:
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    for source, target, shape, *matrix in pairs:
        given = (*shape[:-1], len(matrix[0])) if matrix else shape
        graph.tensors += [_tensor(source, shape), _tensor(target, given)]
        number = len(graph.tensors)
        graph.inputs.append(number - 2)
        graph.outputs.append(number - 1)
    for (_, _, shape, *matrix), source, target in zip(
        pairs, graph.inputs, graph.outputs, strict=True
    ):
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = [source], [target]
        if matrix:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(matrix[0].tobytes(), np.uint8)
            model.buffers.append(buffer)
            weights = _tensor("weights", matrix[0].shape)
            weights.buffer = len(model.buffers) - 1
            graph.tensors.append(weights)
            operator.opcodeIndex = 1
            operator.inputs = [source, len(graph.tensors) - 1, -1]
            operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
            operator.builtinOptions = schema.FullyConnectedOptionsT()
            operator.builtinOptions.keepNumDims = True
        else:
            options = schema.ReshapeOptionsT()
            options.newShape = [-1, *(max(1, size) for size in shape[1:])]
            operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
            operator.builtinOptions = options
        graph.operators.append(operator)
    return graph


def _tensor(name: str, shape: Sequence[int]) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name = name
    tensor.shape = [max(1, size) for size in shape]
    tensor.shapeSignature = list(shape)
    tensor.type = schema.TensorType.FLOAT32
    return tensor


def _write(model: schema.ModelT, path: Path) -> Path:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
