"""One file in, one file out, for those who script it that way.

    python jobs/enhance_file.py --source-file A.wav --destination-file B.wav --model-path M.tflite

Headerless sound (``.raw``, ``.pcm``) is 48 kHz, one channel, s16le unless ``--raw`` says otherwise.
An existing destination is replaced.
"""

from __future__ import annotations

import os
import sys

import click

from raypipe import RaypipeError, enhance
from raypipe.audio.probe import find_audio_suffixes
from raypipe.settings import DEFAULT_MODEL
from raypipe.storage import show

RAW_ENDINGS = (".raw", ".pcm")
DEFAULT_RAW = "rate=48000,channels=1,sample=s16le"


@click.command()
@click.option("--source-file", required=True, type=click.Path(exists=True, dir_okay=False),
              metavar="FILE", help="The sound to work on.")  # fmt: skip
@click.option("--destination-file", required=True, type=click.Path(dir_okay=False),
              metavar="FILE", help="Where the result goes; replaced if it exists.")  # fmt: skip
@click.option("--model-path", default=DEFAULT_MODEL, show_default=True, metavar="NAME|PATH",
              help="A .tflite, or the name of a shipped model.")  # fmt: skip
@click.option("--raw", default=DEFAULT_RAW, show_default=True, metavar="LAYOUT",
              help="Layout of headerless sound.")  # fmt: skip
@click.option("--rate", type=int, metavar="HZ", help="Rate of a model that has no card.")
def main(
    source_file: str, destination_file: str, model_path: str, raw: str, rate: int | None
) -> None:
    """Run a model over one file."""
    headerless = source_file.lower().endswith(RAW_ENDINGS)
    ending = os.path.splitext(destination_file)[1].lower()
    if ending not in find_audio_suffixes():
        click.echo(
            f"enhance_file: {show(destination_file)}: output format {ending[1:]!r} is unknown; "
            "wanted is the ending of a sound, such as .wav",
            err=True,
        )
        sys.exit(2)
    try:
        report = enhance(
            source_file,
            destination_file,
            model=model_path,
            rate_hz=rate,
            raw=raw if headerless else None,
            executor="inline",
            overwrite=True,
        )
    except RaypipeError as error:
        click.echo(f"enhance_file: {show(str(error))}", err=True)
        sys.exit(error.exit_code)
    for entry in report.files:
        if entry["outcome"] == "failed":
            click.echo(f"enhance_file: {show(entry['path'])}: {entry['reason']}", err=True)
    sys.exit(report.exit_code)


if __name__ == "__main__":
    main()
