"""A converted model with names where its weights are, and without them.

Comes in: a ``.tflite`` as TensorFlow's converter gives it, and the weights that it was made
with. Goes out: its graph, whose weight tensors bear the weights' names and hold no data;
`raypipe.inference.dtln.fill` puts these or others in. Graphs then share what they have in
common, and `raypipe.inference.quantize` can be told what to take.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from raypipe.inference.packing import new_buffer, pack, tensors, unpack

Weights = Mapping[str, NDArray[np.float32]]


def without_weights(content: bytes, weights: Weights) -> bytes:
    """Name the tensors that hold weights, and take the weights out.

    Parameters
    ----------
    content : bytes
        A ``.tflite`` as the converter gives it.
    weights : mapping of str to array, float32
        To be found by their bytes, as the converter names tensors as it likes.

    Raises
    ------
    ValueError
        If one of them is in no tensor.
    """
    model = unpack(content, "the converter's model")
    name_of = {values.tobytes(): name for name, values in weights.items()}
    old, model.buffers = model.buffers, model.buffers[:1]
    number_of: dict[str, int] = {}
    for tensor in tensors(model):
        data = b"" if old[tensor.buffer].data is None else bytes(old[tensor.buffer].data)
        tensor.name = name_of.get(data, "")
        if tensor.name:
            if tensor.name not in number_of:
                number_of[tensor.name] = len(model.buffers)
                model.buffers.append(type(model.buffers[0])())
            tensor.buffer = number_of[tensor.name]
        else:
            tensor.buffer = new_buffer(model, data) if data else 0
    missing = set(weights) - set(number_of)
    if missing:
        raise ValueError(f"the converter has changed the weights {', '.join(sorted(missing))}")
    for signature in model.signatureDefs:
        graph = model.subgraphs[signature.subgraphIndex]
        for entry in [*signature.inputs, *signature.outputs]:
            graph.tensors[entry.tensorIndex].name = entry.name
    # What the converter says of itself would change with its version.
    model.metadata, model.description = None, None
    return pack(model)
