"""What the engine costs: raypipe against a bare pool with the same lanes, in one run.

    python -m benchmarks.engine

The bare pool is two processes that read, step the same `Enhance` lanes and write; no journal, no
fsync, no levels, no report, no recovery. The model costs about as much a frame as DTLN with int8
weights. Also the start: the first published file of a run on Ray against a bare ``ray.init()`` and
an actor that loads the model.
"""

from __future__ import annotations

import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import soundfile as sf

import raypipe
from benchmarks.corpus import make_files
from raypipe.audio.encode import encode
from raypipe.audio.read import open_sound
from raypipe.audio.target import target_for
from raypipe.audio.write import open_writer
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job
from raypipe.settings import DEFAULT_LANES

MODEL = "benchmark"
WORKERS = 2
SECONDS = 10.0

BARE_START = """
import logging, ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
         logging_level=logging.ERROR)

@ray.remote(num_cpus=1)
class Actor:
    def load(self):
        from raypipe.inference.zoo import find_model, load_lane_model
        self.model = load_lane_model(find_model("{model}"), 64)
        return 1

ray.get(Actor.remote().load.remote())
print("ready")
"""


def bare_worker(paths: list[Path], out: Path, ready: object, go: object) -> None:
    """Read, step, write: batch after batch, nothing else."""
    enhance = Enhance(load_lane_model(find_model(MODEL), DEFAULT_LANES))
    ready.release()  # type: ignore[attr-defined]
    go.wait()  # type: ignore[attr-defined]
    for start in range(0, len(paths), DEFAULT_LANES):
        jobs, targets = [], []
        for path in paths[start : start + DEFAULT_LANES]:
            with open_sound(str(path)) as reader:
                info = reader.info
                jobs.append(Job(info, reader.read(info.frames or 0), 0, True, None))
            targets.append((out / path.name, target_for(info, "keep", ".wav")[0]))
        for made, (path, target) in zip(enhance.step(jobs), targets, strict=True):
            writer = open_writer(str(path), target)
            writer.write(encode(made.sound, target).data)
            writer.close()


def bare_pool(folder: Path, out: Path) -> float:
    """Seconds that two bare processes take, after start-up."""
    out.mkdir()
    paths = sorted(folder.iterdir())
    context = multiprocessing.get_context("spawn")
    ready, go = context.Semaphore(0), context.Event()
    processes = [
        context.Process(target=bare_worker, args=(paths[k::WORKERS], out, ready, go))
        for k in range(WORKERS)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.acquire()
    begin_s = time.perf_counter()
    go.set()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    return time.perf_counter() - begin_s


def engine(folder: Path, out: Path) -> float:
    """Seconds that raypipe takes, after start-up, by its own report."""
    report = raypipe.enhance(
        folder, out, model=MODEL, executor="ray", workers=WORKERS, lanes=DEFAULT_LANES
    )
    assert report.totals.failed == 0
    return report.totals.audio_s / report.totals.x_real_time


def first_file(folder: Path, out: Path) -> float:
    """Seconds from the command to the first published file, on Ray."""
    command = "from raypipe.cli import main; main()"
    begin_s = time.perf_counter()
    run = subprocess.Popen(
        [sys.executable, "-c", command, "enhance", str(folder), str(out), "--model", MODEL,
         "--executor", "ray", "-j", "2", "--lanes", str(DEFAULT_LANES), "--quiet"]
    )  # fmt: skip
    while run.poll() is None and not (out.is_dir() and any(out.glob("*.wav"))):
        time.sleep(0.005)
    seconds = time.perf_counter() - begin_s
    run.wait()
    return seconds


def bare_start() -> float:
    """Seconds of a bare Ray start with an actor that loads the model, in its own process."""
    begin_s = time.perf_counter()
    run = subprocess.Popen(
        [sys.executable, "-u", "-c", BARE_START.format(model=MODEL)], stdout=subprocess.PIPE
    )
    assert run.stdout is not None and run.stdout.readline(), "it says when it is ready"
    seconds = time.perf_counter() - begin_s
    run.communicate()
    return seconds


@click.command()
@click.option("--files", default=1280, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(files: int, rounds: int) -> None:
    """Print both ratios; rounds are interleaved, figures are medians."""
    scratch = Path(tempfile.mkdtemp())
    try:
        folder = make_files(scratch / "in", files, SECONDS)
        few = make_files(scratch / "few", 64, SECONDS)
        pools, engines, starts, firsts = [], [], [], []
        for number in range(rounds):
            pools.append(bare_pool(folder, scratch / f"pool{number}"))
            engines.append(engine(folder, scratch / f"engine{number}"))
            same(scratch / f"pool{number}", scratch / f"engine{number}")
            starts.append(bare_start())
            firsts.append(first_file(few, scratch / f"first{number}"))
            for done in scratch.glob("[pef]*[0-9]"):
                shutil.rmtree(done)
            click.echo(
                f"round {number + 1}: pool {pools[-1]:.2f} s, raypipe {engines[-1]:.2f} s, "
                f"bare start {starts[-1]:.2f} s, first file {firsts[-1]:.2f} s"
            )
        audio_s = files * SECONDS
        pool_s, engine_s = statistics.median(pools), statistics.median(engines)
        click.echo(f"| {files} files of {SECONDS:g} s, two processes | x real time | ratio |")
        click.echo("|---|---:|---:|")
        click.echo(f"| bare pool | {audio_s / pool_s:.0f} | 1.00 |")
        click.echo(f"| raypipe | {audio_s / engine_s:.0f} | {pool_s / engine_s:.2f} |")
        start_s, first_s = statistics.median(starts), statistics.median(firsts)
        click.echo("\n| start on Ray | seconds | ratio |\n|---|---:|---:|")
        click.echo(f"| bare | {start_s:.2f} | 1.00 |")
        click.echo(f"| first published file | {first_s:.2f} | {first_s / start_s:.2f} |")
    finally:
        shutil.rmtree(scratch)


def same(one: Path, two: Path) -> None:
    """Both made the same sound; else the comparison would mean nothing."""
    for path in sorted(one.glob("*.wav"))[::97]:
        assert (sf.read(path)[0] == sf.read(two / path.name)[0]).all(), path.name


if __name__ == "__main__":
    main()
