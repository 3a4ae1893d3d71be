"""Each metric has a value, and each counter's is the report's."""

from __future__ import annotations

from dataclasses import fields

import pytest

from raypipe.monitoring.metrics import BATCH_SECONDS, METRICS, occupancy, readings
from raypipe.results.report import Totals
from tests.monitoring.made import TOTALS, document

BY_NAME = {metric.name: metric for metric in METRICS}

SHOWN = {
    "audio_in_s": [("raypipe_audio_in_seconds",)],
    "audio_s": [("raypipe_audio_out_seconds",)],
    "done": [("raypipe_files", "done")],
    "skipped": [("raypipe_files", "skipped")],
    "failed": [("raypipe_files", "failed")],
    "batches": [("raypipe_batches",)],
    "publish_s": [("raypipe_stage_seconds", "publish")],
    "lane_s": [("raypipe_lane_seconds",)],
    "longest_s": [("raypipe_longest_lane_seconds",)],
    "lost_batches": [("raypipe_retries", "batch")],
    "reopened_files": [("raypipe_retries", "file")],
    "worker_restarts": [("raypipe_restarts", "worker")],
    "collector_restarts": [("raypipe_restarts", "collector")],
    "retired_workers": [("raypipe_retired_workers",)],
    "x_real_time": [("raypipe_x_real_time",)],
}
"""The metric that shows each of the report's totals."""

NOT_SHOWN = {"files", "wall_s", "startup_s", "clipped_files", "clipped_samples", "busy_s"}
"""The first is the sum of three, the last stands under `raypipe_stage_seconds`, by part."""


def values() -> dict[tuple[str, ...], float]:
    found = [
        ((one.name, *(value for _, value in one.labels)), one.value) for one in readings(document())
    ]
    assert len(dict(found)) == len(found), "no metric is read twice"
    return dict(found)


def test_every_metric_is_read_with_its_own_labels() -> None:
    found = list(readings(document()))
    assert {one.name for one in found} | {BATCH_SECONDS.name} == set(BY_NAME)
    for one in found:
        assert tuple(name for name, _ in one.labels) == BY_NAME[one.name].labels


@pytest.mark.parametrize("name", [f.name for f in fields(Totals)])
def test_a_total_of_the_report_is_a_metric_or_is_left_out_on_purpose(name: str) -> None:
    if name in NOT_SHOWN:
        assert name not in SHOWN
        return
    (key,) = SHOWN[name]
    assert values()[key] == getattr(TOTALS, name)


def test_the_stages_are_the_reports() -> None:
    found = {key[1]: value for key, value in values().items() if key[0] == "raypipe_stage_seconds"}
    assert found == TOTALS.busy_s | {"publish": TOTALS.publish_s}


def test_queues_memory_and_occupancy() -> None:
    found = values()
    assert found["raypipe_queue_depth", "segments"] == 3
    assert found["raypipe_queue_depth", "batches"] == 2
    assert found["raypipe_queue_depth", "writes"] == 1
    assert found["raypipe_open_files",] == 4
    assert found["raypipe_workers",] == 2
    assert found["raypipe_lane_occupancy",] == 80.0 / 20.0 / 8
    assert found["raypipe_rss_bytes", "worker-1"] == 210_000_000
    assert ("raypipe_rss_bytes", "worker-2") not in found, "it has not told yet"
    assert found["raypipe_rss_bytes", "driver"] > 0


def test_nothing_stepped_fills_no_lane() -> None:
    assert occupancy({"lane_s": 0.0, "longest_s": 0.0}, 8) == 0.0


def test_names_are_as_prometheus_wants_them() -> None:
    for metric in METRICS:
        assert metric.name.startswith("raypipe_")
        assert not metric.name.endswith("_total"), "Prometheus' client adds it"
        assert metric.help
        assert not {"path", "file", "name"} & set(metric.labels), "as many series as files"
    assert BY_NAME["raypipe_files"].exported == "ray_raypipe_files_total"
    assert BY_NAME["raypipe_open_files"].exported == "ray_raypipe_open_files"
