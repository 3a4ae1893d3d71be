"""``jobs/monitoring/``: the dashboard is made of our metrics, and the set-up is what is meant."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.monitoring.make_dashboard import OUTPUT, dashboard
from raypipe.monitoring.metrics import BATCH_SECONDS, METRICS

FOLDER = Path(__file__).resolve().parents[2] / "jobs" / "monitoring"


def expressions() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def test_the_file_is_what_its_maker_makes() -> None:
    assert json.loads(OUTPUT.read_text("utf-8")) == dashboard()


def test_every_metric_is_in_a_panel_and_no_panel_has_others() -> None:
    named = set(re.findall(r"ray_raypipe_\w+", " ".join(expressions())))
    ours = {metric.exported for metric in METRICS} - {BATCH_SECONDS.exported}
    assert named == ours | {f"{BATCH_SECONDS.exported}_bucket"}


def test_panels_show_the_chosen_run_alone() -> None:
    for expression in expressions():
        for metric in re.findall(r"ray_raypipe_\w+(?:\{[^}]*\})?", expression):
            assert 'run=~"$run"' in metric


def test_panels_lie_side_by_side_in_the_grid() -> None:
    taken: set[tuple[int, int]] = set()
    panels: list[dict[str, Any]] = dashboard()["panels"]
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert all(0 <= x < 24 for x, _ in cells)
        assert not cells & taken
        taken |= cells
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["description"]
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_grafanas_own_models_take_every_field_of_it() -> None:
    """A field that Grafana does not know, or that is of another type there, would be lost."""
    pytest.importorskip("grafana_foundation_sdk", reason="pip install grafana-foundation-sdk")
    from grafana_foundation_sdk.cog import plugins
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()
    ours = dashboard()
    read = Dashboard.from_json(json.loads(json.dumps(ours)))
    assert list(missing(ours, json.loads(JSONEncoder().encode(read)))) == []


def missing(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    """Where something of ours is not in theirs, which may hold more."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            yield from missing(value, theirs.get(name), f"{at}/{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from missing(one, other, f"{at}/{place}")
    elif ours != theirs:
        yield f"{at}: {ours!r} became {theirs!r}"


def test_grafana_is_told_of_prometheus_and_of_the_dashboard() -> None:
    yaml = pytest.importorskip("yaml")
    provisioning = FOLDER / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["type"], source["url"]) == ("prometheus", "http://localhost:9090")
    (provider,) = yaml.safe_load((provisioning / "dashboards/raypipe.yml").read_text())["providers"]
    assert provider["type"] == "file"
    path = provider["options"]["path"].replace("$RAYPIPE_MONITORING", str(FOLDER))
    assert [p.name for p in Path(path).glob("*.json")] == [OUTPUT.name]


def test_prometheus_finds_no_fault_with_its_configuration() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here; Debian has it in the package prometheus")
    command = [promtool, "check", "config", str(FOLDER / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
