"""Turns a frame model into one ``.tflite`` that raypipe runs: free lanes, names, card inside.

Comes in: a SavedModel's folder, or a Keras file. It takes ``(lanes, frame)``
float32 and gives the same; whatever else it takes is state, each ``x`` with an
output ``x_out`` (or as the card says). A card that names signatures gets these, and those
for several frames in a call (``name_T``), as graphs that share their weights. As a script::

    python -m models.tfl_model_exporter saved/my_model my_model.tflite --rate 16000
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.metadata import embed_card, read_card
from raypipe.inference.quantize import Int8, quantize_weights, weight_names

DESTINATION = "passthrough_model_lite.tflite"
SIGNATURE = "serving_default"
STATE_SUFFIX = "_out"


def export_to_tflite(
    saved_model_path: str | Path,
    destination: str | Path = DESTINATION,
    card: ModelCard | None = None,
    *,
    quantise: bool = False,
    keep_float: Collection[str] = (),
) -> Path:
    """Export a model.

    Parameters
    ----------
    saved_model_path : path
        A SavedModel's folder, or a ``.keras`` or ``.h5`` file.
    destination : path
        Where to write.
    card : ModelCard, optional
        What goes into the file; without it, what the signature tells.
    quantise : bool
        Store the weights as int8 and compute with them (dynamic range).
    keep_float : collection of str
        Names of weights that stay float32 all the same, as `weight_names` gives them.

    Returns
    -------
    Path
        The destination.

    Raises
    ------
    ModelError
        If the model's lanes are not free, its signature and the card do not fit together, or it
        has no weights of a name that is to stay float32.
    """
    import tensorflow as tf

    source, destination = Path(saved_model_path), Path(destination)
    with tempfile.TemporaryDirectory() as scratch:
        folder = source
        if source.is_file():
            folder = Path(scratch) / "saved_model"
            model = tf.keras.models.load_model(source, compile=False)
            model.export(str(folder), format="tf_saved_model", verbose=False)
        signatures = _signatures(tf, folder)
        if card is None:
            if SIGNATURE not in signatures:
                raise ModelError(f"{folder}: has no signature '{SIGNATURE}'")
            card = derive_card(source, *signatures[SIGNATURE])
        keys = _keys(folder, card, sorted(signatures))
        for key in keys:
            _check_lanes(source, signatures[key][0])
        for tensors in card.graphs:
            _check_names(source, tensors, *signatures[tensors.signature or SIGNATURE])
        content = convert(folder, keys, quantise=quantise and not keep_float)
    if quantise and keep_float:
        content = _quantised_but(content, keep_float, source)
    destination.write_bytes(embed_card(content, card))
    return destination


def convert(folder: Path, signatures: Sequence[str], *, quantise: bool = False) -> bytes:
    """A SavedModel as a ``.tflite`` with a graph for each of these signatures, without a card."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=list(signatures)
    )
    if quantise:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert())


def derive_card(source: Path, inputs: dict[str, Any], outputs: dict[str, Any]) -> ModelCard:
    """The card that a signature tells by itself; rate and latency remain at "any" and 0."""
    state = {n: n + STATE_SUFFIX for n in sorted(inputs) if n + STATE_SUFFIX in outputs}
    sound_in = sorted(set(inputs) - set(state))
    sound_out = sorted(set(outputs) - set(state.values()))
    if len(sound_in) != 1 or len(sound_out) != 1:
        raise ModelError(
            f"{source}: found {', '.join(sound_in)} in and {', '.join(sound_out)} out for the "
            f"sound, wanted one of each (a state input 'x' has an output 'x{STATE_SUFFIX}'); "
            "or give a card"
        )
    shape = inputs[sound_in[0]].shape
    if len(shape) != 2 or shape[1] is None:
        raise ModelError(f"{source}: '{sound_in[0]}' has the shape {shape}, wanted (None, frame)")
    return ModelCard(
        name=source.stem,
        frame=int(shape[1]),
        memory="recurrent" if state else "stateless",
        tensors=Tensors(sound_in[0], sound_out[0], state),
        source=source.name,
    )


def _signatures(tf: Any, folder: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Inputs and outputs of each signature."""
    try:
        found = tf.saved_model.load(str(folder)).signatures
    except OSError as error:
        raise ModelError(f"{folder}: is neither a SavedModel nor a Keras file") from error
    return {
        name: (dict(one.structured_input_signature[1]), dict(one.structured_outputs))
        for name, one in found.items()
    }


def _keys(folder: Path, card: ModelCard, there: Sequence[str]) -> list[str]:
    """The signatures that a card names, and the same for several frames in a call."""
    keys = []
    for tensors in card.graphs:
        name = tensors.signature or SIGNATURE
        if name not in there:
            raise ModelError(f"{folder}: has no signature '{name}'")
        keys += [key for key in there if re.fullmatch(re.escape(name) + "(_[1-9][0-9]*)?", key)]
    return keys


def _quantised_but(content: bytes, keep_float: Collection[str], source: Path) -> bytes:
    names = weight_names(content, str(source))
    unknown = set(keep_float) - set(names)
    if unknown:
        raise ModelError(
            f"{source}: has no weights '{min(unknown)}' that could be int8; it has "
            f"{', '.join(names)}"
        )
    plan = {name: Int8() for name in names if name not in keep_float}
    return quantize_weights(content, plan, str(source))


def _check_lanes(source: Path, inputs: dict[str, Any]) -> None:
    for name, spec in inputs.items():
        if len(spec.shape) < 1 or spec.shape[0] is not None:
            raise ModelError(
                f"{source}: input '{name}' has the shape {spec.shape}, wanted a free first "
                "dimension (None) for the lanes"
            )


def _check_names(
    source: Path, tensors: Tensors, inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    for said, there, kind in (
        ({tensors.input, *tensors.state}, set(inputs), "inputs"),
        ({tensors.output, *tensors.state.values()}, set(outputs), "outputs"),
    ):
        if not said <= there or (kind == "inputs" and said != there):
            raise ModelError(
                f"{source}: found the {kind} {', '.join(sorted(there))}, "
                f"wanted those of the card: {', '.join(sorted(said))}"
            )


@click.command()
@click.argument("saved_model", type=click.Path(exists=True, path_type=Path))
@click.argument("destination", type=click.Path(path_type=Path), default=DESTINATION)
@click.option("--card", "card_file", type=click.Path(exists=True, path_type=Path),
              help="Model card (TOML); without it, what the model's signature tells.")  # fmt: skip
@click.option("--name", help="What users will call it.")
@click.option("--rate", "rate_hz", type=int, help="Sampling rate in Hz; without it, any.")
@click.option("--latency", type=int, help="Samples by which its output comes late.")
@click.option("--quantise", is_flag=True, help="int8 weights (dynamic range).")
@click.option("--keep-float", multiple=True, metavar="NAME",
              help="Weights that stay float32 all the same; may be given again.")  # fmt: skip
def main(
    saved_model: Path,
    destination: Path,
    card_file: Path | None,
    name: str | None,
    rate_hz: int | None,
    latency: int | None,
    quantise: bool,
    keep_float: tuple[str, ...],
) -> None:
    """Export SAVED_MODEL (a SavedModel or a Keras file) to DESTINATION (a .tflite)."""
    try:
        card = (
            ModelCard.from_toml(card_file.read_text("utf-8"), str(card_file)) if card_file else None
        )
        path = export_to_tflite(
            saved_model, destination, card, quantise=quantise, keep_float=keep_float
        )
        told = {"name": name, "rate_hz": rate_hz, "latency": latency}
        changes: dict[str, Any] = {k: v for k, v in told.items() if v is not None}
        if changes:
            content = path.read_bytes()
            derived = read_card(content, str(path))
            assert derived is not None, "the exporter always puts one in"
            path.write_bytes(embed_card(content, replace(derived, **changes)))
    except ModelError as error:
        raise click.ClickException(str(error)) from error
    click.echo(path)


if __name__ == "__main__":
    main()
