"""How ``raypipe top`` draws a run's standing."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from raypipe.cli.words import clock, counted, gigabytes
from raypipe.monitoring.standing import Document
from raypipe.storage import show

MOST_WORKERS = 40
"""Drawn one by one; more would not fit on a screen."""

MOST_PARTS = 3
"""Parts of the work that are named for each worker, the longest first."""

LATE_S = 5.0
"""A run tells every second; from so late on, it is said."""


def page(documents: Sequence[Document]) -> RenderableType:
    """All runs, one under the other."""
    parts: list[RenderableType] = []
    for number, document in enumerate(documents):
        parts += [Text("")] if number else []
        parts += [_head(document), _bar(document), _facts(document), _workers(document)]
    return Group(*parts)


def _head(document: Document) -> Text:
    line = Text(f"run {document['run']}", style="bold")
    line.append(
        f"  {clock(document['elapsed_s'])}  {document['model']} to {show(document['output'])}"
        f"  (process {document['pid']} on {document['host']})",
        style="not bold",
    )
    late_s = time.time() - document["updated_unix_s"]
    if late_s > LATE_S:
        line.append(f"  no news for {clock(late_s)}", style="yellow")
    return line


def _bar(document: Document) -> Table:
    progress = document["progress"]
    total_s, left_s = progress["total_s"], progress["left_s"]
    about = "" if progress["all_listed"] else "at least "
    words = [clock(progress["audio_s"]) + (f" of {about}{clock(total_s)}" if total_s else "")]
    if progress["x_real_time"]:
        words.append(f"{progress['x_real_time']:.0f} x real time")
    if left_s is not None:
        words.append(f"{clock(left_s)} left")
    row = Table.grid(padding=(0, 1))
    row.add_row(
        ProgressBar(total=total_s or 1.0, completed=progress["audio_s"], width=24),
        ", ".join(words),
    )
    return row


def _facts(document: Document) -> Table:
    totals, queues, progress = document["totals"], document["queues"], document["progress"]
    listed = f"{'' if progress['all_listed'] else 'at least '}{counted(progress['listed'], 'file')}"
    lost = counted(totals["worker_restarts"], "worker")
    table = Table.grid(padding=(0, 2))
    for name, words in (
        ("files", f"{totals['done']} done, {totals['skipped']} skipped, {totals['failed']} failed, "
                  f"{document['open_files']} open, of {listed}"),
        ("queues", f"{counted(queues['segments'], 'segment')} for workers, "
                   f"{counted(queues['batches'], 'batch', 'batches')} at workers, "
                   f"{counted(queues['writes'], 'write')} at collectors"),
        ("retries", f"{counted(totals['lost_batches'], 'batch', 'batches')}, "
                    f"{counted(totals['reopened_files'], 'file')} begun again; lost {lost}, "
                    f"{counted(totals['collector_restarts'], 'collector')}"),
        ("lanes", f"{_mean_lanes(totals)} of {document['lanes']} filled"),
        ("time", _shares(totals["busy_s"] | {"publish": totals["publish_s"]}, most=9)),
        ("driver", gigabytes(document["driver_rss_bytes"])),
    ):  # fmt: skip
        table.add_row(name, words)
    return table


def _workers(document: Document) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("worker")
    for name in ("batches", "busy", "lanes", "memory"):
        table.add_column(name, justify="right")
    table.add_column("busy with")
    workers = document["workers"]
    for worker in workers[:MOST_WORKERS]:
        busy_s = sum(worker["busy_s"].values())
        share = f"{min(1.0, busy_s / worker['ready_s']):.0%}" if worker["ready_s"] else "-"
        table.add_row(
            worker["name"], str(worker["batches"]), share, _mean_lanes(worker),
            gigabytes(worker["rss_bytes"]) if worker["rss_bytes"] else "-",
            _shares(worker["busy_s"], most=MOST_PARTS),
        )  # fmt: skip
    if len(workers) > MOST_WORKERS:
        table.add_row(f"and {len(workers) - MOST_WORKERS} more")
    return table


def _mean_lanes(stepped: Mapping[str, Any]) -> str:
    longest_s = stepped["longest_s"]
    return f"{stepped['lane_s'] / longest_s:.1f}" if longest_s else "-"


def _shares(busy_s: Mapping[str, float], most: int) -> str:
    """``step 61 %, resample 20 %``: the largest parts of the time that was spent."""
    total_s = sum(busy_s.values())
    if not total_s:
        return "-"
    largest = sorted(busy_s.items(), key=lambda part: -part[1])[:most]
    return ", ".join(f"{name} {spent_s / total_s:.0%}" for name, spent_s in largest if spent_s)
