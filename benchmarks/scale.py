"""What one driver can feed: workers that sleep at a fixed speed, on several raylets.

    python -m benchmarks.scale [--speed 100] [--fast 600] [--workers 64] [--json FILE]

First 1, 2, 4 and then many workers at one speed: does every further one bring as much as the first?
Then as many at the speed at which a core really steps DTLN in int8, with short files and with long
ones, whose states pass through the driver. Last 1,000 to 100,000 files through workers that do not
wait at all: what a file costs the driver, whether that grows with their number, and what comes
through at most. All raylets stand on this machine; see `benchmarks.throttled` for what is real and
what is left out. Seven minutes on two quiet cores.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchmarks.peers.processes import alone
from benchmarks.table import machine, say
from benchmarks.throttled import Load, drive, state_of
from raypipe.settings import DEFAULT_LANES

NODE_CPUS = 8
STORE_BYTES = 100 << 20
"""Object store of each simulated node: sound is left out."""
SHORT_S, LONG_S = 10.0, 1800.0
"""Files that end in their first segment, the most costly ones to the driver; and such that carry
their state through it every ten seconds."""
HOUR_S = 3600.0

Run = Mapping[str, float]


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """Address of a cluster on this machine: a head without CPUs, and so many raylets of eight."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    made: Any = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES,
        },
    )  # fmt: skip
    try:
        for _ in range(nodes):
            made.add_node(wait=False, num_cpus=NODE_CPUS, object_store_memory=STORE_BYTES)
        made.wait_for_nodes(120)
        yield made.address
    finally:
        made.shutdown()


def measured(load: Load, state: Mapping[str, Any]) -> Run:
    """What a load gives, in a driver process of its own."""
    found: Run = alone(drive, load, state)
    say(
        f"{load.workers} workers, {load.file_s:g} s files: {found['speed']:.0f} x real time, "
        f"driver {found['cpu_s'] / found['seconds']:.2f} of a core for {found['seconds']:.0f} s, "
        f"{found['files']:.0f} files"
    )
    return found


def scaling(runs: Sequence[tuple[Load, Run]]) -> str:
    """Workers against what so many times the speed of one would be."""
    lines = [
        "| workers | raylets | files | x real time | of linear | of it published | audio hours a "
        "second | driver, of a core | driver's CPU, s an audio hour | driver, MB | worker, MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for load, run in runs:
        published = run["files"] * load.file_s / run["audio_s"]
        linear = load.workers * (load.speed or 0)
        lines.append(
            f"| {load.workers} at {load.speed:g} x | {-(-load.workers // NODE_CPUS)} | "
            f"{load.file_s:g} s | {run['speed']:.0f} | {run['speed'] / linear:.2f} | "
            f"{f'{published:.2f}' if load.file_s < run['seconds'] else ''} | "
            f"{run['speed'] / HOUR_S:.2f} | "
            f"{run['cpu_s'] / run['seconds']:.2f} | "
            f"{run['cpu_s'] / run['audio_s'] * HOUR_S:.3f} | "
            f"{run['rss_bytes'] / 1e6:.0f} | {run['worker_bytes'] / 1e6:.0f} |"
        )
    return "\n".join(lines)


def bookkeeping(runs: Sequence[tuple[Load, Run]]) -> str:
    """Files of a run against what each costs the driver."""
    lines = [
        "| files | files a second | audio hours a second | driver, of a core | driver's CPU, s a "
        "1,000 files | at its start, s | driver, MB |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for load, run in runs:
        lines.append(
            f"| {load.files} of {load.file_s:g} s | {run['files'] / run['seconds']:.0f} | "
            f"{run['audio_s'] / run['seconds'] / HOUR_S:.2f} | "
            f"{run['cpu_s'] / run['seconds']:.2f} | {run['cpu_s'] / run['files'] * 1000:.3f} | "
            f"{run['startup_cpu_s']:.1f} | {run['rss_bytes'] / 1e6:.0f} |"
        )
    return "\n".join(lines)


@click.command()
@click.option("--speed", default=100.0, show_default=True, help="Of a worker, x real time.")
@click.option("--fast", default=600.0, show_default=True, help="Of one that is as fast as can be.")
@click.option("--workers", default=64, show_default=True, help="The most.")
@click.option("--window-s", default=30.0, show_default=True, help="Each measurement's length.")
@click.option("--files", default=100_000, show_default=True, help="The most.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE", help="Write every figure there.")  # fmt: skip
def main(
    speed: float, fast: float, workers: int, window_s: float, files: int, json_path: Path | None
) -> None:
    """Print both tables."""
    begin_s = time.monotonic()
    where = machine()
    click.echo(f"{where['cpu']}, {where['cpus']} CPUs.")
    state = state_of()
    scaled: list[tuple[Load, Run]] = []
    counted: list[tuple[Load, Run]] = []

    def take(kept: list[tuple[Load, Run]], load: Load) -> None:
        kept.append((load, measured(load, state)))

    with cluster(1) as address:
        for count in (1, 2, 4):
            take(scaled, Load(count, speed, SHORT_S, None, window_s, address))
        for size in (files // 100, files // 10, files):
            take(counted, Load(4, None, SHORT_S, size, None, address, on_disk=False))
    with cluster(-(-workers // NODE_CPUS)) as address:
        take(scaled, Load(workers, speed, SHORT_S, None, window_s, address))
        for file_s in (SHORT_S, LONG_S):
            take(scaled, Load(workers, fast, file_s, None, window_s, address, on_disk=False))
    kilobytes = sum(array.nbytes for array in state.values()) / 1e3
    click.echo(f"\n### Workers that sleep\n\n{scaling(scaled)}\n")
    click.echo(
        f"{DEFAULT_LANES} lanes; {window_s:g} s of each run, from its last worker's readiness on; "
        f"a file's state has {kilobytes:.1f} kB. At {fast:g} x, collectors write no files."
    )
    click.echo(f"\n### Workers that do not wait\n\n{bookkeeping(counted)}\n")
    click.echo("Four workers; collectors keep the journal, and write no files.")
    say(f"took {time.monotonic() - begin_s:.0f} s")
    if json_path is not None:
        runs = [{"load": asdict(load), **run} for load, run in scaled + counted]
        facts = {"machine": where, "speed": speed, "runs": runs}
        json_path.write_text(json.dumps(facts, indent=1), "utf-8")


if __name__ == "__main__":
    main()
