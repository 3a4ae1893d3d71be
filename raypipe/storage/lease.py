"""Who holds an output in a store: an object that its holder renews, and others may take over.

::

    OUT/.raypipe/lease.json    {"run", "host", "pid", "process", "since", "beats", "ttl_s"}

It is created on the condition that there is none, and renewed every `BEAT_S`. A
holder that was not heard of for its `ttl_s`, or that ran on this machine and is
dead, has lost it. Times are the store's own: no two machines' clocks are ever
compared.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from raypipe.errors import OutputBusy, StorageError
from raypipe.storage.paths import show
from raypipe.storage.store import Found, Store

BEAT_S = 10.0
"""Time between two renewals: five may be lost before anybody takes over."""

TTL_S = 60.0
"""A holder is taken for dead that was not heard of for so long."""

LOOK_S = 3.0
"""A process of the run looks at the lease at most so often."""

MOST_TRIES = 5
"""Runs that are quicker than this one, or vanish while it looks, before it gives up."""

_log = logging.getLogger("raypipe.storage")


class Lease:
    """One run's lease of an output.

    Parameters
    ----------
    store : Store
        Where the output lies.
    root : str
        The output's address, for messages.
    address : str
        Of the lease itself.
    run : str
        Id of the run.
    ttl_s, beat_s : float
        See `TTL_S` and `BEAT_S`.
    """

    def __init__(
        self, store: Store, root: str, address: str, run: str,
        ttl_s: float = TTL_S, beat_s: float = BEAT_S,
    ) -> None:  # fmt: skip
        self._store, self._root, self._address, self._run = store, root, address, run
        self._ttl_s, self._beat_s = ttl_s, beat_s
        self._since = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._beats = 0
        self._etag = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Get it, and keep it until `release`.

        Raises
        ------
        OutputBusy
            If another run holds it.
        PermissionError, StorageError
            If the store refuses.
        """
        for _ in range(MOST_TRIES):
            try:
                self._write(new=True)
            except FileExistsError:
                holder = read_lease(self._store, self._address)
                if holder is None:
                    continue  # its run has just ended
                if holder.run != self._run and not self._is_dead(holder):
                    raise self._busy(holder) from None
                try:
                    self._write(instead_of=holder.found.etag)
                except FileExistsError:
                    continue  # another run was quicker
            if self._is_ours():
                self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
                self._thread.start()
                return
        raise OutputBusy(f"{show(self._root)}: other runs are starting here; try again")

    def release(self) -> None:
        """Give it back, if it is still ours."""
        self._stop.set()
        if self._thread is None:
            return
        self._thread.join()
        with contextlib.suppress(OSError, StorageError):  # it ends by itself, in its time
            if self._is_ours():
                self._store.remove([self._address])

    def _renew(self) -> None:
        heard_s = time.monotonic()
        while not self._stop.wait(self._beat_s):
            try:
                if not self._is_ours():
                    return  # the run's processes see that, too
                self._write(instead_of=self._etag)
                heard_s = time.monotonic()
            except FileExistsError:
                continue  # the next look tells whether it was ourselves, by a lost answer
            except (OSError, StorageError) as error:
                if time.monotonic() - heard_s > self._ttl_s:
                    _log.warning("%s: the output's lease has run out: %s", show(self._root), error)

    def _write(self, *, new: bool = False, instead_of: str = "") -> None:
        self._beats += 1
        text = {
            "run": self._run, "host": os.uname().nodename, "pid": os.getpid(),
            "process": this_process(), "since": self._since, "beats": self._beats,
            "ttl_s": self._ttl_s,
        }  # fmt: skip
        data = json.dumps(text).encode()
        self._etag = self._store.put(self._address, data, new=new, instead_of=instead_of).etag

    def _is_ours(self) -> bool:
        holder = read_lease(self._store, self._address)
        if holder is None or holder.run != self._run:
            return False
        self._etag = holder.found.etag
        return True

    def _is_dead(self, holder: Holder) -> bool:
        return holder.has_died_here() or self._age_s(holder) > holder.ttl_s

    def _age_s(self, holder: Holder) -> float:
        """Seconds since it was heard of, by the store's own clock."""
        probe = f"{self._address}.{self._run}"
        self._store.put(probe, b"what time is it?")
        now = self._store.stat(probe)
        self._store.remove([probe])
        if now is None or not now.mtime_ns or not holder.found.mtime_ns:
            return 0.0
        return (now.mtime_ns - holder.found.mtime_ns) / 1e9

    def _busy(self, holder: Holder) -> OutputBusy:
        age_s = max(0.0, self._age_s(holder))
        return OutputBusy(
            f"{show(self._root)}: another run is writing here ({holder.who}, since {holder.since}, "
            f"last heard of {age_s:.0f} s ago); wait for it, or choose another output. If it is "
            f"dead, its hold ends in {max(0.0, holder.ttl_s - age_s):.0f} s"
        )


@dataclass(frozen=True, slots=True)
class Holder:
    """What a lease says of the run that holds it."""

    run: str
    who: str
    """``process 7 on host``."""
    since: str
    """Time in ISO 8601, UTC, by its own clock."""
    process: str
    """See `this_process`."""
    ttl_s: float
    found: Found
    """What the store says of the lease."""

    def has_died_here(self) -> bool:
        """True where it ran on this very machine, and runs no more."""
        here, _, pid_and_start = this_process().rpartition(" ")
        there, _, other = self.process.rpartition(" ")
        if not here or here != there or other == pid_and_start:
            return False
        pid, _, start = other.partition(":")
        return _start_of(pid) != start


def read_lease(store: Store, address: str) -> Holder | None:
    """What the lease says; None where there is none.

    Raises
    ------
    PermissionError, StorageError
        If the store refuses.
    """
    found = store.stat(address)
    if found is None:
        return None
    try:
        text: Any = json.loads(store.read(found, 0, found.size))
    except FileNotFoundError:
        return None
    except FileExistsError:  # renewed between the two looks
        return read_lease(store, address)
    except ValueError:
        text = {}
    if not isinstance(text, dict):
        text = {}
    who = f"process {text.get('pid', '?')} on {text.get('host', '?')}"
    ttl_s = float(text.get("ttl_s") or TTL_S)
    since = str(text.get("since", "?"))
    return Holder(str(text.get("run", "")), who, since, str(text.get("process", "")), ttl_s, found)


def this_process() -> str:
    """What no other process is called: boot, host, name space, and the process with its start.

    Empty where the system does not tell.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    pid = str(os.getpid())
    return f"{boot} {os.uname().nodename} {space} {pid}:{_start_of(pid)}"


def _start_of(pid: str) -> str:
    """When a process began, in ticks since the machine did; empty where it is gone."""
    try:
        fields = Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
