"""What is measured of a run: names, kinds, units, labels, and each one's value now.

Comes in: a run's standing (see `standing`). Goes out: `Reading`s. Pure: no
Ray, no clock. Counters are the report's own totals, so the two agree.

Prometheus sees each name with ``ray_`` before it, and ``_total`` behind it
where it is a counter. Labels never hold a file's name: there would be as many
series as files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from raypipe.monitoring.standing import Document

RUN_LABELS = ("run", "model")
"""On every metric: one run never mixes with another."""

BATCH_BOUNDARIES_S = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets of batches; one takes some tenths of a second."""

MOST_WORKERS_SHOWN = 512
"""Workers with a series of their own; beyond, the totals must do."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One thing that is measured."""

    name: str
    """With its unit, without ``ray_`` and ``_total``."""
    kind: str
    """``counter``, ``gauge`` or ``histogram``."""
    help: str
    labels: tuple[str, ...] = ()
    """Besides `RUN_LABELS`."""

    @property
    def exported(self) -> str:
        """Its name in Prometheus."""
        return f"ray_{self.name}" + ("_total" if self.kind == "counter" else "")


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a counter or gauge now."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


BATCH_SECONDS = Metric(
    "raypipe_batch_seconds", "histogram", "Seconds that workers took for a batch"
)

METRICS = (
    Metric("raypipe_audio_in_seconds", "counter",
           "Seconds of audio read and stepped, what was stepped again included"),
    Metric("raypipe_audio_out_seconds", "counter", "Seconds of audio in files that are done"),
    Metric("raypipe_files", "counter", "Files by outcome: done, skipped, failed", ("outcome",)),
    Metric("raypipe_batches", "counter", "Batches that were stepped"),
    Metric("raypipe_stage_seconds", "counter",
           "Seconds of all processes by part of the work: read, resample, step, level, encode, "
           "write (workers), publish (collectors)", ("stage",)),
    Metric("raypipe_lane_seconds", "counter", "Seconds of sound stepped, all lanes"),
    Metric("raypipe_longest_lane_seconds", "counter",
           "Seconds of the longest lane of each batch, all batches"),
    Metric("raypipe_retries", "counter",
           "What ran again: a batch whose worker was lost, a file whose collector was lost",
           ("what",)),
    Metric("raypipe_restarts", "counter", "Workers and collectors that were lost", ("what",)),
    Metric("raypipe_retired_workers", "counter",
           "Workers sent away: for their memory, or as their CPUs left the cluster"),
    Metric("raypipe_x_real_time", "gauge", "Seconds of audio done a second, since start-up"),
    Metric("raypipe_audio_expected_seconds", "gauge",
           "Estimate of all audio of the run, from the files opened so far"),
    Metric("raypipe_open_files", "gauge", "Files between their first segment and their outcome"),
    Metric("raypipe_queue_depth", "gauge",
           "What waits: segments for a worker, batches at workers, writes at collectors",
           ("queue",)),
    Metric("raypipe_workers", "gauge", "Workers that are ready"),
    Metric("raypipe_lanes", "gauge", "Lanes that a batch should have"),
    Metric("raypipe_lane_occupancy", "gauge", "Share of the lanes that were filled, 0 to 1"),
    Metric("raypipe_rss_bytes", "gauge", "Resident memory of the driver and of each worker",
           ("process",)),
    BATCH_SECONDS,
)  # fmt: skip


def readings(document: Document) -> Iterator[Reading]:
    """The value of every counter and gauge, as a run's standing gives it."""
    totals, progress = document["totals"], document["progress"]
    yield Reading("raypipe_audio_in_seconds", totals["audio_in_s"])
    yield Reading("raypipe_audio_out_seconds", totals["audio_s"])
    for outcome in ("done", "skipped", "failed"):
        yield Reading("raypipe_files", totals[outcome], (("outcome", outcome),))
    yield Reading("raypipe_batches", totals["batches"])
    for stage, spent_s in (totals["busy_s"] | {"publish": totals["publish_s"]}).items():
        yield Reading("raypipe_stage_seconds", spent_s, (("stage", stage),))
    yield Reading("raypipe_lane_seconds", totals["lane_s"])
    yield Reading("raypipe_longest_lane_seconds", totals["longest_s"])
    yield Reading("raypipe_retries", totals["lost_batches"], (("what", "batch"),))
    yield Reading("raypipe_retries", totals["reopened_files"], (("what", "file"),))
    yield Reading("raypipe_restarts", totals["worker_restarts"], (("what", "worker"),))
    yield Reading("raypipe_restarts", totals["collector_restarts"], (("what", "collector"),))
    yield Reading("raypipe_retired_workers", totals["retired_workers"])
    yield Reading("raypipe_x_real_time", totals["x_real_time"])
    if progress["total_s"] is not None:
        yield Reading("raypipe_audio_expected_seconds", progress["total_s"])
    yield Reading("raypipe_open_files", document["open_files"])
    for queue, depth in document["queues"].items():
        yield Reading("raypipe_queue_depth", depth, (("queue", queue),))
    yield Reading("raypipe_workers", len(document["workers"]))
    yield Reading("raypipe_lanes", document["lanes"])
    yield Reading("raypipe_lane_occupancy", occupancy(totals, document["lanes"]))
    yield Reading("raypipe_rss_bytes", document["driver_rss_bytes"], (("process", "driver"),))
    for worker in document["workers"][:MOST_WORKERS_SHOWN]:
        if worker["rss_bytes"]:
            yield Reading("raypipe_rss_bytes", worker["rss_bytes"], (("process", worker["name"]),))


def occupancy(stepped: dict[str, Any], lanes: int) -> float:
    """Share of the lanes that were filled, from seconds of all and of the longest lanes."""
    longest_s = stepped["longest_s"]
    return float(stepped["lane_s"] / longest_s / lanes) if longest_s and lanes else 0.0
