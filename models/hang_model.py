"""A model that never comes back from a frame with the sample `MAGIC` in it; else a passthrough.

A poison for tests of deadlines: a real TFLite graph with a loop that does not
end. It is not part of the wheel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.frame_module import save_frame_model
from raypipe.inference.card import ModelCard, Tensors

FRAME = 512
MAGIC = np.float32(0.123456789)
"""24 significant bits below 2^-3: no integer sample of 16 or 24 bits comes out as this."""

SAVED = Path(__file__).parent / "saved" / "hang_model"

CARD = ModelCard(
    name="hang",
    task="test",
    frame=FRAME,
    memory="stateless",
    tensors=Tensors("frame", "out"),
    licence="Apache-2.0",
    source="models/hang_model.py",
    training_data="none",
    description="Hangs on a magic sample.",
)


def save(destination: Path = SAVED) -> Path:
    """Write the SavedModel; give where it stands."""
    import tensorflow as tf

    def step(frame: tf.Tensor) -> dict[str, tf.Tensor]:
        poisoned = tf.reduce_any(tf.equal(frame, MAGIC))
        (sound,) = tf.while_loop(
            lambda sound: poisoned, lambda sound: (-sound,), (frame,), shape_invariants=None
        )
        return {"out": sound}

    return save_frame_model(step, {"frame": FRAME}, destination)


if __name__ == "__main__":
    print(save())
