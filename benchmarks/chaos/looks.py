"""What must hold at the end of every round, whatever went wrong in it."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.chaos.inputs import BROKEN
from benchmarks.kill import Folder, Seen
from benchmarks.nodes import Cluster

GONE_S = 15.0
"""Actors of a run that is over must be gone by then."""


@dataclass(frozen=True)
class Wanted:
    """What an undisturbed run, in one process and without Ray, makes of the inputs."""

    tree: dict[str, str]
    """Digest of each output, by its relative name."""
    files: int
    """All inputs, the broken ones among them."""
    stepped_s: float
    """Seconds of sound that the model steps, all lanes."""


class Output(Seen, Protocol):
    """Where a round's files appear, from outside: a folder or a bucket."""

    address: str
    """As the command takes it."""

    def report(self) -> dict[str, Any] | None:
        """The last run's own report."""

    def unfinished(self) -> list[str]:
        """What should not be there any more once no run is at work."""


class FolderOutput(Folder):
    """A folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.address = str(path)

    def report(self) -> dict[str, Any] | None:
        """The last run's own report."""
        path = self._path / ".raypipe/report.json"
        return dict(json.loads(path.read_text())) if path.is_file() else None

    def unfinished(self) -> list[str]:
        """What should not be there any more once no run is at work."""
        return os.listdir(self._path / ".raypipe/tmp")


def tree_is_the_same(output: Output, wanted: Wanted) -> list[str]:
    """Every output is there with the bytes of the undisturbed run, and nothing else is."""
    found = {name: output.digest(name) for name in output.look()}
    faults = [f"{name}: missing" for name in wanted.tree.keys() - found.keys()]
    faults += [f"{name}: should not be there" for name in found.keys() - wanted.tree.keys()]
    both = wanted.tree.keys() & found.keys()
    return faults + [f"{name}: other bytes" for name in both if found[name] != wanted.tree[name]]


def counts_add_up(output: Output, wanted: Wanted) -> list[str]:
    """The last run's report names every file once, and only the broken ones failed."""
    report = output.report()
    return ["there is no report"] if report is None else report_faults(report, wanted)


def report_faults(report: dict[str, Any], wanted: Wanted) -> list[str]:
    """What does not add up in a report."""
    totals, entries = report["totals"], report["files"]
    faults = []
    if report["interrupted"] is not None:
        faults.append(f"the last report is of a run that was ended: {report['interrupted']}")
    parts = {name: totals[name] for name in ("done", "skipped", "failed")}
    if not sum(parts.values()) == totals["files"] == len(entries) == wanted.files:
        faults.append(f"of {wanted.files} files, {totals['files']} are counted, {parts}")
    if Counter(entry["outcome"] for entry in entries) != Counter(parts):
        faults.append(f"the entries do not add up to {parts}")
    twice = [name for name, n in Counter(e["path"] for e in entries).items() if n > 1]
    faults += [f"{name}: has more than one outcome" for name in twice]
    failed = {entry["path"]: entry["reason"] for entry in entries if entry["outcome"] == "failed"}
    faults += [f"{n}: failed: {why}" for n, why in failed.items() if n not in BROKEN]
    faults += [f"{name}: did not fail" for name in BROKEN.keys() - failed.keys()]
    return faults


def nothing_is_left(cluster: Cluster, output: Output) -> list[str]:
    """Nothing unfinished, and no actor of ours on any node that can be reached."""
    faults = [f"left unfinished: {name}" for name in output.unfinished()]
    end_s = time.monotonic() + GONE_S
    while (left := _actors(cluster)) and time.monotonic() < end_s:
        time.sleep(0.2)
    return faults + [f"still alive: {what}" for what in left]


def _actors(cluster: Cluster) -> list[str]:
    nodes = [*(node for node in cluster.workers if node.online), cluster.head]
    return [f"process {p.pid} on {node.address}" for node in nodes for p in node.actors()]
