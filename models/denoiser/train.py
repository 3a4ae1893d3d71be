"""``python -m models.denoiser.train``: the training, from the folder of audio to the weights.

Comes in: the audio, a folder for everything that is made. Goes out, in that folder::

    weights.npz      the best weights on validation so far, averaged over steps
    log.csv          losses while training          validation.csv   PESQ and SI-SDR
    losses.png       both as a picture
    training.npz     what is needed to go on; the same command goes on where it was stopped
    cache/           the decoded audio, batches on their way

The rate follows the minutes that were trained, so that the training ends calmly when they are
over, however fast the machine is; with ``--steps`` it follows the steps, and then the same seed
gives the same weights whether or not it was stopped between.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from models.denoiser.feeding import batches
from models.denoiser.history import History, best_of
from models.denoiser.trainer import Trainer, write
from models.denoiser.validate import add_row

WARM_UP = 100
"""Steps in which the rate grows."""
LEFT = 0.01
"""Of the rate, at the end."""
TOLD = 20
"""Steps in a row of the log."""
KEPT_MIN = 3.0
"""Minutes between what is kept."""
FIRST_VALIDATION_MIN = 4.0


@dataclass(frozen=True)
class Plan:
    """How long, and how."""

    minutes: float
    steps: int | None
    rate: float
    lanes: int
    seed: int
    every_min: float
    stop_at: int | None = None
    """A step before the end, to go on from later."""

    def rate_at(self, step: int, minutes: float) -> float:
        """Up in the first steps, then down along half a cosine."""
        share = step / self.steps if self.steps else minutes / self.minutes
        down = LEFT + (1 - LEFT) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))
        return self.rate * min(1.0, (step + 1) / WARM_UP) * down

    def is_over(self, step: int, minutes: float) -> bool:
        """Whether enough was trained."""
        if self.stop_at is not None and step >= self.stop_at:
            return True
        return step >= self.steps if self.steps else minutes >= self.minutes


class Judge:
    """Scores weights beside the training, in a process of its own that yields to it."""

    def __init__(self, audio: Path, out: Path) -> None:
        self._audio, self._out = audio, out
        self._running: subprocess.Popen[bytes] | None = None
        self._candidate = out / "candidate.npz"

    def start(self, trainer: Trainer, minutes: float) -> None:
        """Have the averaged weights scored, unless the last ones still are."""
        if self._running is not None:
            return
        write(self._candidate, trainer.averaged)
        self._label = f"{minutes:.1f}"
        self._run(str(self._candidate), "--label", self._label)

    def references(self) -> None:
        """Have the unprocessed sound and DTLN, if it is here, scored, and wait."""
        for name in ("noisy", "dtln"):
            self._run(name)
            self.poll(wait=True)

    def _run(self, *words: str) -> None:
        paths = {"--audio": self._audio, "--cache": self._out / "cache", "--table": self._table}
        given = [word for name, path in paths.items() for word in (name, str(path))]
        command = [sys.executable, "-m", "models.denoiser.validate", *words, *given]
        alone = {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._label = words[-1]
        self._running = subprocess.Popen(
            ["nice", "-n", "10", *command],  # noqa: S607
            env=alone,
            stderr=(self._out / "validation.err").open("ab"),
        )

    def poll(self, wait: bool = False) -> bool:
        """See whether it is done; if these weights are the best, keep them."""
        if self._running is None or (not wait and self._running.poll() is None):
            return False
        failed = self._running.wait() != 0
        self._running = None
        if failed:
            click.echo("a validation failed; see validation.err")
        elif best_of(self._table) == self._label:
            os.replace(self._candidate, self._out / "weights.npz")
        return True

    @property
    def _table(self) -> Path:
        return self._out / "validation.csv"


def train(audio: Path, out: Path, plan: Plan) -> Trainer:
    """Train until the plan is over; see the module for what comes out."""
    out.mkdir(parents=True, exist_ok=True)
    trainer, minutes = Trainer(plan.seed, plan.lanes), 0.0
    kept = out / "training.npz"
    if kept.exists():
        minutes = trainer.restore(kept)["minutes"]
        click.echo(f"going on from step {trainer.steps_done}, {minutes:.1f} minutes")
    judge = Judge(audio, out) if plan.every_min else None
    if judge and not (out / "validation.csv").exists():
        judge.references()
    history = History(out)
    kept_at, told = minutes, []
    judged_at = minutes - plan.every_min + FIRST_VALIDATION_MIN
    feed = batches(audio, out / "cache", plan.lanes, plan.seed, trainer.steps_done)
    begun = time.monotonic() - 60 * minutes
    while not plan.is_over(trainer.steps_done, minutes):
        rate = plan.rate_at(trainer.steps_done, minutes)
        told.append(trainer.step(next(feed), rate))
        minutes = (time.monotonic() - begun) / 60
        if len(told) == TOLD:
            means = {name: round(float(np.mean([t[name] for t in told])), 5) for name in told[0]}
            row: dict[str, Any] = {
                "step": trainer.steps_done,
                "minutes": round(minutes, 2),
                "rate": rate,
                **means,
            }
            add_row(out / "log.csv", row)
            history.say(row)
            told = []
        if minutes - kept_at > KEPT_MIN:
            trainer.save(kept, minutes=minutes)
            kept_at = minutes
        if judge and judge.poll():
            history.draw()
        if judge and minutes - judged_at > plan.every_min:
            judge.start(trainer, minutes)
            judged_at = minutes
    feed.close()
    trainer.save(kept, minutes=minutes)
    if judge:
        judge.poll(wait=True)
        judge.start(trainer, minutes)
        judge.poll(wait=True)
        history.draw()
    else:
        write(out / "weights.npz", trainer.averaged)
    return trainer


@click.command()
@click.option("--audio", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--minutes", default=178.0, show_default=True, help="Of training, in all.")
@click.option("--steps", type=int, help="Instead of minutes.")
@click.option("--rate", default=1e-3, show_default=True, help="The highest learning rate.")
@click.option("--lanes", default=32, help="Pieces of three seconds in a step.")
@click.option("--seed", default=1)
@click.option("--every", default=13.0, help="Minutes between validations; 0: none.")
def main(
    audio: Path,
    out: Path,
    minutes: float,
    steps: int | None,
    rate: float,
    lanes: int,
    seed: int,
    every: float,
) -> None:
    """Train the denoiser. Given the same folder again, goes on."""
    # Ended as by Ctrl-C, so that the process that mixes ends, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    train(audio, out, Plan(minutes, steps, rate, lanes, seed, every))


if __name__ == "__main__":
    main()
