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

import numpy as np

from raypipe.errors import ModelError
from raypipe.inference import flat
from raypipe.inference.card import ModelCard
from raypipe.inference.packing import FILE_ID, pack, unpack

CARD_NAME = b"raypipe.card"

_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_METADATA_NAME, _METADATA_BUFFER = 0, 1
_BUFFER_DATA = 0
"""Numbers of the fields in TFLite's schema."""


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
    from ai_edge_litert import schema_py_generated as schema

    model = unpack(content, "the model")
    model.metadata = model.metadata or []
    entry = next((m for m in model.metadata if m.name == CARD_NAME), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = CARD_NAME.decode(), len(model.buffers)
        model.metadata.append(entry)
        model.buffers.append(schema.BufferT())
    model.buffers[entry.buffer].data = np.frombuffer(card.to_toml().encode(), np.uint8)
    return pack(model)


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
