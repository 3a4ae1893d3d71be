"""Break a cluster of real nodes at random moments and look at what is left.

    python -m benchmarks.chaos --rounds 30 --seed 1
    python -m benchmarks.chaos --rounds 30 --seed 1 --bucket

A head without CPUs and two worker nodes, each in a network namespace of its own. Each round runs
``raypipe enhance`` over the same folder with a recurrent model, and meanwhile kills Ray's process
on a node, switches a node off, cuts one off the network for a moment, for a while or for good, lets
one join, kills workers and collectors, kills the driver or tells it to end and gives the command
again. With ``--bucket`` both folders lie in a bucket, which refuses, dawdles and breaks connections
off for a while. At the end of each round the tree must be identical to an undisturbed run's, the
counts must add up, nothing unfinished, no upload and no actor may remain. Ends with 1 if any round
shows a fault.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from benchmarks.chaos import bucket as in_bucket
from benchmarks.chaos import paced
from benchmarks.chaos.faults import draw
from benchmarks.chaos.inputs import make_inputs
from benchmarks.chaos.looks import FolderOutput, Output, Wanted
from benchmarks.chaos.rounds import COMMAND, SETTINGS, Ground, Round, one_round, repair
from benchmarks.chaos.weather import Weather
from benchmarks.kill import tree
from benchmarks.namespaces import why_not
from benchmarks.nodes import Cluster

FILES = 60
LONGEST_S = 20.0
PACE_X_REAL_TIME = 30.0
"""Of each worker, so that a round lasts long enough for its faults."""
FEWEST_NODES, MOST_NODES = 2, 3


def undisturbed(inputs: Path, output: Path, log: Path, files: int) -> Wanted:
    """What every round must end with, made in one process, without Ray and at full speed."""
    log.mkdir()
    done = subprocess.run(
        [*COMMAND, str(inputs), str(output), "--executor", "inline", *SETTINGS],
        env={**os.environ, paced.LOG: str(log)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 1:
        raise RuntimeError(f"the undisturbed run ended with {done.returncode}: {done.stderr}")
    return Wanted(tree(output), files, sum(call.sound_s for call in paced.calls(log)))


def environment(log: Path, pace: float = PACE_X_REAL_TIME) -> dict[str, str]:
    """What the nodes must find in theirs for the model to keep its account."""
    return {paced.LOG: str(log), paced.PACE: str(pace)}


@contextmanager
def ready(
    scratch: Path, inputs: Path, wanted: Wanted, *, bucket: bool
) -> Iterator[tuple[Ground, Callable[[str], Output]]]:
    """The cluster, the bucket if there is to be one, and how a round gets its output by a name."""
    log = scratch / "log"
    log.mkdir()
    cluster = Cluster(FEWEST_NODES, environment=environment(log))
    if not bucket:
        with cluster:
            ground = Ground(cluster, str(inputs), log, wanted)
            yield ground, lambda name: FolderOutput(scratch / name)
        return
    cluster.environment |= in_bucket.environment(cluster.gateway)
    with in_bucket.server() as port, cluster:
        store = in_bucket.Bucket(port)
        with Weather(cluster.gateway, ("127.0.0.1", port), in_bucket.PORT) as weather:
            yield Ground(cluster, store.put(inputs, "in"), log, wanted, weather), store.output


def tell(number: int, done: Round) -> None:
    """Print a round: a line for each fault, then what came of them."""
    for strike in done.strikes:
        recovery = "none" if strike.recovery_s is None else f"{strike.recovery_s:.1f} s"
        click.echo(
            f"{number:5}  {strike.at_s - done.begin_s:6.1f} s  {strike.fault.kind:9}  "
            f"next file after {recovery:>7}, longest pause {strike.pause_s:4.1f} s  "
            f"({strike.where})"
        )
    for fault in done.missed:
        click.echo(f"{number:5}     never    {fault.kind}")
    click.echo(
        f"{number:5}  {done.seconds:6.1f} s  whole round; exit codes {done.codes}; "
        f"{done.twice_s:.0f} s of sound computed twice ({done.stepped_s:.0f} s in all); "
        f"{done.rewritten} published twice; faults: {'; '.join(done.faults) or 'none'}"
    )


def summary(rounds: list[Round]) -> None:
    """Print one line for each kind of fault."""
    strikes = [strike for done in rounds for strike in done.strikes]
    click.echo("\n| fault | times | next file, median | slowest | longest pause |")
    click.echo("|---|---:|---:|---:|---:|")
    for kind in sorted({strike.fault.kind for strike in strikes}):
        mine = [s for s in strikes if s.fault.kind == kind]
        next_s = [s.recovery_s for s in mine if s.recovery_s is not None] or [0.0]
        click.echo(
            f"| {kind} | {len(mine)} | {statistics.median(next_s):.1f} s | {max(next_s):.1f} s "
            f"| {max(s.pause_s for s in mine):.1f} s |"
        )
    seconds, twice_s = [r.seconds for r in rounds], [r.twice_s for r in rounds]
    corpus_s = statistics.median(r.stepped_s - r.twice_s for r in rounds)
    click.echo(
        f"\na round: {statistics.median(seconds):.1f} s in the median, {max(seconds):.1f} s at "
        f"most; computed twice: {statistics.median(twice_s):.0f} s of {corpus_s:.0f} s of sound in "
        f"the median, {max(twice_s):.0f} s at most"
    )


@click.command()
@click.option("--rounds", default=30, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--bucket", is_flag=True, help="IN and OUT lie in a bucket, which has its faults, too."
)
@click.option("--only", default=None, type=int, help="Just this round of the series.")
@click.option("--keep", type=click.Path(file_okay=False), help="Leave outputs and logs here.")
def main(rounds: int, seed: int, bucket: bool, only: int | None, keep: str | None) -> None:
    """Run seeded rounds and print what each has shown."""
    if reason := why_not():
        raise click.ClickException(reason)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the nodes are removed
    shown: list[Round] = []
    with ExitStack() as stack:
        scratch = Path(keep or stack.enter_context(tempfile.TemporaryDirectory()))
        scratch.mkdir(parents=True, exist_ok=True)
        inputs = scratch / "in"
        make_inputs(inputs, FILES, LONGEST_S)
        wanted = undisturbed(inputs, scratch / "wanted", scratch / "wanted.log", FILES)
        ground, output = stack.enter_context(ready(scratch, inputs, wanted, bucket=bucket))
        for number in [only] if only else range(1, rounds + 1):
            faults = draw(random.Random(f"{seed}.{number}"), FILES, bucket=bucket)
            shown.append(one_round(ground, output(f"out{number}"), faults))
            shown[-1].faults += repair(ground.cluster, FEWEST_NODES, MOST_NODES)
            tell(number, shown[-1])
    summary(shown)
    bad = sum(bool(done.faults) for done in shown)
    click.echo(f"{len(shown)} rounds, {bad} with faults")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
