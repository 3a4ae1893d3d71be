"""What being watched costs the driver: each batch, each turn of its loop, and once a second.

    python -m benchmarks.monitoring

A monitor with its files, with and without Ray's metrics (on a local Ray without a dashboard), of
runs with two and with 256 workers; the best of five rounds, in microseconds.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable

import click
import ray

from raypipe.monitoring.boards import FileBoard, status_path
from raypipe.monitoring.monitor import Monitor
from raypipe.monitoring.ray_metrics import RayMetrics, Sink
from raypipe.monitoring.standing import About, Queues
from raypipe.results.report import Totals
from raypipe.telemetry import Progress
from raypipe.types import BatchResult

PARTS = ("read", "resample", "step", "level", "encode", "write")
RESULT = BatchResult(1, (), dict.fromkeys(PARTS, 0.1), 16.0, 4.0, 200_000_000)
ROUNDS = 5


def best_us(work: Callable[[], object], times: int) -> float:
    """Shortest time of one call, mean over so many."""
    found = []
    for _ in range(ROUNDS):
        begin_s = time.perf_counter()
        for _ in range(times):
            work()
        found.append((time.perf_counter() - begin_s) / times)
    return 1e6 * min(found)


def costs_us(workers: int, sink: Sink | None) -> tuple[float, float, float]:
    """Of a batch, of a look for which it is not time yet, and of one for which it is."""
    totals = Totals(busy_s=dict.fromkeys(PARTS, 0.1))
    with tempfile.TemporaryDirectory() as folder:
        about = About("benchmark", "benchmark", folder, 70)
        monitor = Monitor(about, totals, 0.0, [FileBoard(status_path(folder))], sink)
        with monitor:
            for number in range(workers):
                monitor.ready(f"worker-{number}")
                monitor.stepped(f"worker-{number}", RESULT)
            batch_us = best_us(lambda: monitor.stepped("worker-0", RESULT), 5000)

            def second() -> None:
                """Everything has grown since the last one."""
                monitor._next_s = 0.0
                totals.busy_s = {part: spent_s + 0.1 for part, spent_s in totals.busy_s.items()}
                totals.done += 1
                totals.batches += 1
                for name in ("audio_in_s", "audio_s", "lane_s", "longest_s", "publish_s"):
                    setattr(totals, name, getattr(totals, name) + 1.0)
                monitor._batches_s = [0.5, 0.5]
                monitor.look(Progress(), Queues)

            second_us = best_us(second, 50)
            monitor._next_s = float("inf")
            look_us = best_us(lambda: monitor.look(Progress(), Queues), 20_000)
    return batch_us, look_us, second_us


@click.command()
def main() -> None:
    """Print a line for each kind of run."""
    click.echo("metrics  workers  us a batch  us a turn  us a second")

    def line(name: str, workers: int, sink: Sink | None) -> None:
        batch_us, look_us, second_us = costs_us(workers, sink)
        click.echo(f"{name:7}  {workers:7}  {batch_us:10.1f}  {look_us:9.1f}  {second_us:11.0f}")

    for workers in (2, 256):
        line("none", workers, None)
    ray.init(
        address="local", num_cpus=1, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    for workers in (2, 256):
        line("Ray's", workers, RayMetrics({"run": f"{workers}", "model": "benchmark"}))
    ray.shutdown()


if __name__ == "__main__":
    main()
