"""A model that costs what a small denoiser costs, for benchmarks only.

Two stacked LSTMs and a dense layer, 1.0 million weights as int8, 16 kHz, 8 ms
hop (125 frames a second): the size of DTLN. The weights are seeded noise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.frame_module import save_frame_model, seeded
from raypipe.inference.card import ModelCard, Tensors

FRAME = 128
UNITS = 264
"""12 * 264² + 640 * 264 = 1.0 million weights."""

SAVED = Path(__file__).parent / "saved" / "benchmark_model"

CARD = ModelCard(
    name="benchmark",
    task="test",
    rate_hz=16_000,
    frame=FRAME,
    memory="recurrent",
    tensors=Tensors(
        "frame", "out", {"h1": "h1_out", "c1": "c1_out", "h2": "h2_out", "c2": "c2_out"}
    ),
    licence="Apache-2.0",
    source="models/benchmark_model.py",
    training_data="none, seeded noise",
    description="As much work per frame as DTLN with int8 weights; for benchmarks only.",
)


def save(destination: Path = SAVED) -> Path:
    """Write the SavedModel; give where it stands."""
    import tensorflow as tf

    def weights(rows: int, columns: int, seed: int) -> Any:
        return seeded((rows, columns), seed, 1 / np.sqrt(rows))

    first, second = weights(FRAME + UNITS, 4 * UNITS, 1), weights(2 * UNITS, 4 * UNITS, 2)
    give = weights(UNITS, FRAME, 3)

    def lstm(x: Any, h: Any, c: Any, w: Any) -> tuple[Any, Any]:
        enter, keep, fresh, leave = tf.split(tf.matmul(tf.concat([x, h], axis=1), w), 4, axis=1)
        c = tf.sigmoid(keep) * c + tf.sigmoid(enter) * tf.tanh(fresh)
        return tf.sigmoid(leave) * tf.tanh(c), c

    def step(
        frame: tf.Tensor, h1: tf.Tensor, c1: tf.Tensor, h2: tf.Tensor, c2: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        h1, c1 = lstm(frame, h1, c1, first)
        h2, c2 = lstm(h1, h2, c2, second)
        out = 0.9 * frame + 0.1 * tf.tanh(tf.matmul(h2, give))
        return {"out": out, "h1_out": h1, "c1_out": c1, "h2_out": h2, "c2_out": c2}

    widths = {"frame": FRAME, "h1": UNITS, "c1": UNITS, "h2": UNITS, "c2": UNITS}
    return save_frame_model(step, widths, destination)


if __name__ == "__main__":
    print(save())
