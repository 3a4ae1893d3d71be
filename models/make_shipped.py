"""Makes every ``.tflite`` that is kept in the repository, anew.

``python -m models.make_shipped`` writes the models of the wheel to
``raypipe/inference/shipped/`` and the poison model beside this file. With the
same TensorFlow the same bytes come out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType

import click

from models import (
    benchmark_model,
    delay_model,
    hang_model,
    passthrough_model,
    recurrent_model,
)
from models.denoiser import make as denoiser
from models.tfl_model_exporter import export_to_tflite

SHIPPED = Path(__file__).parents[1] / "raypipe" / "inference" / "shipped"

WHEEL: tuple[ModuleType, ...] = (passthrough_model, delay_model, recurrent_model, benchmark_model)
QUANTISED = (benchmark_model,)


def make(model: ModuleType, folder: Path) -> Path:
    """Define, save and export one model; give the ``.tflite``."""
    with tempfile.TemporaryDirectory() as scratch:
        saved = model.save(Path(scratch) / "saved_model")
        destination = folder / f"{model.CARD.name}.tflite"
        return export_to_tflite(saved, destination, model.CARD, quantise=model in QUANTISED)


@click.command()
@click.option("--into", type=click.Path(path_type=Path, file_okay=False),
              help="Write all of them to this folder instead.")  # fmt: skip
def main(into: Path | None) -> None:
    """Make the models that are kept in the repository."""
    for model in WHEEL:
        folder = into or SHIPPED
        folder.mkdir(parents=True, exist_ok=True)
        path = make(model, folder)
        click.echo(f"{path}: {path.stat().st_size:,} bytes")
    for path in denoiser.write(into or SHIPPED):
        click.echo(f"{path}: {path.stat().st_size:,} bytes")
    path = make(hang_model, into or Path(__file__).parent)
    click.echo(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
