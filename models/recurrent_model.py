"""A small model whose output depends on all of its past: state that must travel.

Three memories: a leaky integrator over samples (as a triangular matrix for the
samples of a frame, and one number for what came before), a tiny GRU, and the
frame before. The weights are seeded noise; it is for tests, not for listening.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.frame_module import save_frame_model, seeded
from raypipe.inference.card import ModelCard, Tensors

FRAME = 128
UNITS = 24
LEAK = 0.9995
"""Share that the integrator keeps per sample: a time constant of 2,000 samples, 16 frames."""
GAIN = 0.02
"""So that full scale in does not go far beyond full scale out."""

SAVED = Path(__file__).parent / "saved" / "recurrent_model"

CARD = ModelCard(
    name="recurrent",
    task="test",
    rate_hz=16_000,
    frame=FRAME,
    memory="recurrent",
    tensors=Tensors("frame", "out", {"sum": "sum_out", "gru": "gru_out", "last": "last_out"}),
    licence="Apache-2.0",
    source="models/recurrent_model.py",
    training_data="none, seeded noise",
    description="Leaky integrator and tiny GRU: every sample depends on all that came before.",
)


def save(destination: Path = SAVED) -> Path:
    """Write the SavedModel; give where it stands."""
    import tensorflow as tf

    place = np.arange(FRAME)
    leak = np.where(
        place[:, None] <= place, LEAK ** np.maximum(place - place[:, None], 0), 0.0
    ).astype(np.float32)
    fade = (LEAK ** (place + 1)).astype(np.float32)
    into = seeded((2 * FRAME, 3 * UNITS), 1, 0.1)
    back = seeded((UNITS, 3 * UNITS), 2, 0.3)
    give = seeded((UNITS, FRAME), 3, 0.05)

    def step(
        frame: tf.Tensor, sum: tf.Tensor, gru: tf.Tensor, last: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        summed = tf.matmul(frame, leak) + sum * fade
        heard = tf.split(tf.matmul(tf.concat([last, frame], axis=1), into), 3, axis=1)
        known = tf.split(tf.matmul(gru, back), 3, axis=1)
        keep = tf.sigmoid(heard[0] + known[0])
        reset = tf.sigmoid(heard[1] + known[1])
        fresh = tf.tanh(heard[2] + reset * known[2])
        gru = keep * gru + (1.0 - keep) * fresh
        out = tf.tanh(0.5 * frame + GAIN * summed + tf.matmul(gru, give))
        return {"out": out, "sum_out": summed[:, -1:], "gru_out": gru, "last_out": frame + 0.0}

    widths = {"frame": FRAME, "sum": 1, "gru": UNITS, "last": FRAME}
    return save_frame_model(step, widths, destination)


if __name__ == "__main__":
    print(save())
