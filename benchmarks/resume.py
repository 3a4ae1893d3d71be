"""What a restart costs: seconds until the first new file of a large job that is mostly done.

    python -m benchmarks.resume [--files 100000] [--left 1000] [--rounds 2]

A folder of tiny files; outputs of all but the last ones that are listed, and a journal of them, as
the collectors of one run would have left them. Then ``raypipe enhance`` in a process of its own,
until it hands the first file to a worker: with all that done, and with nothing done.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import click

from benchmarks.corpus import RATE_HZ
from benchmarks.table import machine, say
from raypipe.inference.zoo import find_model
from raypipe.plan.route import find_route
from raypipe.plan.scan import scan
from raypipe.results.journal import JournalWriter
from raypipe.settings import RunSettings
from raypipe.storage import Hold
from raypipe.types import AudioFile, Done, Levels, SoundInfo

MODEL = "passthrough"
FRAMES = 160
FOLDER_FILES = 1000
CALL_FILES = 70
"""Files that a collector journals at a time."""
BEGUN = "RAYPIPE_BENCHMARK_BEGUN"
CHILD = "import sys; from benchmarks.resume import watched; watched(sys.argv[1:])"


def make_inputs(folder: Path, files: int) -> None:
    """So many WAV files of ten milliseconds."""
    from io import BytesIO

    import numpy as np
    import soundfile as sf

    whole = BytesIO()
    sf.write(whole, np.zeros(FRAMES, np.int16), RATE_HZ, format="WAV")
    content = whole.getvalue()
    for number in range(files):
        path = folder / f"{number // FOLDER_FILES:04}" / f"recording {number:07}.wav"
        if number % FOLDER_FILES == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(content)


def make_outputs(source: Path, output: Path, left: int) -> int:
    """Leave `output` as a run would that has done all but the last `left` files; how many it did.

    The outputs are copies, which is what the passthrough makes; their journal is the real one.
    """
    settings = RunSettings(model=MODEL)
    route = find_route(str(source), str(output), settings)
    listed = [file for file in scan(route, settings) if isinstance(file, AudioFile)]
    done = listed[: len(listed) - left]
    fingerprint = settings.fingerprint(find_model(settings.model).fingerprint)
    with Hold(str(output)) as place:
        journal = JournalWriter(place, "collector-0.1", fingerprint)
        rest = iter(done)
        while some := list(islice(rest, CALL_FILES)):
            told = [(_done(file), _copied(file, place.final(file.output))) for file in some]
            journal.publishing((one, {"sound": artifact}) for one, artifact in told)
            journal.done(one for one, _ in told)
        journal.close()
    return len(done)


def _copied(file: AudioFile, final: str) -> tuple[str, int, int]:
    os.makedirs(os.path.dirname(final), exist_ok=True)
    shutil.copyfile(file.path, final)
    found = os.stat(final)
    return file.output, found.st_size, found.st_mtime_ns


def _done(file: AudioFile) -> Done:
    info = SoundInfo(RATE_HZ, 1, FRAMES, "WAV", "PCM_16")
    level = Levels(-12.345678901234567, -23.456789012345678)
    return Done(
        file, {"sound": file.output}, info, FRAMES, level, level, busy_s=0.001234567890123,
        worker="worker-1",
    )  # fmt: skip


class Clock:
    """Seconds by part of a start."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def around(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, its time taken."""

        def timed(*arguments: Any, **named: Any) -> Any:
            begin_s = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                spent_s = time.perf_counter() - begin_s
                self.seconds[part] = self.seconds.get(part, 0.0) + spent_s

        return timed


def watched(arguments: Sequence[str]) -> None:
    """``raypipe enhance`` in this process, up to its first batch; prints what it took as JSON."""
    from raypipe import work
    from raypipe.cli.entry import entry
    from raypipe.dispatch import Dispatch
    from raypipe.execution.inline import InlineExecutor
    from raypipe.execution.ray_executor import RayExecutor

    clock = Clock()
    begun_s = float(os.environ[BEGUN])
    facts: dict[str, float] = {"start": time.time() - begun_s}

    def first(*_: object, **__: object) -> None:
        facts["seconds"] = time.time() - begun_s
        facts["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        raise KeyboardInterrupt

    place: Any = work
    place.refuse_collisions = clock.around("first scan", place.refuse_collisions)
    place.Journal = clock.around("journal", place.Journal)
    executors: Iterable[Any] = (InlineExecutor, RayExecutor)
    for executor in executors:
        executor.submit = first
    loop: Any = Dispatch
    loop._open_files = clock.around("open files", loop._open_files)
    entry(["enhance", *arguments])
    print(json.dumps(facts | clock.seconds))


def started(source: Path, output: Path, executor: str) -> dict[str, float]:
    """Seconds until the first file goes to a worker, their parts, and the peak memory."""
    arguments = [str(source), str(output), "--executor", executor, "--model", MODEL, "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        capture_output=True, text=True, env=os.environ | {BEGUN: str(time.time())},
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    if not lines:
        raise click.ClickException(f"the run gave nothing: {done.stderr[-2000:]}")
    facts: dict[str, float] = json.loads(lines[-1])
    return facts


@click.command()
@click.option("--files", default=100_000, show_default=True)
@click.option("--left", default=1000, show_default=True, help="Files that are not done yet.")
@click.option("--rounds", default=2, show_default=True, type=click.IntRange(1))
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE", help="Write every figure there.")  # fmt: skip
def main(files: int, left: int, rounds: int, json_path: Path | None) -> None:
    """Print a table."""
    where = machine()
    click.echo(f"{where['cpu']}, {where['cpus']} CPUs; medians of {rounds} rounds.\n")
    scratch = Path(tempfile.mkdtemp())
    runs: dict[str, list[dict[str, float]]] = {}
    try:
        source = scratch / "in"
        make_inputs(source, files)
        done = make_outputs(source, scratch / "resumed", left)
        say(f"{files} inputs, {done} outputs with their journal")
        for number in range(rounds):
            for executor in ("inline", "ray"):
                for output, name in (("fresh", "nothing done"), ("resumed", f"{done} done")):
                    facts = started(source, scratch / output, executor)
                    say(f"{number + 1}/{rounds} {executor}, {name}: {facts}")
                    runs.setdefault(f"{executor}, {name}", []).append(facts)
    finally:
        shutil.rmtree(scratch)
    click.echo(table(runs))
    if json_path is not None:
        json_path.write_text(json.dumps({"machine": where, "runs": runs}, indent=1), "utf-8")


def table(runs: dict[str, list[dict[str, float]]]) -> str:
    """Seconds until the first new file, and where they went."""
    lines = [
        "| executor, state | until the first new file, s | lowest to highest | of it: Python and "
        "imports | looking for collisions | journal read | listing, and finding what is done "
        "| peak memory, MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, rounds in runs.items():
        middle = partial(_middle, rounds)
        least, most = min(r["seconds"] for r in rounds), max(r["seconds"] for r in rounds)
        listing_s = middle("open files") - middle("journal")
        lines.append(
            f"| {name} | {middle('seconds'):.2f} | {least:.2f} to {most:.2f} | "
            f"{middle('start'):.2f} | {middle('first scan'):.2f} | {middle('journal'):.2f} | "
            f"{listing_s:.2f} | {middle('peak_bytes') / 1e6:.0f} |"
        )
    return "\n".join(lines)


def _middle(rounds: Sequence[dict[str, float]], part: str) -> float:
    return statistics.median(facts.get(part, 0.0) for facts in rounds)


if __name__ == "__main__":
    main()
