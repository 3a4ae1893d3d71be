"""A whole ``.tflite`` as Python objects, and back to bytes.

Comes in: bytes. Goes out: the schema's ``ModelT``, to be changed at will; and bytes
again, in which tensors' data stand aligned as TFLite's schema asks. The same objects
always give the same bytes. Loading the schema takes 0.2 s, so only what writes models
comes here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from raypipe.errors import ModelError

FILE_ID = b"TFL3"
ALIGNMENT = 16
"""Bytes to which TFLite's schema aligns each tensor buffer."""


def unpack(content: bytes, where: str) -> Any:
    """The model in a file's bytes.

    Parameters
    ----------
    content : bytes
        A whole ``.tflite``.
    where : str
        The file, for error messages.

    Returns
    -------
    ModelT
        As ``schema_py_generated`` defines it; names are text, not bytes.

    Raises
    ------
    ModelError
        If this is no TFLite file, or it is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != FILE_ID:
        raise ModelError(f"{where}: is not a TFLite model (found no {FILE_ID.decode()} mark)")
    try:
        model = schema.ModelT.InitFromPackedBuf(content)
    except (struct.error, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{where}: is cut short or damaged inside") from error
    for tensor in tensors(model):
        tensor.name = text(tensor.name)
    return model


def pack(model: Any) -> bytes:
    """The bytes of a model, as a file holds them.

    Parameters
    ----------
    model : ModelT
        As `unpack` gives it; buffers may hold numpy arrays.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc]
        """Packs its data aligned, which the generated code does not."""

        def Pack(self, builder: Any) -> Any:
            vector = None
            if self.data is not None:
                data = bytes(self.data)
                builder.StartVector(1, len(data), ALIGNMENT)
                builder.head -= len(data)
                builder.Bytes[builder.head : builder.head + len(data)] = data
                vector = builder.EndVector()
            schema.BufferStart(builder)
            if vector is not None:
                schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    buffers = []
    for buffer in model.buffers:
        aligned = AlignedBuffer()
        aligned.data = buffer.data
        buffers.append(aligned)
    model.buffers = buffers
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=FILE_ID)
    return bytes(builder.Output())


def tensors(model: Any) -> Iterator[Any]:
    """The tensors of all subgraphs."""
    for graph in model.subgraphs:
        yield from graph.tensors


def data_of(model: Any, tensor: Any) -> bytes:
    """What a tensor's buffer holds; nothing where the graph computes it."""
    data = model.buffers[tensor.buffer].data
    return b"" if data is None else np.asarray(data, np.uint8).tobytes()


def new_buffer(model: Any, data: bytes) -> int:
    """Number of a buffer that holds this; a new one where there is none."""
    from ai_edge_litert import schema_py_generated as schema

    for number, there in enumerate(model.buffers):
        if there.data is not None and len(there.data) == len(data) and bytes(there.data) == data:
            return number
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def text(name: Any) -> str:
    """A name as the schema gives it: bytes out of a file, text where it was just set."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name or ""
