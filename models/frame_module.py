"""Frame models written as plain TensorFlow: a step function with named tensors.

Comes in: a function from tensors to a dict of tensors, and the width of each
tensor. Goes out: a SavedModel with exactly these names in its signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def save_frame_model(
    step: Callable[..., Mapping[str, Any]], widths: Mapping[str, int], destination: Path
) -> Path:
    """Write a step function as a SavedModel.

    Parameters
    ----------
    step : callable
        Takes one ``(lanes, width)`` float32 tensor for each name of `widths`, in their order;
        gives the outputs by name.
    widths : mapping
        Size of each input without its lane.
    destination : Path
        Folder to write to.

    Returns
    -------
    Path
        The destination.
    """
    import tensorflow as tf

    specs = [tf.TensorSpec([None, width], tf.float32, name=n) for n, width in widths.items()]
    module = tf.Module()
    module.step = tf.function(step, input_signature=specs)
    tf.saved_model.save(module, str(destination), signatures={"serving_default": module.step})
    return destination


def seeded(shape: tuple[int, ...], seed: int, scale: float) -> Any:
    """Constant weights, the same on every machine: normal, of this standard deviation."""
    import numpy as np

    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)
