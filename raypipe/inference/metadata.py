"""The card inside the ``.tflite``: a metadata buffer of the name ``raypipe.card``.

Comes in: the bytes of a TFLite flatbuffer, and a card. Goes out: the same model
with the card in it, or the card that is in it. Reading follows a few offsets by
hand and touches nothing else of the file: the schema module alone takes 0.2 s to
import, many times what the model itself needs, so only writing loads it.

Layout (see `raypipe.inference.flat`)::

    Model.metadata[i] = {name: "raypipe.card", buffer: b}
    Model.buffers[b].data = the card as TOML, UTF-8
"""

from __future__ import annotations

import struct
from typing import Any

from raypipe.errors import ModelError
from raypipe.inference import flat
from raypipe.inference.card import ModelCard

CARD_NAME = b"raypipe.card"
FILE_ID = b"TFL3"

_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_METADATA_NAME, _METADATA_BUFFER = 0, 1
_BUFFER_DATA = 0
"""Numbers of the fields in TFLite's schema."""
_ALIGNMENT = 16
"""Bytes to which TFLite's schema aligns each tensor buffer."""


def read_card(content: bytes | memoryview, where: str) -> ModelCard | None:
    """The card in a model file, or None where there is none.

    Parameters
    ----------
    content : bytes-like
        The whole ``.tflite`` (a memory map will do).
    where : str
        The file, for error messages.

    Raises
    ------
    ModelError
        If this is no TFLite file, it is cut short, or the card in it is faulty.
    """
    if bytes(content[4:8]) != FILE_ID:
        raise ModelError(f"{where}: is not a TFLite model (found no {FILE_ID.decode()} mark)")
    try:
        text = _card_bytes(content)
    except struct.error as error:
        raise ModelError(f"{where}: is cut short or damaged inside") from error
    if text is None:
        return None
    try:
        return ModelCard.from_toml(text.decode(), where)
    except UnicodeDecodeError as error:
        raise ModelError(f"{where}: the model card in it is not UTF-8 text") from error


def embed_card(content: bytes, card: ModelCard) -> bytes:
    """Put a card into a model, in place of one that is there.

    Parameters
    ----------
    content : bytes
        A whole ``.tflite``.
    card : ModelCard
        What to say of it.

    Returns
    -------
    bytes
        A whole ``.tflite``; the same input always gives the same bytes.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    class AlignedBuffer(schema.BufferT):  # type: ignore[misc]
        """Packs its data aligned, which the generated code does not."""

        def Pack(self, builder: Any) -> Any:
            vector = None
            if self.data is not None:
                data = bytes(self.data)
                builder.StartVector(1, len(data), _ALIGNMENT)
                builder.head -= len(data)
                builder.Bytes[builder.head : builder.head + len(data)] = data
                vector = builder.EndVector()
            schema.BufferStart(builder)
            if vector is not None:
                schema.BufferAddData(builder, vector)
            return schema.BufferEnd(builder)

    model = schema.ModelT.InitFromPackedBuf(content)
    model.buffers = [_copied(AlignedBuffer, buffer.data) for buffer in model.buffers]
    model.metadata = model.metadata or []
    entry = next((m for m in model.metadata if m.name == CARD_NAME), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = CARD_NAME.decode(), len(model.buffers)
        model.metadata.append(entry)
        model.buffers.append(AlignedBuffer())
    model.buffers[entry.buffer].data = card.to_toml().encode()
    builder = flatbuffers.Builder(len(content) + 4096)
    builder.Finish(model.Pack(builder), file_identifier=FILE_ID)
    return bytes(builder.Output())


def _copied(kind: Any, data: Any) -> Any:
    buffer = kind()
    buffer.data = data
    return buffer


def _card_bytes(content: bytes | memoryview) -> bytes | None:
    model = flat.offset(content, 0)
    entries = flat.vector(content, flat.field(content, model, _MODEL_METADATA))
    for entry in entries:
        name = flat.text(content, flat.field(content, entry, _METADATA_NAME))
        if name != CARD_NAME:
            continue
        at = flat.field(content, entry, _METADATA_BUFFER)
        number = struct.unpack_from("<I", content, at)[0] if at else 0
        buffers = flat.vector(content, flat.field(content, model, _MODEL_BUFFERS))
        if number >= len(buffers):
            raise struct.error("the card's buffer is not there")
        return flat.text(content, flat.field(content, buffers[number], _BUFFER_DATA))
    return None
