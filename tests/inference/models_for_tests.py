"""Small TFLite models built here byte by byte of the schema: TensorFlow is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

LANES = -1
"""A first dimension that is free."""


Pair = tuple[str, str, Sequence[int]]
"""An input, the output that gives it back, and the shape of both."""


def write_copy_model(
    path: Path,
    shape: Sequence[int] = (LANES, 64),
    pairs: Sequence[tuple[str, str]] = (("frame", "out"),),
) -> Path:
    """Write a model without signature or card that gives each of its inputs back."""
    model = _empty()
    model.subgraphs = [_copying([(source, target, shape) for source, target in pairs])]
    return _write(model, path)


def write_signatures(path: Path, signatures: dict[str, Sequence[Pair]]) -> Path:
    """Write a model with a graph for each signature, which gives each of its inputs back."""
    model = _empty()
    model.subgraphs, model.signatureDefs = [], []
    for number, (name, pairs) in enumerate(signatures.items()):
        model.subgraphs.append(_copying(pairs))
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = name, number
        signature.inputs = [_named(source, 2 * i) for i, (source, _, _) in enumerate(pairs)]
        signature.outputs = [_named(target, 2 * i + 1) for i, (_, target, _) in enumerate(pairs)]
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
    reshape = schema.OperatorCodeT()
    reshape.builtinCode = reshape.deprecatedBuiltinCode = schema.BuiltinOperator.RESHAPE
    model.operatorCodes = [reshape]
    return model


def _copying(pairs: Sequence[Pair]) -> schema.SubGraphT:
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    for source, target, shape in pairs:
        for name in (source, target):
            tensor = schema.TensorT()
            tensor.name = name
            tensor.shape = [max(1, size) for size in shape]
            tensor.shapeSignature = list(shape)
            tensor.type = schema.TensorType.FLOAT32
            graph.tensors.append(tensor)
        number = len(graph.tensors)
        graph.inputs.append(number - 2)
        graph.outputs.append(number - 1)
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = [number - 2], [number - 1]
        options = schema.ReshapeOptionsT()
        options.newShape = [-1, *(max(1, size) for size in shape[1:])]
        operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
        operator.builtinOptions = options
        graph.operators.append(operator)
    return graph


def _write(model: schema.ModelT, path: Path) -> Path:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
