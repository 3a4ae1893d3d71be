"""The model that changes nothing: a frame in, the same frame out, bit for bit.

It only moves samples (two reshapes), and does no arithmetic: TFLite computes
with denormals flushed to zero, and even ``x * 0.5 * 2`` would lose them. Run as
a script, it saves itself as a SavedModel under ``saved/`` beside this file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from raypipe.inference.card import ModelCard, Tensors

FRAME = 512
"""Samples: few enough that a second of sound is many frames at any rate, many enough for speed."""

SAVED = Path(__file__).parent / "saved" / "passthrough_model"

CARD = ModelCard(
    name="passthrough",
    task="passthrough",
    frame=FRAME,
    memory="stateless",
    tensors=Tensors("frame", "out"),
    licence="Apache-2.0",
    source="models/passthrough_model.py",
    training_data="none",
    description="Gives its input back bit for bit, at any sampling rate.",
)


def build(frame: int = FRAME) -> Any:
    """The model, in Keras: ``(lanes, frame)`` float32 in and out."""
    import keras

    sound = keras.Input((frame,), name="frame", dtype="float32")
    column = keras.layers.Reshape((frame, 1))(sound)
    return keras.Model(sound, {"out": keras.layers.Reshape((frame,))(column)}, name="passthrough")


def save(destination: Path = SAVED) -> Path:
    """Write the SavedModel; give where it stands."""
    build().export(str(destination), format="tf_saved_model", verbose=False)
    return destination


if __name__ == "__main__":
    print(save())
