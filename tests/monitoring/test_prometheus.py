"""The real Prometheus scrapes a run in which a worker is killed: it and the report say the same."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

pytest.importorskip("ray")
pytest.importorskip("psutil")

from jobs.monitoring.make_dashboard import OUTPUT
from raypipe.monitoring.metrics import BATCH_SECONDS, METRICS
from tests.monitoring.cluster import RAYPIPE as COMMAND
from tests.monitoring.cluster import (
    Cluster,
    Prometheus,
    cluster,
    environment,
    prometheus,
    wait_for,
)
from tests.monitoring.test_metrics import SHOWN

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None,
        reason="no prometheus on the PATH; Debian has it in the package prometheus",
    ),
]

EXPORTED = {metric.name: metric.exported for metric in METRICS}
LABELS = {metric.name: metric.labels for metric in METRICS}

FILES, FILE_S = 80, 60
"""Some ten seconds of work for two workers, so that a few intervals lie within the run."""


@pytest.fixture(scope="module")
def watched() -> Iterator[tuple[Cluster, Prometheus]]:
    with cluster() as ours, prometheus(ours) as theirs:
        yield ours, theirs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prometheus") / "in"
    folder.mkdir()
    chance = np.random.default_rng(7)
    for number in range(FILES):
        frames = round(16_000 * FILE_S * chance.uniform(0.5, 1.0))
        sf.write(folder / f"{number}.wav", 0.1 * chance.standard_normal(frames), 16_000)
    (folder / "broken.wav").write_bytes(b"no audio at all")
    return folder


def report_in(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / ".raypipe" / "report.json").read_text("utf-8"))
    return found


def of_run(key: tuple[str, ...], run: str) -> str:
    """PromQL for one value of a run."""
    name, *values = key
    labels = dict(zip(LABELS[name], values, strict=True)) | {"run": run}
    chosen = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    return f"sum({EXPORTED[name]}{{{chosen}}})"


def differences(theirs: Prometheus, report: dict[str, Any]) -> list[str]:
    """Where Prometheus and the report do not say the same, up to the last bits of a sum."""
    run, totals = report["place"]["run"], report["totals"]
    wanted = {key: totals[name] for name, keys in SHOWN.items() for key in keys}
    wanted |= {("raypipe_stage_seconds", n): spent_s for n, spent_s in totals["busy_s"].items()}
    del wanted["raypipe_x_real_time",]  # a gauge: gone soon after the run
    wrong = []
    for key, value in wanted.items():
        found = theirs.number(of_run(key, run)) or 0.0
        if not math.isclose(found, value, rel_tol=1e-12):
            wrong.append(f"{key}: {found!r} there, {value!r} in the report")
    batches = theirs.number(f'sum({EXPORTED[BATCH_SECONDS.name]}_count{{run="{run}"}})')
    if batches != totals["batches"]:
        wrong.append(f"{batches} batches in the histogram, {totals['batches']} in the report")
    return wrong


def agrees_soon(theirs: Prometheus, report: dict[str, Any]) -> None:
    """Scraped once more after the run; no export of Ray's is waited for, as none will come."""
    end_s = time.monotonic() + 10
    while (wrong := differences(theirs, report)) and time.monotonic() < end_s:
        time.sleep(0.5)
    assert not wrong


@pytest.fixture(scope="module")
def killed(
    watched: tuple[Cluster, Prometheus], inputs: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], float, float]:
    """The report of a run that lost a worker in the middle, and when it began and ended."""
    ours, theirs = watched
    out = tmp_path_factory.mktemp("prometheus") / "out"
    begin_s = time.time()
    run = ours.start_run(inputs, out, "--lanes", "1", "--segment", "5")
    done = f"sum({EXPORTED['raypipe_files']})"
    wait_for(lambda: (theirs.number(done) or 0) > 5, 60, "a run's first files in Prometheus")
    assert run.poll() is None, "the run is over before anybody could be killed"
    victim = ours.workers()[0]
    victim.send_signal(signal.SIGKILL)
    top = subprocess.run(
        [*COMMAND, "top", "--address", ours.address, "--json"],
        env=environment(), capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(top.stdout)["totals"]["done"] > 0
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 1, errors.decode()  # of the file that is none
    return report_in(out), begin_s, time.time()


def test_prometheus_and_the_report_agree_though_a_worker_was_killed(
    watched: tuple[Cluster, Prometheus], killed: tuple[dict[str, Any], float, float]
) -> None:
    report, _, _ = killed
    totals = report["totals"]
    assert totals["worker_restarts"] == 1
    assert totals["lost_batches"] >= 1
    assert (totals["done"], totals["failed"]) == (FILES, 1)
    agrees_soon(watched[1], report)


def test_every_panels_queries_return_data(
    watched: tuple[Cluster, Prometheus], killed: tuple[dict[str, Any], float, float]
) -> None:
    _, theirs = watched
    report, begin_s, end_s = killed
    empty = []
    for panel in json.loads(OUTPUT.read_text("utf-8"))["panels"]:
        for target in panel["targets"]:
            expression = target["expr"].replace("$run", report["place"]["run"])
            expression = expression.replace("$__rate_interval", "5s")
            series = theirs.ask_range(expression, begin_s, end_s)
            values = [float(value) for one in series for _, value in one["values"]]
            if not any(math.isfinite(value) for value in values):
                empty.append(f"{panel['title']}: {expression}")
    assert not empty


def test_what_the_panels_of_counts_show_is_what_the_report_says(
    watched: tuple[Cluster, Prometheus], killed: tuple[dict[str, Any], float, float]
) -> None:
    """They show zero where a counter has not counted yet, so that data alone proves little."""
    _, theirs = watched
    report, _, _ = killed
    totals = report["totals"]
    panels = {p["title"]: p["targets"] for p in json.loads(OUTPUT.read_text("utf-8"))["panels"]}
    for title, wanted in {
        "Files": {"done": FILES, "skipped": 0, "failed": 1},
        "Retries": {"batches": totals["lost_batches"], "files": totals["reopened_files"]},
        "Restarts": {"workers": 1, "collectors": totals["collector_restarts"], "retired": 0},
    }.items():
        found = {
            target["legendFormat"]: theirs.number(
                target["expr"].replace("$run", report["place"]["run"])
            )
            for target in panels[title]
        }
        assert found == wanted


@pytest.fixture
def few(inputs: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        shutil.copy(inputs / f"{number}.wav", folder)
    return folder


@pytest.mark.cluster
def test_a_second_run_counts_for_itself(
    watched: tuple[Cluster, Prometheus],
    killed: tuple[dict[str, Any], float, float],
    few: Path,
    tmp_path: Path,
) -> None:
    ours, theirs = watched
    for round_ in range(2):
        run = ours.start_run(few, tmp_path / f"out{round_}")
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors.decode()
        agrees_soon(theirs, report_in(tmp_path / f"out{round_}"))
    agrees_soon(theirs, killed[0])


@pytest.mark.cluster
def test_a_run_that_is_interrupted_has_told_what_its_report_says(
    watched: tuple[Cluster, Prometheus], inputs: Path, tmp_path: Path
) -> None:
    ours, theirs = watched
    out = tmp_path / "out"
    run = ours.start_run(inputs, out, "--lanes", "1", "--segment", "5")
    wait_for(lambda: len(list(out.glob("*.wav"))) > 2, 60, "a run's first files")
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 130, errors.decode()
    report = report_in(out)
    assert report["interrupted"] == "interrupted"
    assert 2 < report["totals"]["done"] < FILES
    agrees_soon(theirs, report)


@pytest.mark.cluster
def test_a_run_that_is_over_before_ray_would_have_told_anything_loses_nothing(
    few: Path, tmp_path: Path
) -> None:
    """The interval is ten minutes: what Prometheus has was sent when the driver let go of Ray."""
    with cluster(interval_ms=600_000) as ours, prometheus(ours) as theirs:
        run = ours.start_run(few, tmp_path / "out")
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors.decode()
        agrees_soon(theirs, report_in(tmp_path / "out"))
