"""Writes Grafana's dashboard for raypipe, ``dashboards/raypipe.json``, from the table below.

    python jobs/monitoring/make_dashboard.py

Comes in: nothing but the table of panels and the names in `raypipe.monitoring.metrics`. Goes out:
the JSON that Grafana takes (by its import page, or by provisioning, see the README). A test keeps
the two alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raypipe.monitoring.metrics import METRICS

OUTPUT = Path(__file__).parent / "dashboards" / "raypipe.json"

COLUMNS = 24
"""Width of Grafana's grid."""

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

NAMES = {metric.name.removeprefix("raypipe_"): metric.exported for metric in METRICS}
BUCKETS = f"{NAMES['batch_seconds']}_bucket"


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture."""

    title: str
    unit: str
    """Grafana's name of it: s, bytes, short, percentunit, ..."""
    queries: tuple[tuple[str, str], ...]
    """PromQL and the legend of what it gives."""
    about: str
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    stacked: bool = False


def now(name: str, more: str = "") -> str:
    """A metric of the run that was chosen."""
    return f'{NAMES[name]}{{run=~"$run"{more}}}'


def rate(name: str) -> str:
    """What a counter grows by in a second."""
    return f"rate({now(name)}[$__rate_interval])"


def count(name: str, label: str, value: str) -> str:
    """A counter that is not there before it first counts; until then it is zero."""
    chosen = now(name, f', {label}="{value}"')
    return f"sum({chosen}) or vector(0)"


def quantile(share: float) -> str:
    """So many of the batches took at most so long."""
    buckets = f'rate({BUCKETS}{{run=~"$run"}}[$__rate_interval])'
    return f"histogram_quantile({share}, sum by (le) ({buckets}))"


FILLED = f"sum({rate('lane_seconds')}) / sum({rate('longest_lane_seconds')})"

PANELS = (
    Panel("Files", "short", tuple((count("files", "outcome", kind), kind)
          for kind in ("done", "skipped", "failed")),
          "Files by outcome.", "stat", 6, 4),
    Panel("Audio", "s", ((f"sum({now('audio_in_seconds')})", "in"),
                         (f"sum({now('audio_out_seconds')})", "out")),
          "Audio that was read and stepped, and that of the files that are done.", "stat", 6, 4),
    Panel("Speed, x real time", "short", ((f"max({now('x_real_time')})", "x real time"),),
          "Seconds of audio done in a second, since start-up.", "stat", 3, 4),
    Panel("Progress", "percentunit",
          ((f"sum({now('audio_in_seconds')}) / sum({now('audio_expected_seconds')})", "stepped"),),
          "Share of the audio that is expected, as far as files were opened.", "gauge", 3, 4),
    Panel("Retries", "short", ((count("retries", "what", "batch"), "batches"),
                               (count("retries", "what", "file"), "files")),
          "Batches whose worker was lost and files whose collector was lost: they ran again.",
          "stat", 3, 4),
    Panel("Restarts", "short", ((count("restarts", "what", "worker"), "workers"),
                                (count("restarts", "what", "collector"), "collectors"),
                                (f"sum({now('retired_workers')}) or vector(0)", "retired")),
          "Workers and collectors that were lost; workers that were sent away for their memory or "
          "with their CPUs.", "stat", 3, 4),
    Panel("Audio a second", "short", ((f"sum({rate('audio_in_seconds')})", "in"),
                                      (f"sum({rate('audio_out_seconds')})", "out")),
          "Seconds of audio in a second: times real time, now."),
    Panel("Files a second", "short", ((f"sum by (outcome) ({rate('files')})", "{{outcome}}"),),
          "By outcome."),
    Panel("Time by stage", "short", ((f"sum by (stage) ({rate('stage_seconds')})", "{{stage}}"),),
          "How many processes are at read, resample, step, level, encode, write (workers) and "
          "publish (collectors).", stacked=True),
    Panel("Queues", "short", ((f"sum by (queue) ({now('queue_depth')})", "{{queue}}"),),
          "Segments that wait for a worker, batches at workers, writes at collectors."),
    Panel("Open files", "short", ((f"sum({now('open_files')})", "open"),),
          "Files between their first segment and their outcome."),
    Panel("Lane occupancy", "percentunit",
          ((f"{FILLED} / max({now('lanes')})", "now"),
           (f"max({now('lane_occupancy')})", "whole run")),
          "Share of the lanes of each batch that were filled."),
    Panel("Batch seconds", "s", ((quantile(0.5), "half take at most"),
                                 (quantile(0.95), "95 % take at most")),
          "Seconds that workers take for a batch."),
    Panel("Batches a second", "short", ((f"sum({rate('batches')})", "batches"),),
          "Batches that were stepped."),
    Panel("Workers and lanes", "short", ((f"sum({now('workers')})", "workers"),
                                         (f"max({now('lanes')})", "lanes a worker")),
          "Workers that are ready; lanes that a batch should have."),
    Panel("Memory", "bytes", ((now("rss_bytes"), "{{process}}"),),
          "Resident memory of the driver and of each worker.", width=12),
    Panel("Nodes: CPU and memory", "percentunit",
          (("ray_node_cpu_utilization / 100", "CPU {{ip}}"),
           ("ray_node_mem_used / ray_node_mem_total", "memory {{ip}}")),
          "Ray's own, of each node of the cluster.", width=12),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """All of it, as Grafana takes it."""
    panels, x, y = [], 0, 0
    for number, panel in enumerate(PANELS, 1):
        if x + panel.width > COLUMNS:
            x, y = 0, y + PANELS[number - 2].height
        panels.append(_panel(panel, number, x, y))
        x += panel.width
    return {
        "uid": "raypipe",
        "title": "raypipe",
        "tags": ["raypipe", "ray"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "timezone": "browser",
        "templating": {"list": _variables()},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0}
    options: dict[str, Any] = {}
    if panel.unit == "percentunit":
        defaults["max"] = 1
    if panel.kind == "timeseries":
        mode = "normal" if panel.stacked else "none"
        defaults["custom"] = {
            "fillOpacity": 10,
            "showPoints": "never",
            "stacking": {"group": "A", "mode": mode},
        }
        options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}}
    else:
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": DATASOURCE,
                "expr": expression,
                "legendFormat": legend,
                "range": True,
            }
            for place, (expression, legend) in enumerate(panel.queries)
        ],
    }


def _variables() -> list[dict[str, Any]]:
    runs = f"label_values({NAMES['batches']}, run)"
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "run",
            "label": "Run",
            "type": "query",
            "datasource": DATASOURCE,
            "query": {"query": runs, "refId": "runs"},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
        },
    ]


def main() -> None:
    """Write the file."""
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(dashboard(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
