"""``python -m models.denoiser.validate``: score weights and references, add rows to a table.

The training starts it now and then, beside itself.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import cast

import click

from models.denoiser.split import PARTS, Part
from models.denoiser.validation import by_name, by_weights, pairs_of, score, unprocessed


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--audio", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--cache", type=click.Path(path_type=Path), required=True)
@click.option("--table", type=click.Path(path_type=Path), required=True, help="CSV to add to.")
@click.option("--part", type=click.Choice(PARTS), default="validation")
@click.option("--rounds", default=8, help="Pairs of each SNR.")
@click.option("--label", help="What to call it, instead of its name.")
def main(
    names: tuple[str, ...],
    audio: Path,
    cache: Path,
    table: Path,
    part: str,
    rounds: int,
    label: str | None,
) -> None:
    """Score NAMES: paths of weights, names of models, or noisy."""
    tried = pairs_of(audio, cache, cast(Part, part), rounds)
    for name in names:
        if name == "noisy":
            row = score(unprocessed, tried)
        elif name.endswith(".npz"):
            row = score(by_weights(Path(name)), tried)
        else:
            row = score(by_name(name), tried)
        add_row(table, {"name": label or Path(name).name, "part": part, **row})
        click.echo(f"{label or name}: PESQ-WB {row['pesq']:.3f}, SI-SDR {row['si_sdr']:.2f} dB")


def add_row(table: Path, row: dict[str, object]) -> None:
    """Add a row to a CSV; the first one also says what is in the columns."""
    is_new = not table.exists() or os.path.getsize(table) == 0
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
