"""Models by name or path.

Comes in: what the user wrote behind ``--model``. Goes out: a `ModelFile`. Known are

- a shipped model's name (``denoise-48k``): a ``.tflite`` beside this module;
- a pulled model's name (``dtln``): a ``.tflite`` in the user's folder of models;
- a path to a ``.tflite`` with its card inside; else with its card beside it, in a
  file of the same name with ``.toml``; else, with ``--rate`` given, one that takes
  and gives one frame and remembers nothing;
- ``python:package.module:factory``, an object of the user's own.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.interpreter import TensorNames
from raypipe.inference.metadata import read_card
from raypipe.inference.model_file import PYTHON, ModelFile, find_object, load_lane_model
from raypipe.inference.pull import PUBLISHED, models_folder, name_to_pull
from raypipe.inference.verify import Check, verify

__all__ = [
    "Check",
    "ModelFile",
    "find_model",
    "load_lane_model",
    "models_to_pull",
    "pulled_models",
    "shipped_models",
    "verify",
]

SHIPPED = Path(__file__).parent / "shipped"

SIDECAR_HELP = """\
Write a model card beside it, as {sidecar}:
    name = "{name}"
    rate_hz = 16000
    frame = 128
    memory = "recurrent"
    latency = 0
    [tensors]
    input = "frame"
    output = "out"
    [tensors.state]
    h = "h_out"
"""


def find_model(name_or_path: str, rate_hz: int | None = None) -> ModelFile:
    """Find a model and its card; it is not loaded yet.

    Parameters
    ----------
    name_or_path : str
        A shipped or pulled model's name, a path to a ``.tflite``, or
        ``python:package.module:factory``.
    rate_hz : int, optional
        Sampling rate in Hz for a model whose card states none, or that has no card.

    Raises
    ------
    ModelError
        If there is no such model, or what is known of it does not make a card.
    """
    if name_or_path.startswith(PYTHON):
        model = find_object(name_or_path)
        return replace(model, card=_at_rate(model.card, rate_hz, name_or_path))
    path = _path(name_or_path)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        to_pull = name_to_pull(name_or_path)
        if to_pull is not None:
            raise ModelError(
                f"model '{name_or_path}' is not in {models_folder()} yet: "
                f"'raypipe models pull {to_pull}' gets it"
            ) from error
        raise ModelError(
            f"no model '{name_or_path}': it is no file, and the known names are "
            f"{', '.join(sorted(_known()))}"
        ) from error
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    return ModelFile(str(path), _card(path, content, rate_hz), hashlib.sha256(content).hexdigest())


def shipped_models() -> list[ModelFile]:
    """The models that come with raypipe, by name; those with the task ``test`` come last."""
    found = [find_model(path.stem) for path in sorted(SHIPPED.glob("*.tflite"))]
    return sorted(found, key=lambda model: (model.card.task == "test", model.card.name))


def pulled_models() -> list[ModelFile]:
    """The models in the user's folder of models, by name."""
    paths = sorted(models_folder().glob("*.tflite"), key=lambda path: path.stem)
    return [find_model(str(path)) for path in paths]


def models_to_pull() -> list[str]:
    """Names of those that can be pulled and are not in the user's folder of models."""
    names = [name for published in PUBLISHED.values() for name in published.makes]
    return [name for name in names if not (models_folder() / f"{name}.tflite").is_file()]


def _path(name_or_path: str) -> Path:
    """Where a model lies; what is neither shipped nor pulled is a path."""
    if Path(name_or_path).name == name_or_path:
        for folder in (SHIPPED, models_folder()):
            path = folder / f"{name_or_path}.tflite"
            if path.is_file():
                return path
    return Path(name_or_path)


def _known() -> set[str]:
    folders = (SHIPPED, models_folder())
    there = {path.stem for folder in folders for path in folder.glob("*.tflite")}
    return there.union(models_to_pull())


def _card(path: Path, content: bytes, rate_hz: int | None) -> ModelCard:
    card = read_card(content, str(path))
    sidecar = path.with_suffix(".toml")
    if card is None and sidecar.is_file():
        try:
            text = sidecar.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{sidecar}: cannot be read as UTF-8 text: {error}") from error
        card = ModelCard.from_toml(text, str(sidecar))
    if card is None:
        return _guessed_card(path, rate_hz)
    return _at_rate(card, rate_hz, str(path))


def _at_rate(card: ModelCard, rate_hz: int | None, where: str) -> ModelCard:
    if rate_hz is None or rate_hz == card.rate_hz:
        return card
    if card.rate_hz is not None:
        raise ModelError(
            f"{where}: field 'rate_hz': found {card.rate_hz} in the model card, "
            f"wanted the {rate_hz} that was asked for"
        )
    return replace(card, rate_hz=rate_hz)


def _guessed_card(path: Path, rate_hz: int | None) -> ModelCard:
    """The card of a frame model without one: one input, one output, the same shape, no memory."""
    help_text = SIDECAR_HELP.format(sidecar=path.with_suffix(".toml").name, name=path.stem)
    names = TensorNames(path)
    shapes = {
        name: [int(n) for n in details["shape_signature"]]
        for name, details in (*names.inputs.items(), *names.outputs.items())
    }
    said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
    if len(names.inputs) != 1 or len(names.outputs) != 1:
        raise ModelError(
            f"{path}: has no model card, and more than one input or output ({said}); "
            f"wanted one of each to run without a card.\n{help_text}"
        )
    (source, taken), (target, given) = *names.inputs.items(), *names.outputs.items()
    frame = int(taken["shape"][-1]) if len(taken["shape"]) == 2 else 0
    if frame < 1 or shapes[source][-1] == -1 or list(taken["shape"]) != list(given["shape"]):
        raise ModelError(
            f"{path}: has no model card, and its shapes ({said}) do not tell the frame; "
            f"wanted (lanes, frame) in and out.\n{help_text}"
        )
    if rate_hz is None:
        raise ModelError(
            f"{path}: has no model card, so its sampling rate must be given (--rate HZ).\n"
            f"{help_text}"
        )
    return ModelCard(
        name=path.stem, frame=frame, memory="stateless", rate_hz=rate_hz,
        tensors=Tensors(source, target), description="Foreign frame model without a card.",
    )  # fmt: skip
