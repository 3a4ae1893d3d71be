"""A model that was found: where it is, what its card says, what its bytes are.

Comes in: a `ModelFile` (small and picklable, so that the driver can hand it to
every worker). Goes out: the loaded `LaneModel`. Objects of the user's own come
in through ``python:package.module:factory``, where ``factory(lanes)`` gives one.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard
from raypipe.inference.lanes import GraphLanes, LaneModel

PYTHON = "python:"
"""How a model that is a Python object is named: ``python:package.module:factory``."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model, found but not loaded."""

    path: str
    """A ``.tflite`` file, or ``python:package.module:factory``."""
    card: ModelCard
    """What is to be known of it."""
    sha256: str
    """Of the ``.tflite`` file's bytes; for Python, of the name and the module's source."""

    @property
    def fingerprint(self) -> str:
        """Sha256 of all that the sound depends on: the bytes, and the card, which may lie apart."""
        return hashlib.sha256(f"{self.sha256}\n{self.card.to_toml()}".encode()).hexdigest()


def load_lane_model(model: ModelFile, lanes: int) -> LaneModel:
    """Load a model.

    Parameters
    ----------
    model : ModelFile
        As `raypipe.inference.zoo.find_model` gives it.
    lanes : int
        The most lanes that are to step together.

    Raises
    ------
    ModelError
        If it cannot be loaded or is not what its card says.
    """
    if model.path.startswith(PYTHON):
        return load_object(model.path, lanes)
    return GraphLanes(Path(model.path), model.card, lanes)


def load_object(spec: str, lanes: int) -> LaneModel:
    """Call the factory of a ``python:`` model; `ModelError` where it gives no `LaneModel`."""
    _, factory = _factory(spec)
    made = factory(lanes)
    if not isinstance(made, LaneModel):
        raise ModelError(
            f"{spec}: gave {type(made).__name__}, wanted an object with "
            "card, lanes, new_state(lanes) and process(blocks, states)"
        )
    if not isinstance(made.card, ModelCard):
        raise ModelError(f"{spec}: card is {type(made.card).__name__}, wanted a ModelCard")
    return made


def find_object(spec: str) -> ModelFile:
    """A ``python:`` model as a `ModelFile`."""
    module, _ = _factory(spec)
    digest = hashlib.sha256(spec.encode())
    source = inspect.getsourcefile(module)
    if source is not None:
        digest.update(Path(source).read_bytes())
    return ModelFile(spec, load_object(spec, 1).card, digest.hexdigest())


def _factory(spec: str) -> tuple[ModuleType, Callable[[int], object]]:
    name, _, attribute = spec.removeprefix(PYTHON).partition(":")
    if not name or not attribute:
        raise ModelError(f"{spec}: wanted {PYTHON}package.module:factory")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ModelError(f"{spec}: Python finds no module {error.name}") from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise ModelError(f"{spec}: {name} has no function '{attribute}'")
    return module, factory
