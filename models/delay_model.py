"""A pure delay of `DELAY` samples, which is no whole number of frames.

With the delay taken off again (its card's latency), the machine must give the
input back: a test of everything that shifts. Like the passthrough it only moves
samples: what was heard last waits in the state.
"""

from __future__ import annotations

from pathlib import Path

from models.frame_module import save_frame_model
from raypipe.inference.card import ModelCard, Tensors

FRAME = 256
DELAY = 617
"""Samples: two frames and 105 samples, a prime."""

SAVED = Path(__file__).parent / "saved" / "delay_model"

CARD = ModelCard(
    name="delay",
    task="test",
    frame=FRAME,
    latency=DELAY,
    memory="finite",
    context=DELAY,
    tensors=Tensors("frame", "out", {"line": "line_out"}),
    licence="Apache-2.0",
    source="models/delay_model.py",
    training_data="none",
    description=f"Gives its input {DELAY} samples late, at any sampling rate.",
)


def save(destination: Path = SAVED) -> Path:
    """Write the SavedModel; give where it stands."""
    import tensorflow as tf

    def step(frame: tf.Tensor, line: tf.Tensor) -> dict[str, tf.Tensor]:
        heard = tf.concat([line, frame], axis=1)
        return {"out": heard[:, :FRAME], "line_out": heard[:, FRAME:]}

    return save_frame_model(step, {"frame": FRAME, "line": DELAY}, destination)


if __name__ == "__main__":
    print(save())
