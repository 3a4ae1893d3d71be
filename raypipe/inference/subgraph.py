"""One signature's graph out of a ``.tflite`` that holds several.

Comes in: the bytes of a model and a signature's name. Goes out: the same bytes
with three numbers changed, so that the signature's subgraph is the only one.
LiteRT's plain calls (resize, allocate, views of tensors, invoke) work on the first
subgraph of a file only, and its signature runner copies every tensor at each step.
Nothing is packed anew; weights that graphs share are still there once.

Layout (see `raypipe.inference.metadata`)::

    Model.subgraphs      = [count, offset, offset ...]      count := 1, the first offset := ours
    Model.signature_defs = [count, offset ...]              count := 0
    SignatureDef         = {inputs, outputs, signature_key, subgraph_index}
    TensorMap            = {name, tensor_index}             in inputs and outputs
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from raypipe.errors import ModelError
from raypipe.inference import flat

_MODEL_SUBGRAPHS, _MODEL_SIGNATURES = 2, 7
_SIGNATURE_INPUTS, _SIGNATURE_OUTPUTS, _SIGNATURE_KEY, _SIGNATURE_SUBGRAPH = 0, 1, 2, 4
_MAP_NAME, _MAP_TENSOR = 0, 1
"""Numbers of the fields in TFLite's schema."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a model."""

    subgraph: int
    """Number of its subgraph."""
    inputs: dict[str, int]
    """Number of the tensor by the input's name."""
    outputs: dict[str, int]
    """Number of the tensor by the output's name."""


def signatures(content: bytes, where: str) -> dict[str, Signature]:
    """The signatures of a model by name.

    Parameters
    ----------
    content : bytes
        The whole ``.tflite``.
    where : str
        The file, for error messages.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    found = {}
    try:
        model = flat.offset(content, 0)
        for entry in flat.vector(content, flat.field(content, model, _MODEL_SIGNATURES)):
            key = flat.text(content, flat.field(content, entry, _SIGNATURE_KEY))
            found[key.decode("utf-8", "replace")] = Signature(
                _number(content, entry, _SIGNATURE_SUBGRAPH),
                _tensors(content, entry, _SIGNATURE_INPUTS),
                _tensors(content, entry, _SIGNATURE_OUTPUTS),
            )
    except struct.error as error:
        raise ModelError(f"{where}: is cut short or damaged inside") from error
    return found


def alone(content: bytes, signature: Signature, where: str) -> bytes:
    """A model in which one signature's graph is the only one.

    Parameters
    ----------
    content : bytes
        The whole ``.tflite``.
    signature : Signature
        One of its own.
    where : str
        The file, for error messages.

    Raises
    ------
    ModelError
        If the file is damaged.
    """
    try:
        model = flat.offset(content, 0)
        graphs_at = flat.field(content, model, _MODEL_SUBGRAPHS)
        ours = flat.vector(content, graphs_at)[signature.subgraph]
        changed = bytearray(content)
        count_at = flat.offset(content, graphs_at)
        struct.pack_into("<II", changed, count_at, 1, ours - (count_at + 4))
        signatures_at = flat.field(content, model, _MODEL_SIGNATURES)
        struct.pack_into("<I", changed, flat.offset(content, signatures_at), 0)
    except (struct.error, IndexError) as error:
        raise ModelError(f"{where}: is cut short or damaged inside") from error
    return bytes(changed)


def _tensors(content: bytes, entry: int, number: int) -> dict[str, int]:
    return {
        flat.text(content, flat.field(content, pair, _MAP_NAME)).decode("utf-8", "replace"):
            _number(content, pair, _MAP_TENSOR)
        for pair in flat.vector(content, flat.field(content, entry, number))
    }  # fmt: skip


def _number(content: bytes, table: int, number: int) -> int:
    """A whole number in a table; the schema's default, 0, is left out there."""
    at = flat.field(content, table, number)
    return int(struct.unpack_from("<I", content, at)[0]) if at else 0
