"""A real Ray cluster with token authentication, as `ray start` makes it: a head without CPUs and
one worker node, with a home, ports and folders of their own beside any other Ray of the machine."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
START_S = 90.0


@dataclass(frozen=True, slots=True)
class JobCluster:
    """What a person at this cluster knows."""

    url: str
    """Of the dashboard."""
    gcs: str
    """Host and port that `ray.init` takes."""
    home: Path
    """Has ``.ray/auth_token``."""
    token: str = field(repr=False)
    env: dict[str, str] = field(repr=False)
    """A shell with that home, which has set nothing of Ray's."""

    def run(self, *arguments: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        """``raypipe ARGUMENTS`` in that shell, waited for."""
        return subprocess.run(
            self.words(*arguments), env=self.env | env, capture_output=True, text=True, timeout=200,
            cwd=self.home,
        )  # fmt: skip

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """The same, left to run."""
        return subprocess.Popen(
            self.words(*arguments), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=self.home,
        )  # fmt: skip

    @staticmethod
    def words(*arguments: str | Path) -> list[str]:
        """The command line, also where no ``raypipe`` is on the path."""
        command = "from raypipe.cli import main; main()"
        return [sys.executable, "-c", command, *map(str, arguments)]


@contextlib.contextmanager
def job_cluster(cpus: int = 2, auth: str = "token") -> Iterator[JobCluster]:
    """Start it, give it, stop every process of it; `auth` is ``token`` or ``disabled``."""
    folder = Path(tempfile.mkdtemp(prefix="rpjob", dir="/tmp"))  # sockets want short paths
    home = folder / "home"
    (home / ".ray").mkdir(parents=True)
    token = secrets.token_hex(32)
    (home / ".ray" / "auth_token").write_text(token + "\n")
    _write_command(folder / "bin" / "raypipe")
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY")}
    env |= {
        "HOME": str(home),
        "PATH": f"{folder / 'bin'}:{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "127.0.0.1",
    }
    gcs, dashboard = _free_port(), _free_port()
    cluster = JobCluster(f"http://127.0.0.1:{dashboard}", f"127.0.0.1:{gcs}", home, token, env)
    node_env = env | {"RAY_AUTH_MODE": auth}
    nodes: list[subprocess.Popen[bytes]] = []
    log = folder / "log"
    try:
        nodes.append(_node(node_env, folder, log, "--head", f"--port={gcs}", "--num-cpus=0",
                           f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1",
                           f"--ray-client-server-port={_free_port()}"))  # fmt: skip
        _wait_for(dashboard, nodes[0], log)
        nodes.append(
            _node(node_env, folder, log, f"--address=127.0.0.1:{gcs}", f"--num-cpus={cpus}")
        )
        _wait_for_nodes(cluster, auth, 2, nodes, log)
        yield cluster
    finally:
        _stop(nodes, folder)
        shutil.rmtree(folder, ignore_errors=True)


def _write_command(path: Path) -> None:
    """``raypipe`` as an installer would write it."""
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\nfrom raypipe.cli import main\n\nmain()\n")
    path.chmod(0o755)


def _node(env: dict[str, str], folder: Path, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [
        str(BIN / "ray"), "start", "--block", "--node-ip-address=127.0.0.1",
        f"--temp-dir={folder / 'r'}", f"--object-store-memory={200 << 20}",
        "--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats",
        *(f"--{name}-port={_free_port()}" for name in (
            "dashboard-agent-listen", "dashboard-agent-grpc", "runtime-env-agent",
            "metrics-export", "object-manager", "node-manager")),
        *arguments,
    ]  # fmt: skip
    with log.open("ab") as place:
        return subprocess.Popen(
            command, env=env, stdout=place, stderr=place, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait_for(port: int, node: subprocess.Popen[bytes], log: Path) -> None:
    end_s = time.monotonic() + START_S
    while time.monotonic() < end_s and node.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"the cluster did not start:\n{log.read_text()}")


def _wait_for_nodes(
    cluster: JobCluster, auth: str, number: int, nodes: list[subprocess.Popen[bytes]], log: Path
) -> None:
    code = (
        f"import ray; ray.init({cluster.gcs!r}, log_to_driver=False); "
        "print(sum(node['Alive'] for node in ray.nodes()))"
    )
    env = cluster.env | {"RAY_AUTH_MODE": auth}
    end_s = time.monotonic() + START_S
    said = ""
    while time.monotonic() < end_s and all(node.poll() is None for node in nodes):
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=START_S
        )
        said = done.stdout + done.stderr
        if done.stdout.strip() == str(number):
            return
        time.sleep(0.5)
    raise AssertionError(f"the cluster has not {number} nodes:\n{said}\n{log.read_text()}")


def _stop(nodes: list[subprocess.Popen[bytes]], folder: Path) -> None:
    """End the nodes, and every process that names the cluster's folder or descends from them."""
    mine: set[psutil.Process] = set()
    for node in nodes:
        with contextlib.suppress(psutil.NoSuchProcess):
            mine |= set(psutil.Process(node.pid).children(recursive=True))
        node.terminate()
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            mine.add(process)
    for node in nodes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.wait(15)
        node.kill()
        node.wait()
    mine.discard(psutil.Process())
    for process in psutil.wait_procs(list(mine), 3)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
