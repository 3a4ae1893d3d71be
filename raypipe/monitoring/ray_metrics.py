"""Hands readings to `ray.util.metrics`, from where Ray's agent shows them to Prometheus.

Each process's metrics go to the agent of its node every
``RAY_metrics_report_interval_ms`` (10 s if nobody says otherwise), counters as
what was added since. The agent keeps what counters came to after the process
has ended; `ray.shutdown` sends the rest first. A histogram's sum is rounded by
Ray to the middles of its buckets; the exact sum stands in the counters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from raypipe.monitoring.metrics import BATCH_BOUNDARIES_S, BATCH_SECONDS, METRICS, Metric, Reading


class Sink(Protocol):
    """Somebody who shows metrics to others."""

    def show(self, readings: Iterable[Reading], batches_s: Sequence[float]) -> None:
        """Take what everything stands at, and the seconds of the batches since the last time."""


class RayMetrics:
    """Metrics of this process.

    Parameters
    ----------
    labels : mapping
        Values of `RUN_LABELS`.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._meters = {metric.name: _meter(metric, labels) for metric in METRICS}
        self._counters = {metric.name for metric in METRICS if metric.kind == "counter"}
        self._before: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def show(self, readings: Iterable[Reading], batches_s: Sequence[float]) -> None:
        """See `Sink.show`; a counter is given what it has grown by."""
        for reading in readings:
            meter, labels = self._meters[reading.name], dict(reading.labels)
            if reading.name not in self._counters:
                meter.set(float(reading.value), tags=labels)
                continue
            key = reading.name, reading.labels
            grown = reading.value - self._before.get(key, 0.0)
            if grown > 0:
                meter.inc(float(grown), tags=labels)
                self._before[key] = reading.value
        for batch_s in batches_s:
            self._meters[BATCH_SECONDS.name].observe(batch_s)


def _meter(metric: Metric, labels: Mapping[str, str]) -> Any:
    from ray.util import metrics

    keys = (*labels, *metric.labels)
    meter: Any
    if metric.kind == "histogram":
        meter = metrics.Histogram(
            metric.name, metric.help, boundaries=list(BATCH_BOUNDARIES_S), tag_keys=keys
        )
    else:
        make = metrics.Counter if metric.kind == "counter" else metrics.Gauge
        meter = make(metric.name, metric.help, tag_keys=keys)
    return meter.set_default_tags(dict(labels))
