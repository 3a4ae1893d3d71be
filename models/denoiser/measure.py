"""Measures the files that are shipped, through raypipe's own lanes, for their cards.

``python -m models.denoiser.measure --audio AUDIO --cache CACHE`` scores both variants on the
pairs of `models.denoiser.validation` and writes ``quality.toml`` beside this file, and the same
into the files' cards, as `models.denoiser.make` does from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import click
import numpy as np

from models.denoiser.make import DESCRIPTIONS, QUALITY, SHIPPED, card
from models.denoiser.network import RATE_HZ
from models.denoiser.shapes import SAMPLES
from models.denoiser.split import Part
from models.denoiser.validation import CLEAN_DB, SNRS_DB, Sound, pairs_of, score, unprocessed
from raypipe.enhancer import Enhancer
from raypipe.inference.metadata import embed_card

MOST_LOST_PESQ, MOST_LOST_SI_SDR_DB = 0.05, 0.3
"""What int8 weights may cost to be shipped."""


def by_file(path: Path) -> Callable[[Sound], Sound]:
    """A ``.tflite`` as users run it."""
    enhancer = Enhancer(path)
    return lambda sounds: np.stack([enhancer.process(one, RATE_HZ) for one in sounds])


@click.command()
@click.option("--audio", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--cache", type=click.Path(path_type=Path), required=True)
@click.option("--rounds", default=8, show_default=True, help="Pairs of each SNR.")
@click.option("--quality", type=click.Path(dir_okay=False, path_type=Path), default=QUALITY,
              show_default=True, help="Where to write.")  # fmt: skip
def main(audio: Path, cache: Path, rounds: int, quality: Path) -> None:
    """Score both variants and write what their cards say."""
    found: dict[str, dict[str, float]] = {name: {} for name in DESCRIPTIONS}
    lost: dict[str, dict[str, float]] = {}
    for part, mark in (("test", ""), ("validation", "validation_")):
        tried = pairs_of(audio, cache, cast(Part, part), rounds)
        noisy = score(unprocessed, tried)
        rows = {name: score(by_file(SHIPPED / f"{name}.tflite"), tried) for name in DESCRIPTIONS}
        for name, row in rows.items():
            for before, one in ((f"{mark}noisy_", noisy), (mark, row)):
                found[name][f"{before}pesq_wb"] = round(one["pesq"], 2)
                found[name][f"{before}si_sdr_db"] = round(one["si_sdr"], 2)
            click.echo(f"{part} {name}: {row}")
        whole, small = rows.values()
        lost[part] = {key: round(whole[key] - small[key], 3) for key in ("pesq", "si_sdr")}
        click.echo(f"{part} noisy: {noisy}\n{part}, what int8 loses: {lost[part]}")
    count = rounds * sum(snr_db != CLEAN_DB for snr_db in SNRS_DB)
    snrs = [snr_db for snr_db in SNRS_DB if snr_db != CLEAN_DB]
    said = (
        f"means of {count} pairs of {SAMPLES / RATE_HZ:g} s each, of speakers and recordings of "
        f"noise that were never trained, at {snrs[0]} to {snrs[-1]} dB, compared at 16 kHz"
    )
    lines = []
    for name, values in found.items():
        lines += [f"[{name}]", f'measured_on = "{said}"']
        lines += [f"{key} = {value}" for key, value in values.items()]
    quality.write_text("\n".join(lines) + "\n", "utf-8")
    if quality == QUALITY:
        for name, values in found.items():
            path = SHIPPED / f"{name}.tflite"
            says = card(name, {"measured_on": said, **values})
            path.write_bytes(embed_card(path.read_bytes(), says))
    within = (
        lost["validation"]["pesq"] <= MOST_LOST_PESQ
        and lost["validation"]["si_sdr"] <= MOST_LOST_SI_SDR_DB
    )
    click.echo(f"int8 {'holds' if within else 'does not hold'} its quality; {quality}")


if __name__ == "__main__":
    main()
