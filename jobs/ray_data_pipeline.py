"""A Ray Data pipeline with a raypipe model in it: recordings in, Parquet out.

    python jobs/ray_data_pipeline.py --source-folder audio_samples --destination-folder cleaned

An example to take from: files are read by Ray Data, decoded and processed many at once by actors
that hold the model, and written as rows ``path, sample_rate, amplitude, error``. A file that cannot
be decoded stays as a row that says why. What else your pipeline does goes before or after.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import Any

import click

from raypipe import EnhanceBatches, RaypipeError
from raypipe.audio.probe import find_audio_suffixes
from raypipe.inference.zoo import find_model
from raypipe.settings import DEFAULT_LANES, DEFAULT_MODEL
from raypipe.storage import show

DEFAULT_RAW = "rate=48000,channels=1,sample=s16le"


def cleaned(source: str, model: str, actors: int, raw: str) -> Any:
    """The pipeline, which works only once somebody asks for its rows.

    Parameters
    ----------
    source : str
        A folder or an address that Ray Data reads.
    model : str
        Name or path; on a cluster, of a file that every node has.
    actors : int
        How many hold the model.
    raw : str
        Layout of headerless files.

    Returns
    -------
    ray.data.Dataset
        Rows ``path``, ``sample_rate``, ``amplitude`` (float32, ``(channels, samples)``), ``error``.
    """
    data: Any = importlib.import_module("ray.data")
    endings = sorted(ending[1:] for ending in find_audio_suffixes())
    files = data.read_binary_files(source, include_paths=True, file_extensions=endings)
    return files.map_batches(
        EnhanceBatches,
        fn_constructor_kwargs={"model": model, "raw": raw, "on_error": "column"},
        batch_size=DEFAULT_LANES,  # as many rows as step together
        concurrency=actors,
        num_cpus=1,  # an actor computes with one thread
    )


@click.command()
@click.option("--source-folder", required=True, metavar="FOLDER", help="Recordings.")
@click.option("--destination-folder", required=True, metavar="FOLDER",
              help="Where the Parquet files go; must not exist.")  # fmt: skip
@click.option("--model-path", default=DEFAULT_MODEL, show_default=True, metavar="NAME|PATH",
              help="A .tflite, or the name of a model.")  # fmt: skip
@click.option("--actors", default=2, show_default=True, type=click.IntRange(1),
              help="Processes that hold the model, one CPU each.")  # fmt: skip
@click.option("--raw", default=DEFAULT_RAW, show_default=True, metavar="LAYOUT",
              help="Layout of headerless sound.")  # fmt: skip
@click.option("--address", metavar="ADDRESS", help="Ray cluster.  [default: a local one]")
def main(
    source_folder: str,
    destination_folder: str,
    model_path: str,
    actors: int,
    raw: str,
    address: str | None,
) -> None:
    """Run a model over a folder with Ray Data."""
    missing = [name for name in ("pandas", "pyarrow") if importlib.util.find_spec(name) is None]
    if missing:
        _refuse(f"Ray Data needs {' and '.join(missing)}: pip install 'ray[data]'")
    if os.path.exists(destination_folder):
        _refuse(f"{show(destination_folder)}: is there already, wanted is a new folder")
    if "://" not in source_folder:
        if not os.path.isdir(source_folder):
            _refuse(f"{show(source_folder)}: there is no such folder")
        source_folder = os.path.abspath(source_folder)
    try:
        found = find_model(model_path)
    except RaypipeError as error:
        _refuse(str(error), error.exit_code)
    if os.path.exists(found.path):  # actors may stand in another folder
        model_path = os.path.abspath(found.path)
    failed = _run(source_folder, os.path.abspath(destination_folder), model_path, actors, raw,
                  address)  # fmt: skip
    sys.exit(1 if failed else 0)


def _run(
    source: str, destination: str, model: str, actors: int, raw: str, address: str | None
) -> int:
    """Run the pipeline and tell what failed; how many did."""
    import ray

    data: Any = importlib.import_module("ray.data")
    # Actors hold a CPU each; without one more, Ray's readers would never be given any.
    ray.init(**({"address": address} if address else {"address": "local", "num_cpus": actors + 1}))
    try:
        cleaned(source, model, actors, raw).write_parquet(destination)
        rows = data.read_parquet(destination, columns=["path", "error"]).take_all()
    finally:
        ray.shutdown()
    failed = [row for row in rows if row["error"]]
    for row in sorted(failed, key=lambda row: str(row["path"])):
        click.echo(f"ray_data_pipeline: {show(row['path'])}: {row['error']}", err=True)
    click.echo(f"{len(rows) - len(failed)} files done, {len(failed)} failed")
    return len(failed)


def _refuse(sentence: str, code: int = 2) -> None:
    click.echo(f"ray_data_pipeline: {sentence}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
