"""A Ray with metrics on, and the real Prometheus that scrapes it, for the length of some tests."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "jobs" / "monitoring" / "prometheus.yml"
RAYPIPE = (sys.executable, "-c", "from raypipe.cli import main; main()")
START_S = 90.0


def environment(interval_ms: int = 1000) -> dict[str, str]:
    """No tokens; Ray's processes hand their metrics on so often."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYPIPE_"))}
    return inherited | {
        "RAY_AUTH_MODE": "disabled",
        "RAY_metrics_report_interval_ms": str(interval_ms),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),
    }


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for(what: Callable[[], Any], timeout_s: float, why: str) -> Any:
    """What it gives, once that is something."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        if found := what():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s:g} s: {why}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A head node of its own."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    interval_ms: int

    def start_run(self, source: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*RAYPIPE, "enhance", str(source), str(out), "--address", self.address, "-j", "2",
             "--model", "benchmark", "--quiet", *more],
            env=environment(self.interval_ms), stderr=subprocess.PIPE,
        )  # fmt: skip

    def workers(self) -> list[psutil.Process]:
        """Processes of raypipe's workers."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                title = " ".join(process.cmdline())
                if title.startswith("ray::") and ("WorkerActor" in title or "pe-worker" in title):
                    found.append(process)
        return found


@contextlib.contextmanager
def cluster(interval_ms: int = 1000) -> Iterator[Cluster]:
    """A Ray as ``ray start --head`` gives it, in a folder and on ports of its own."""
    folder = Path(tempfile.mkdtemp(prefix="rpm", dir="/tmp"))  # sockets' paths must be short
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus=2",
        f"--temp-dir={folder}", "--node-ip-address=127.0.0.1", f"--port={port}",
        f"--dashboard-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}",
        f"--ray-client-server-port={free_port()}", "--object-store-memory=200000000",
    ]  # fmt: skip
    ports = {f"{name}_METRIC_PORT": str(free_port()) for name in ("AUTOSCALER", "DASHBOARD")}
    with open(folder / "start.log", "wb") as log:
        process = subprocess.Popen(
            command,
            env=environment(interval_ms) | ports,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    discovery = folder / "prom_metrics_service_discovery.json"
    try:
        wait_for(lambda: discovery.exists() or process.poll() is not None, START_S, "a Ray")
        assert process.poll() is None, (folder / "start.log").read_text("utf-8")[-2000:]
        yield Cluster(f"127.0.0.1:{port}", folder, process, interval_ms)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait(15)
        for one in _left_in(folder):
            with contextlib.suppress(psutil.Error):
                one.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _left_in(folder: Path) -> list[psutil.Process]:
    """Ray's processes whose folder this is: their command lines name it."""
    every = psutil.process_iter(["cmdline"])
    return [one for one in every if str(folder) in " ".join(one.info["cmdline"] or ())]


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The real one."""

    url: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """What it is now: labels and values."""
        return self._get("query", query=expression)

    def ask_range(self, expression: str, begin_s: float, end_s: float) -> list[dict[str, Any]]:
        """What it was all the while, second by second."""
        return self._get("query_range", query=expression, start=begin_s, end=end_s, step=1)

    def number(self, expression: str) -> float | None:
        """The one value that there is, or None."""
        found = self.ask(expression)
        assert len(found) <= 1, f"{expression} gives {len(found)} values"
        return float(found[0]["value"][1]) if found else None

    def _get(self, what: str, **parameters: object) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{what}?{query}", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready"):
            return True
        return False


@contextlib.contextmanager
def prometheus(watched: Cluster) -> Iterator[Prometheus]:
    """Prometheus with our configuration, but for the folder of this Ray and a shorter interval."""
    text = CONFIG.read_text("utf-8")
    assert "/tmp/ray/" in text and "_interval: 10s" in text
    text = text.replace("/tmp/ray/", f"{watched.folder}/").replace(
        "_interval: 10s", "_interval: 1s"
    )
    config = watched.folder / "prometheus.yml"
    config.write_text(text)
    port = free_port()
    with open(watched.folder / "prometheus.log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
             f"--storage.tsdb.path={watched.folder / 'tsdb'}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    found = Prometheus(f"http://127.0.0.1:{port}")
    try:
        wait_for(found.ready, START_S, "Prometheus")
        yield found
    finally:
        process.terminate()
        process.wait(30)
