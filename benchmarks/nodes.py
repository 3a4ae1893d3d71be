"""A Ray cluster of several nodes on one machine, each in a network namespace of its own.

Comes in: how many nodes. Goes out: a `Cluster` whose nodes have addresses of their own on a
bridge, can be killed, cut off the network, healed and joined. They share the disk, as nodes with a
network drive do, and nothing else: sockets, sessions and object stores lie apart. Token
authentication is on. What is made here bears the maker's process id in its name and is removed by
it; what a killed maker left behind, the next one removes.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from benchmarks.namespaces import Namespace, ip, remove_leftovers, send

FOLDERS = Path("/tmp")
"""A short path: that of a Unix socket must stay under 108 bytes."""
GATEWAY = 254
"""Last part of the address under which nodes find servers of the maker's own. All addresses are of
198.18.0.0/15, which is set aside for benchmarks and routed nowhere (RFC 2544)."""
BRIDGE_MAC = "02:00:00:00:00:fe"
"""Locally administered."""
PORT = 6379
STORE_BYTES = 200_000_000
START_S = 60.0

NOTICED_S = 6.0
"""A node without a network counts as dead for Ray after about so long, with `TIMINGS`."""

TIMINGS = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""Ray looks at its nodes more often than by default, where a cut is noticed after half a minute."""

_numbers = itertools.count(1)


@dataclass
class Node(Namespace):
    """One node: a namespace, a folder, and the Ray that runs there."""

    folder: Path
    cpus: int
    environment: Mapping[str, str]
    head: str | None = None
    """Address and port of the cluster that it joins; None: it is the head."""
    dashboard: bool = False

    def run(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command on this node, with the cluster's environment."""
        return subprocess.Popen(
            self.command(*words), env=dict(self.environment), text=True, **options
        )

    def start(self) -> None:
        """Start Ray here.

        Raises
        ------
        RuntimeError
            With what ``ray start`` said, if it did not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        words = [
            sys.executable, "-m", "ray.scripts.scripts", "start",
            f"--node-ip-address={self.address}", f"--num-cpus={self.cpus}",
            f"--object-store-memory={STORE_BYTES}", f"--temp-dir={self.folder}",
            "--disable-usage-stats", "--include-log-monitor=false",
        ]  # fmt: skip
        if self.head is None:
            words += [
                "--head",
                f"--port={PORT}",
                f"--include-dashboard={self.dashboard}",
            ]
            words += [f"--dashboard-host={self.address}"]
        else:
            words += [f"--address={self.head}"]
        # Ray's own processes keep what they are given as output: a pipe would never end.
        with (self.folder / "start.log").open("a+") as log:
            code = self.run(*words, stdout=log, stderr=log, stdin=subprocess.DEVNULL).wait(START_S)
            if code:
                log.seek(0)
                raise RuntimeError(f"ray start on {self.address} ended with {code}: {log.read()}")

    def actors(self, kind: str = "") -> list[psutil.Process]:
        """The processes of raypipe's actors here; `kind`: ``worker`` or ``collector``."""
        kinds = [kind] if kind else ["worker", "collector"]
        words = [word for k in kinds for word in (f"{k.title()}Actor", f"raypipe-{k}")]
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                title = " ".join(process.cmdline())
                if title.startswith("ray::") and any(word in title for word in words):
                    found.append(process)
        return found

    def raylets(self) -> list[psutil.Process]:
        """Ray's own process here, if it lives."""
        return [process for process in self.processes() if _name(process) == "raylet"]

    @property
    def healthy(self) -> bool:
        """True where it is on the network and has its raylet."""
        return self.online and bool(self.raylets())

    def kill_raylet(self) -> None:
        """SIGKILL for Ray's own process here; its children end by themselves."""
        for process in self.raylets():
            send(process, signal.SIGKILL)

    def unplug(self) -> None:
        """Remove the namespace with all that runs in it, and the folder."""
        super().unplug()
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster:
    """A head without CPUs and some worker nodes; a context manager.

    Parameters
    ----------
    workers : int
        Worker nodes at the start.
    cpus : int
        Of each worker node.
    environment : mapping, optional
        What the nodes and the commands on them find in their environment, besides ours.
    dashboard : bool
        True where jobs are to be submitted.

    Attributes
    ----------
    head : Node
        The driver's place, with 0 CPUs.
    workers : list of Node
        Those that were started and not yet removed, dead ones too.
    """

    def __init__(
        self,
        workers: int = 2,
        cpus: int = 1,
        environment: Mapping[str, str] | None = None,
        *,
        dashboard: bool = False,
    ) -> None:
        number = next(_numbers)
        self._name = f"rp{os.getpid()}c{number}"
        self._folder = FOLDERS / self._name
        self._net = f"198.{18 + number % 2}.{os.getpid() % 250}"
        self._first, self._cpus, self._dashboard = workers, cpus, dashboard
        self._made = 0
        self.environment = _environment(self._folder, environment or {})
        self.workers: list[Node] = []
        self.head: Node = self._node(0, None)

    @property
    def address(self) -> str:
        """Of the cluster, as ``--address`` takes it."""
        return f"{self.head.address}:{PORT}"

    @property
    def gateway(self) -> str:
        """Address of the maker's own machine, as the nodes see it."""
        return f"{self._net}.{GATEWAY}"

    @property
    def token(self) -> str:
        """The secret that every request to the cluster must bear."""
        return (self._folder / "token").read_text()

    def __enter__(self) -> Cluster:
        remove_leftovers(FOLDERS)
        try:
            self._folder.mkdir(mode=0o700)
            _write_secret(self._folder / "token", secrets.token_hex(16))
            # An address of its own: else it changes as nodes come and go, and the others go on
            # sending to the old one for half a minute.
            ip("link", "add", f"{self._name}b", "address", BRIDGE_MAC, "type", "bridge")
            ip("addr", "add", f"{self.gateway}/24", "dev", f"{self._name}b")
            ip("link", "set", f"{self._name}b", "up")
            self.head.plug_in()
            self.head.start()
            for _ in range(self._first):
                self.join()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End and remove everything that was made here."""
        for node in (*self.workers, self.head):
            node.unplug()
        self.workers = []
        subprocess.run(["ip", "link", "del", f"{self._name}b"], capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _node(self, cpus: int, head: str | None) -> Node:
        self._made += 1
        name = f"{self._name}n{self._made}"
        return Node(
            name, f"{self._net}.{self._made}", f"{self._name}b", self._folder / f"n{self._made}",
            cpus, self.environment, head, self._dashboard,
        )  # fmt: skip

    def join(self) -> Node:
        """Start one more worker node, with a new address."""
        node = self._node(self._cpus, self.address)
        self.workers.append(node)
        node.plug_in()
        node.start()
        return node

    def remove(self, node: Node) -> None:
        """End a worker node and all traces of it."""
        self.workers.remove(node)
        node.unplug()

    def facts(self) -> dict[str, Any]:
        """What Ray says: ``alive`` (addresses of nodes), ``cpus`` and ``free`` (CPUs)."""
        asked = self.head.run(
            sys.executable, "-m", "benchmarks.nodes", self.address,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        told, _ = asked.communicate(timeout=START_S)
        lines = [line for line in told.splitlines() if line.startswith("{")]  # Ray prints, too
        facts: dict[str, Any] = json.loads(lines[-1])
        return facts


def _environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Ours without its Ray settings, the checkout's modules, and the token."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYPIPE_"))}
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, kept.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        **TIMINGS,
        **more,
    }


def _write_secret(path: Path, text: str) -> None:
    with _private(path) as out:
        out.write(text)


def _private(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""


def _tell(address: str) -> None:
    """Print what `Cluster.facts` reads."""
    ray: Any = importlib.import_module("ray")  # some of its functions carry no types
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    facts = {
        "alive": [n["NodeManagerAddress"] for n in ray.nodes() if n["Alive"]],
        "cpus": ray.cluster_resources().get("CPU", 0.0),
        "free": ray.available_resources().get("CPU", 0.0),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    _tell(sys.argv[1])
