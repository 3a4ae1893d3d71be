"""Makes ``dtln.tflite`` and ``dtln-int8.tflite`` from the published ``model.h5``.

``python -m models.dtln.make WEIGHTS_DIR OUT_DIR`` writes both. With ``--skeleton`` it writes
the graph without its weights into the package as well: ``raypipe models pull dtln`` fills it
without TensorFlow, and gives the same bytes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from models.bare_graph import without_weights
from models.dtln.definition import step_of, widths
from models.frames import FRAMES_IN_A_CALL
from models.tfl_model_exporter import convert
from raypipe.inference.dtln import build
from raypipe.inference.dtln_weights import TRAINED, Weights, prepare
from raypipe.inference.pull import SKELETON

STAGES = ("mask", "frames")

_LAYERS = {
    "norm.gain": "layer_normalization/layer_normalization/gamma:0",
    "norm.offset": "layer_normalization/layer_normalization/beta:0",
    "encoder.kernel": "conv1d/conv1d/kernel:0",
    "decoder.kernel": "conv1d_1/conv1d_1/kernel:0",
}
_PARTS = {"kernel": "kernel", "recurrent": "recurrent_kernel", "bias": "bias"}


def read_trained(path: Path) -> dict[str, NDArray[np.float32]]:
    """The weights in ``model.h5``, by the names of `raypipe.inference.dtln_weights.TRAINED`."""
    import h5py  # type: ignore[import-untyped]

    found = {}
    with h5py.File(path) as file:
        for name in TRAINED:
            # Keras keeps matrices as (inputs, outputs), convolutions as (1, inputs, outputs).
            found[name] = np.squeeze(np.asarray(file[_place(name)], np.float32)).T
    return found


def make_skeleton(weights: Weights) -> bytes:
    """The graphs without their weights.

    Parameters
    ----------
    weights : mapping
        As `prepare` gives them: the converter needs to see them, but none stays.

    Returns
    -------
    bytes
        A ``.tflite`` whose weight tensors have the weights' names and no data.
    """
    import tensorflow as tf

    module, functions = tf.Module(), {}
    for stage in STAGES:
        for frames in FRAMES_IN_A_CALL:
            specs = [
                tf.TensorSpec([None, *width], tf.float32, name=name)
                for name, width in widths(stage, frames).items()
            ]
            name = stage if frames == 1 else f"{stage}_{frames}"
            functions[name] = tf.function(step_of(stage, weights, frames), input_signature=specs)
            setattr(module, name, functions[name])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=functions)
        return without_weights(convert(Path(folder), sorted(functions)), weights)


def _place(name: str) -> str:
    if name in _LAYERS:
        return _LAYERS[name]
    layer, part = name.split(".")
    kind, number = layer.split("_")
    keras = kind if number == "1" else f"{kind}_{int(number) - 1}"
    return f"{keras}/{keras}/{_PARTS[part]}:0"


@click.command()
@click.argument("weights_dir", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out_dir", type=click.Path(file_okay=False, path_type=Path))
@click.option("--skeleton", is_flag=True, help="Write the graph without weights to the package.")
def main(weights_dir: Path, out_dir: Path, skeleton: bool) -> None:
    """Make both variants from WEIGHTS_DIR/model.h5 in OUT_DIR."""
    weights = prepare(read_trained(weights_dir / "model.h5"))
    bare = make_skeleton(weights)
    made = {out_dir / f"{name}.tflite": data for name, data in build(bare, weights).items()}
    if skeleton:
        made[SKELETON] = bare
    out_dir.mkdir(parents=True, exist_ok=True)
    for path, content in made.items():
        path.write_bytes(content)
        click.echo(f"{path}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
