"""A Ray cluster of several nodes on this machine, each a process group that can be killed whole.

The head has no CPU and runs the driver; the other nodes have one each, addresses of their own
(127.0.0.2 ...), and, where a test wants it, a file system of their own in which folders are hidden.
Tokens are on. The driver under test is the real command, in a process of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
STORE_BYTES = 100 << 20
START_S = 150.0
"""Longest wait for anything; starting a node takes 5 s of a free core."""
AGENT_PORTS = (
    "dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port",
    "runtime-env-agent-port",
)  # fmt: skip
"""A raylet that is not told these waits for its agents to choose them, and dies after 15 s."""

COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()")


@dataclass
class Node:
    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def started(self) -> None:
        """Wait until it has joined."""
        until(lambda: "Ray runtime started" in self.log.read_text() or self._ended())
        assert not self._ended(), self.log.read_text()

    def _ended(self) -> bool:
        return self.process.poll() is not None

    def kill(self) -> None:
        """All its processes at once, as where a machine loses its power."""
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            for process in [*parent.children(recursive=True), parent]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGKILL)
        self.process.wait()

    def processes(self, word: str) -> list[psutil.Process]:
        """Its actors' processes, by a word of their title."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if word in " ".join(process.cmdline()):
                    found.append(process)
        return found


@dataclass
class Cluster:
    folder: Path
    """Short: sockets lie in it."""
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.env = os.environ | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": str(self.folder),
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(self.cache("driver")),
            "RAY_raylet_start_wait_time_s": f"{START_S:g}",
            "RAY_agent_register_timeout_ms": f"{1000 * START_S:g}",
            # A dead node should be missed in seconds, not half a minute.
            "RAY_health_check_initial_delay_ms": "1000",
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "3",
        }
        self.env.pop("RAY_ADDRESS", None)
        (self.port,) = free_ports(1)
        self.head = self._start(
            f"--head --num-cpus=0 --port={self.port} --include-dashboard=false "
            f"--temp-dir={self.folder}/ray", "127.0.0.1",
        )  # fmt: skip
        try:
            self.head.started()
        except BaseException:
            self.head.kill()
            raise

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self, cpus: int = 1, hidden: Sequence[Path] = (), **env: str) -> Node:
        """Let a node join, which takes seconds; `hidden` folders are empty on it."""
        address = f"127.0.0.{len(self.nodes) + 2}"
        env = {"XDG_CACHE_HOME": str(self.cache(address))} | env
        node = self._start(
            f"--address={self.address} --num-cpus={cpus}", address, hidden=hidden, env=env
        )
        self.nodes.append(node)
        return node

    def cache(self, address: str) -> Path:
        """A node's own folder for caches."""
        return self.folder / f"cache-{address}"

    def _start(
        self, how: str, address: str, hidden: Sequence[Path] = (), env: dict[str, str] | None = None
    ) -> Node:
        ports = free_ports(len(AGENT_PORTS))
        ray = Path(sys.executable).with_name("ray")
        line = (
            f"{shlex.quote(str(ray))} start {how} --node-ip-address={address} --block "
            f"--object-store-memory={STORE_BYTES} --disable-usage-stats "
            + " ".join(f"--{name}={port}" for name, port in zip(AGENT_PORTS, ports, strict=True))
        )
        command = ["sh", "-c", f"exec {line}"]
        if hidden:
            hide = "".join(f"mount -t tmpfs none {shlex.quote(str(path))} && " for path in hidden)
            command = ["unshare", "-m", "sh", "-c", f"{hide}exec {line}"]
        log = self.folder / f"{address}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                env=self.env | (env or {}),
                cwd=self.folder,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return Node(address, process, log)

    def close(self) -> None:
        for node in [*self.nodes, self.head]:
            node.kill()

    def run(self, *arguments: str | Path, command: str = "enhance", **env: str) -> Run:
        """Begin a run on this cluster."""
        words = [*COMMAND, command, *map(str, arguments), "--address", self.address]
        return Run(
            subprocess.Popen(
                words,
                env=self.env | env,
                cwd=self.folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        )


@dataclass
class Run:
    process: subprocess.Popen[bytes]

    def end(self, timeout_s: float = START_S) -> tuple[int, str]:
        """Exit code and what it said."""
        try:
            _, errors = self.process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, errors = self.process.communicate()
            raise AssertionError(f"did not end in {timeout_s} s: {errors.decode()}") from None
        return self.process.returncode, errors.decode()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def report(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / ".raypipe/report.json").read_text()))


def until(what: Callable[[], object], timeout_s: float = START_S) -> None:
    end_s = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end_s, "it did not come to that"
        time.sleep(0.05)


@contextlib.contextmanager
def cluster(folder: Path, nodes: int) -> Iterator[Cluster]:
    """A cluster with so many nodes of one CPU each."""
    one = Cluster(folder)
    try:
        for _ in range(nodes):
            one.add().started()
        yield one
    finally:
        one.close()
