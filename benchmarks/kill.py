"""Kills workers, collectors and drivers at random moments and looks at what is left.

    python -m benchmarks.kill --rounds 20 --seed 1

Each round runs ``raypipe enhance`` over the same folder, kills one process of it with SIGKILL at a
seeded moment, and runs the command again if the run did not end by itself. All the while the
output is watched: a file that can be seen under its final name must be whole from the first look
on. At the end of a round the tree must be identical to an undisturbed run's, what was published
before the kill must not have been written again, and no unfinished file may remain.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import click
import numpy as np
import psutil
import soundfile as sf

FILES = 60
RATE_HZ = 16_000
LONGEST_S = 24.0
COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()", "enhance")
SETTINGS = ("--model", "recurrent", "--lanes", "4", "--segment", "2", "--quiet")
VICTIMS = ("worker", "collector", "driver")
RUN_TIMEOUT_S = 120.0


@dataclass
class Round:
    """What one round has shown."""

    victim: str
    killed_after_s: float = 0.0
    killed: bool = False
    """False where the run was over before its time came."""
    first_code: int = 0
    reruns: int = 0
    published_before: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def make_inputs(folder: Path, files: int = FILES) -> None:
    """Noise of mixed lengths in two formats and two folders."""
    chance = np.random.default_rng(5)
    for number in range(files):
        seconds = chance.uniform(0.2, LONGEST_S)
        sound = 0.1 * chance.standard_normal((round(seconds * RATE_HZ), 1 + number % 2))
        path = folder / ("deep" if number % 3 else ".") / f"{number}.{('wav', 'flac')[number % 2]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, sound, RATE_HZ)


def tree(folder: Path) -> dict[str, str]:
    """Digest of every published file, by relative name."""
    return {str(p.relative_to(folder)): digest(p) for p in published(folder)}


def published(folder: Path) -> Iterator[Path]:
    """Files under their final names."""
    for path in folder.rglob("*"):
        if ".raypipe" not in path.parts and path.is_file():
            yield path


def digest(path: Path) -> str:
    """Sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def start(inputs: Path, output: Path, *more: str) -> subprocess.Popen[bytes]:
    """Begin a run on a local Ray with two workers."""
    return subprocess.Popen(
        [*COMMAND, str(inputs), str(output), "--executor", "ray", "-j", "2", *SETTINGS, *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def undisturbed(inputs: Path, output: Path) -> dict[str, str]:
    """The tree that every round must end with."""
    done = subprocess.run(
        [*COMMAND, str(inputs), str(output), "--executor", "inline", *SETTINGS], check=True
    )
    assert done.returncode == 0
    return tree(output)


class Seen(Protocol):
    """An output from outside."""

    every_s: float
    """Time between two looks."""

    def look(self) -> dict[str, object]:
        """What is published: relative name, and what changes when a file is written again."""

    def digest(self, name: str) -> str:
        """Sha256 of a published file."""


class Folder:
    """An output folder from outside."""

    every_s = 0.01
    """Time between two looks."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def look(self) -> dict[str, object]:
        """What is published: relative name, and what changes when a file is written again."""
        if not self._path.is_dir():
            return {}
        found: dict[str, object] = {}
        for path in published(self._path):
            stat = path.stat()
            found[str(path.relative_to(self._path))] = stat.st_ino, stat.st_mtime_ns
        return found

    def digest(self, name: str) -> str:
        """Sha256 of a published file."""
        return digest(self._path / name)


class Watcher(threading.Thread):
    """Looks at the output all the time; a published file must be whole at the first look.

    Attributes
    ----------
    faults : list of str
        Files that were not whole, at the first look or at a later one.
    rewritten : list of str
        Files that were written again though they had been published.
    times_s : list of float
        When each file was seen first (monotonic clock).
    """

    def __init__(self, output: Seen, wanted: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self._output, self._wanted = output, wanted
        self._seen: dict[str, object] = {}
        self._over = threading.Event()
        self.faults: list[str] = []
        self.rewritten: list[str] = []
        self.times_s: list[float] = []

    def run(self) -> None:
        """Look until told to stop."""
        while not self._over.wait(self._output.every_s):
            self.look()

    def look(self) -> None:
        """Look once."""
        for name, identity in self._output.look().items():
            before = self._seen.get(name)
            if identity == before:
                continue
            self._seen[name] = identity
            if before is None:
                self.times_s.append(time.monotonic())
            else:
                self.rewritten.append(name)
            if self._output.digest(name) != self._wanted.get(name):
                self.faults.append(f"{name}: visible before it was whole, or written otherwise")

    @property
    def count(self) -> int:
        """Files seen so far."""
        return len(self._seen)

    def stop(self) -> None:
        """End, with a last look."""
        self._over.set()
        self.join()
        self.look()


def processes(run: subprocess.Popen[bytes], victim: str) -> list[psutil.Process]:
    """The run's processes of one kind."""
    if victim == "driver":
        return [psutil.Process(run.pid)]
    word = {"worker": "WorkerActor", "collector": "CollectorActor"}[victim]
    found = []
    for process in psutil.Process(run.pid).children(recursive=True):
        try:
            title = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if title.startswith("ray::") and (word in title or f"raypipe-{victim}" in title):
            found.append(process)
    return found


def wait_for(what: Callable[[], bool], timeout_s: float) -> bool:
    """True as soon as `what` is; False after so long."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if what():
            return True
        time.sleep(0.005)
    return False


def one_round(
    inputs: Path, output: Path, wanted: dict[str, str], victim: str, chance: random.Random
) -> Round:
    """Run, kill, run again, look."""
    result = Round(victim)
    begin_s = time.monotonic()
    watcher = Watcher(Folder(output), wanted)
    watcher.start()
    run = start(inputs, output)
    least = chance.randrange(0, max(1, len(wanted) * 3 // 4))
    wait_for(lambda: watcher.count >= least or run.poll() is not None, RUN_TIMEOUT_S)
    time.sleep(chance.uniform(0, 0.15))
    if run.poll() is None:
        for process in processes(run, victim)[:1]:
            result.killed_after_s = time.monotonic() - begin_s
            result.published_before = watcher.count
            process.send_signal(signal.SIGKILL)
            result.killed = True
    _, errors = run.communicate(timeout=RUN_TIMEOUT_S)
    result.first_code = run.returncode
    if b"Traceback" in errors:
        result.faults.append(f"traceback: {errors.decode()[-2000:]}")
    if victim != "driver" and run.returncode != 0:
        result.faults.append(f"the run ended with {run.returncode}: {errors.decode()[-500:]}")
    while run.returncode != 0 and result.reruns < 3:
        result.reruns += 1
        run = start(inputs, output)
        _, errors = run.communicate(timeout=RUN_TIMEOUT_S)
    if run.returncode != 0:
        result.faults.append(f"the last run ended with {run.returncode}: {errors.decode()}")
    watcher.stop()
    result.faults += watcher.faults
    result.faults += [f"{n}: written again though it was published" for n in watcher.rewritten]
    if tree(output) != wanted:
        result.faults.append("the tree differs from an undisturbed run's")
    left = os.listdir(output / ".raypipe/tmp")
    if left:
        result.faults.append(f"unfinished files remain: {left}")
    result.seconds = time.monotonic() - begin_s
    return result


@click.command()
@click.option("--rounds", default=20, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(rounds: int, seed: int) -> None:
    """Run seeded rounds and print one line for each."""
    chance = random.Random(seed)
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        inputs = Path(scratch, "in")
        make_inputs(inputs)
        wanted = undisturbed(inputs, Path(scratch, "wanted"))
        click.echo("round  victim     killed at  published  exit  re-runs  whole round  faults")
        for number in range(1, rounds + 1):
            victim = VICTIMS[number % len(VICTIMS)]
            done = one_round(inputs, Path(scratch, f"out{number}"), wanted, victim, chance)
            at = f"{done.killed_after_s:6.1f} s" if done.killed else "   never"
            click.echo(
                f"{number:5}  {victim:9}  {at}  {done.published_before:9}  {done.first_code:4}  "
                f"{done.reruns:7}  {done.seconds:9.1f} s  {'; '.join(done.faults) or 'none'}"
            )
            bad += bool(done.faults)
    click.echo(f"{rounds} rounds, {bad} with faults")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
