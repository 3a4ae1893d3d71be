"""The model on its way to the nodes: its path leads there on the driver's node alone.

Comes in: a `ModelFile` on the driver. Goes out: its bytes in Ray's object store, from
which each node gets them once, and on the node a path (see `inference/copies`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray

from raypipe.errors import ModelError
from raypipe.inference.copies import copy_of
from raypipe.inference.model_file import PYTHON, ModelFile


@dataclass(frozen=True, slots=True)
class Shipped:
    """A model whose bytes travel."""

    sha256: str
    home: str
    """Id of the node where its path is good."""


def ship(model: ModelFile, home: str) -> tuple[Shipped, Any] | None:
    """Put a model's bytes into the object store; None for one that is a Python object.

    Parameters
    ----------
    model : ModelFile
        As it was found.
    home : str
        The driver's node.

    Returns
    -------
    Shipped
        What every worker is told.
    ObjectRef
        The bytes; to be handed over as an argument of its own, so that Ray fetches them.

    Raises
    ------
    ModelError
        If the file cannot be read, or is not what was found.
    """
    if model.path.startswith(PYTHON):
        return None
    try:
        content = Path(model.path).read_bytes()
    except OSError as error:
        raise ModelError(f"{model.path}: cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != model.sha256:
        raise ModelError(f"{model.path}: was changed since the run began")
    # An array's bytes stay where they are in the store; those of `bytes` are copied out.
    return Shipped(model.sha256, home), ray.put(np.frombuffer(content, np.uint8))


def path_here(model: Shipped, content: Any) -> str | None:
    """The model's path on this node; None where its own is good."""
    if str(ray.get_runtime_context().get_node_id()) == model.home:
        return None
    return str(copy_of(memoryview(content), model.sha256))
