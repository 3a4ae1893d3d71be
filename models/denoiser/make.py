"""Makes ``denoise-48k.tflite`` and ``denoise-48k-int8.tflite`` from the trained weights.

``python -m models.denoiser.make`` writes them to ``raypipe/inference/shipped/``, with what
``quality.toml`` beside this file says in their cards; ``--into DIR`` and ``--weights FILE``
choose other places. With the same TensorFlow the same bytes come out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from models.bare_graph import without_weights
from models.denoiser import network
from models.denoiser.definition import Weights, prepare, step_of, widths
from models.frames import FRAMES_IN_A_CALL
from models.tfl_model_exporter import convert
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.dtln import fill
from raypipe.inference.metadata import embed_card
from raypipe.inference.quantize import Int8, quantize_weights

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
WEIGHTS = HERE / "weights.npz"
QUALITY = HERE / "quality.toml"
SHIPPED = HERE.parents[1] / "raypipe" / "inference" / "shipped"

SIGNATURE = "mask"
INT8 = {
    name: Int8()
    for name in (
        "enter.kernel", "gru_1.kernel", "gru_1.recurrent", "gru_2.kernel", "gru_2.recurrent",
        "leave.kernel",
    )
}  # fmt: skip
"""What bears int8; the fixed matrices between bins and bands are small and stay as they are."""

DESCRIPTIONS = {
    "denoise-48k": "Takes noise out of speech, full band, float32 weights.",
    "denoise-48k-int8": "Takes noise out of speech, full band, int8 weights: faster.",
}
LICENCE = "Apache-2.0"
SOURCE = "models/denoiser"
TRAINING_DATA = (
    "Speech: LibriSpeech (186 speakers, 39 min, CC BY 4.0), Speech-to-Intent (15 min, "
    "Apache-2.0), VCTK (10 utterances at 48 kHz, CC BY 4.0). Noise: ESC-10 (15 min, CC BY 3.0), "
    "Blanket (8 min; CC0, public domain, CC BY), Speech Commands' background noise "
    "(5 min, CC BY 4.0), and noises and rooms made by code. Mixed anew for each step; trained "
    "for 178 minutes on two CPU cores."
)


def build(weights: Weights, said: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    """Both variants, by name.

    Parameters
    ----------
    weights : mapping
        As `prepare` gives them.
    said : mapping of str to mapping
        What is said of a variant's quality in its card.
    """
    whole = fill(bare_graph(weights), weights, "the denoiser's graph")
    contents = {"denoise-48k": whole, "denoise-48k-int8": quantize_weights(whole, INT8)}
    return {
        name: embed_card(content, card(name, said.get(name, {})))
        for name, content in contents.items()
    }


def bare_graph(weights: Weights) -> bytes:
    """The graphs for each number of frames in a call, their weights named and left out."""
    import tensorflow as tf

    module, functions = tf.Module(), {}
    for frames in FRAMES_IN_A_CALL:
        specs = [
            tf.TensorSpec([None, *width], tf.float32, name=name)
            for name, width in widths(frames).items()
        ]
        name = SIGNATURE if frames == 1 else f"{SIGNATURE}_{frames}"
        functions[name] = tf.function(step_of(weights, frames), input_signature=specs)
        setattr(module, name, functions[name])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=functions)
        return without_weights(convert(Path(folder), sorted(functions)), weights)


def card(name: str, said: Mapping[str, Any]) -> ModelCard:
    """The card of a variant, with what is said of its quality."""
    return ModelCard(
        name=name,
        task="denoise",
        rate_hz=network.RATE_HZ,
        frame=network.FRAME,
        hop=network.HOP,
        latency=network.FRAME - network.HOP + network.LOOKAHEAD * network.HOP,
        lookahead=network.LOOKAHEAD,
        memory="recurrent",
        front_end="stft-mask",
        tensors=Tensors(
            "magnitude", "mask", {name: f"{name}_out" for name in network.STATE}, SIGNATURE
        ),
        licence=LICENCE,
        source=SOURCE,
        training_data=TRAINING_DATA,
        quality=said,
        description=DESCRIPTIONS[name],
    )


def read_trained(path: Path) -> dict[str, NDArray[np.float32]]:
    """The trained weights, checked against `network.SHAPES`.

    Raises
    ------
    ValueError
        If one is missing or has another shape.
    """
    with np.load(path) as file:
        found = {name: np.asarray(file[name], np.float32) for name in file.files}
    for name, shape in network.SHAPES.items():
        if name not in found or found[name].shape != shape:
            there = found[name].shape if name in found else "none"
            raise ValueError(f"{path}: weights '{name}': found {there}, wanted shape {shape}")
    return found


def quality() -> dict[str, dict[str, Any]]:
    """What was measured of each variant, as it stands beside this file."""
    return tomllib.loads(QUALITY.read_text("utf-8")) if QUALITY.is_file() else {}


def write(folder: Path, weights: Path = WEIGHTS) -> list[Path]:
    """Make both variants in a folder; their paths."""
    paths = []
    for name, content in build(prepare(read_trained(weights)), quality()).items():
        paths.append(folder / f"{name}.tflite")
        paths[-1].write_bytes(content)
    return paths


@click.command()
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              default=WEIGHTS, show_default=True)  # fmt: skip
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=SHIPPED,
              show_default=True, help="Folder to write to.")  # fmt: skip
def main(weights: Path, into: Path) -> None:
    """Make the denoiser's variants from the trained weights."""
    into.mkdir(parents=True, exist_ok=True)
    for path in write(into, weights):
        click.echo(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
