"""Peak memory of a 3-hour file against a 5-minute one: they must be alike.

    python -m benchmarks.long

Each run is a process of its own (inline); its peak resident memory is what the system counted.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import soundfile as sf

from benchmarks.corpus import make_long

RATE_HZ = 44_100
SHORT_S, LONG_S = 300.0, 3 * 3600.0
RUN = """
import resource, sys, raypipe
report = raypipe.enhance(sys.argv[1], sys.argv[2], model="benchmark", executor="inline")
assert report.totals.done == 1, report.files
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, report.totals.x_real_time)
"""


def peak(source: Path, output: Path) -> tuple[int, float]:
    """Peak resident bytes, and x real time."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(source), str(output)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    size, speed = done.stdout.split()
    return int(size), float(speed)


@click.command()
@click.option("--long-s", default=LONG_S, show_default=True)
def main(long_s: float) -> None:
    """Print a table."""
    scratch = Path(tempfile.mkdtemp())
    try:
        click.echo("| file | length | peak memory | ratio | x real time |")
        click.echo("|---|---:|---:|---:|---:|")
        for suffix in (".wav", ".flac"):
            first = 0
            for seconds in (SHORT_S, long_s):
                source = make_long(scratch / f"in{seconds:g}.wav", seconds, RATE_HZ)
                if suffix == ".flac":
                    source = to_flac(source)
                size, speed = peak(source, scratch / f"out{seconds:g}{suffix}")
                first = first or size
                click.echo(
                    f"| {suffix[1:].upper()} {RATE_HZ} Hz | {seconds / 60:g} min | "
                    f"{size / 1e6:.0f} MB | {size / first:.2f} | {speed:.0f} |"
                )
    finally:
        shutil.rmtree(scratch)


def to_flac(source: Path) -> Path:
    """The same sound as FLAC."""
    path = source.with_suffix(".flac")
    with (
        sf.SoundFile(source) as before,
        sf.SoundFile(path, "w", before.samplerate, before.channels, "PCM_16") as after,
    ):
        while len(block := before.read(1 << 20, dtype="int16")):
            after.write(block)
    source.unlink()
    return path


if __name__ == "__main__":
    main()
