"""A machine of its own, as far as the network is concerned: a namespace, a link, an address.

Comes in: a name, an address, a bridge. Goes out: a `Namespace` in which processes run, which can
be cut off and plugged in again. Everything bears its maker's process id in its name, so that what a
killed maker left behind can be told from what others use.

Needs root and ``ip`` (iproute2); `why_not` says what is missing.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PLACE = Path("/run/netns")
END_S = 30.0

MADE_BY = re.compile(r"^(rp(\d+)c\d+)(?:b|n\d+)$")
"""Names of bridges, links and namespaces: the maker's process id, the cluster, then what it is."""


def why_not() -> str | None:
    """The reason why no such cluster can be had here; None where it can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need the command ip (Debian: iproute2)"
    probe = f"rp{os.getpid()}c0n0"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", probe], capture_output=True)
    return f"no network namespace can be made: {made.stderr.strip()}" if made.returncode else None


def ip(*words: str) -> None:
    """Run ``ip``; `RuntimeError` with what it said if it fails."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")


@dataclass
class Namespace:
    """One machine."""

    name: str
    address: str
    bridge: str
    online: bool = field(default=False, init=False)

    def plug_in(self) -> None:
        """Make the namespace, its one link and its address."""
        ip("netns", "add", self.name)
        peer = ("peer", "name", "eth0", "netns", self.name)
        ip("link", "add", self.name, "type", "veth", *peer)
        ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ip("-n", self.name, "link", "set", link, "up")
        ip("link", "set", self.name, "up")
        self.heal()

    def cut(self) -> None:
        """Pull the cable out of the switch: nothing gets through, nobody is told."""
        ip("link", "set", self.name, "nomaster")
        self.online = False

    def heal(self) -> None:
        """Put it back."""
        ip("link", "set", self.name, "master", self.bridge)
        self.online = True

    def command(self, *words: str) -> list[str]:
        """A command line that runs on this node."""
        return ["ip", "netns", "exec", self.name, *words]

    def processes(self) -> list[psutil.Process]:
        """Everything that runs in the namespace."""
        told = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True)
        found = []
        for pid in told.stdout.split():
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(int(pid)))
        return found

    @property
    def namespace_id(self) -> int:
        """What a process finds in ``/proc/self/ns/net`` if it runs here."""
        return (PLACE / self.name).stat().st_ino

    def power_off(self) -> None:
        """Everything here ends at once, and the network with it."""
        if self.online:
            self.cut()
        self.kill_all()

    def kill_all(self) -> None:
        """SIGKILL for every process of the namespace, until none is left."""
        end_s = time.monotonic() + END_S
        while (left := self.processes()) and time.monotonic() < end_s:
            for process in left:
                send(process, signal.SIGKILL)
            psutil.wait_procs(left, timeout=0.2)

    def unplug(self) -> None:
        """Remove the namespace with all that runs in it; its link goes with it."""
        self.kill_all()
        subprocess.run(["ip", "link", "del", self.name], capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


def send(process: psutil.Process, number: int) -> None:
    """A signal, if the process is still there."""
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def remove_leftovers(folders: Path) -> None:
    """Remove what makers that are no more have left behind: namespaces, links, folders."""
    for name in _made():
        maker = MADE_BY.match(name)
        if maker is not None and not psutil.pid_exists(int(maker[2])):
            Namespace(name, "", "").unplug()
            shutil.rmtree(folders / maker[1], ignore_errors=True)


def _made() -> Iterator[str]:
    """Names of namespaces, as processes may run in them, then those of links."""
    for folder in (PLACE, Path("/sys/class/net")):
        if folder.is_dir():
            yield from sorted(entry.name for entry in folder.iterdir())
