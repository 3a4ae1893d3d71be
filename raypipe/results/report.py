"""The report: every file with its outcome, totals that add up.

::

    {"version": ..., "settings": {...}, "model": {"name", "path", "sha256", "rate_hz", ...},
     "place": {...}, "interrupted": null | "reason",
     "totals": {"files", "done", "skipped", "failed", "audio_s", "wall_s", "startup_s",
                "x_real_time", "clipped_files", "clipped_samples",
                "busy_s": {"read", "resample", "step", ...}, "publish_s", "lane_s", "longest_s",
                "audio_in_s", "batches", "lost_batches", "reopened_files", "worker_restarts",
                "collector_restarts", "retired_workers"},
     "files": [{"path", "outcome": "done" | "skipped" | "failed", "reason", "artifacts",
                "output", "seconds", "rate_hz", "channels", "frames", "format", "subtype",
                "peak_in_db", "lufs_in", "floor_in_db", "peak_out_db", "lufs_out", "floor_out_db",
                "clipped", "gain_db", "x_real_time", "worker", "notes"}]}

``x_real_time`` is audio over wall time after start-up; a file's own is its
seconds over its share of a worker's time. Outcomes are kept on disk as they
come, so a report of a million files costs no memory until somebody asks for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import IO, Any

from raypipe.results.spool import Spool
from raypipe.storage import path_or_address, write_text
from raypipe.types import Done, Failed, Outcome, SoundInfo

MOST_SORTED = 20_000
"""Up to so many files the report is in the order of their names; beyond, in that of completion."""


@dataclass(slots=True)
class Totals:
    """What the outcomes add up to."""

    files: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    audio_s: float = 0.0
    """Seconds of audio in the files that were done now."""
    wall_s: float = 0.0
    """Seconds from the beginning of the run to its end."""
    startup_s: float = 0.0
    """Seconds until the first worker was ready."""
    x_real_time: float = 0.0
    clipped_files: int = 0
    clipped_samples: int = 0
    busy_s: dict[str, float] = field(default_factory=dict)
    """Seconds of all workers by part of the work."""
    publish_s: float = 0.0
    """Seconds that collectors wrote, made durable and put in place."""
    lane_s: float = 0.0
    """Seconds of sound stepped, all lanes."""
    longest_s: float = 0.0
    """Seconds of the longest lane of each batch, all batches."""
    audio_in_s: float = 0.0
    """Seconds of audio read and stepped, also what was stepped again or came to nothing."""
    batches: int = 0
    """Batches that were stepped."""
    lost_batches: int = 0
    """Batches whose worker was lost first; what they held was stepped again in others."""
    reopened_files: int = 0
    """Files begun again, as the sound that was there of them was lost with a collector."""
    worker_restarts: int = 0
    """Workers that were lost; others took their places where there was room."""
    collector_restarts: int = 0
    """Collectors likewise."""
    retired_workers: int = 0
    """Workers that were sent away: for their memory, or as their CPUs left the cluster."""

    @property
    def mean_lanes(self) -> float:
        """How many lanes were filled while one was."""
        return self.lane_s / self.longest_s if self.longest_s else 0.0


@dataclass
class RunReport:
    """What a run did.

    Attributes
    ----------
    totals : Totals
        Counts and seconds.
    settings, model, place : dict
        What the run was told, which model it used, where it ran.
    interrupted : str or None
        Why the run ended early; None where it went to its end.
    """

    version: str
    settings: dict[str, Any]
    model: dict[str, Any]
    place: dict[str, Any]
    totals: Totals = field(default_factory=Totals)
    interrupted: str | None = None
    _spool: Spool = field(default_factory=partial(Spool, "keep what was done"), repr=False)
    _index: list[tuple[str, int]] = field(default_factory=list, repr=False)

    def add(self, outcome: Outcome) -> None:
        """Take an outcome in.

        Raises
        ------
        StorageError
            If the disk below ``TMPDIR`` refuses.
        """
        lies = self._spool.add(json.dumps(entry_of(outcome)).encode())
        if len(self._index) < MOST_SORTED:
            self._index.append((outcome.file.name, lies))
        totals = self.totals
        totals.files += 1
        if isinstance(outcome, Done):
            totals.done += 1
            totals.audio_s += outcome.seconds
            totals.clipped_samples += outcome.clipped
            totals.clipped_files += outcome.clipped > 0
        elif isinstance(outcome, Failed):
            totals.failed += 1
        else:
            totals.skipped += 1

    @property
    def files(self) -> list[dict[str, Any]]:
        """Every file's entry, see the module's head for its keys."""
        return [json.loads(line) for line in self._lines()]

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, else 1."""
        return 1 if self.totals.failed else 0

    def _lines(self) -> Iterator[bytes]:
        if len(self._index) < self.totals.files:
            yield from self._spool
            return
        for _, lies in sorted(self._index):
            yield self._spool.line(lies)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON, to a path or an address.

        Raises
        ------
        StorageError
            If it cannot be written.
        """
        write_text(path_or_address(path), self.write_to, "write the report")

    def write_to(self, out: IO[str]) -> None:
        """Write the report as JSON into an open file."""
        head = {
            "version": self.version,
            "settings": self.settings,
            "model": self.model,
            "place": self.place,
            "interrupted": self.interrupted,
            "totals": asdict(self.totals),
        }
        out.write(json.dumps(head, indent=1)[:-2] + ',\n "files": [')
        for number, line in enumerate(self._lines()):
            out.write((",\n  " if number else "\n  ") + line.decode())
        out.write("\n ]\n}\n")


def entry_of(outcome: Outcome) -> dict[str, Any]:
    """One file's entry in the report."""
    entry: dict[str, Any] = {"path": outcome.file.name}
    if isinstance(outcome, Done):
        return entry | {"outcome": "done", "reason": None} | _done_facts(outcome)
    if isinstance(outcome, Failed):
        entry |= {"outcome": "failed", "reason": outcome.reason, "artifacts": {}}
        entry["notes"] = list(outcome.notes)
        return entry | (_sound_facts(outcome.info) if outcome.info else {})
    return entry | {"outcome": "skipped", "reason": outcome.reason, "artifacts": {}}


def _done_facts(done: Done) -> dict[str, Any]:
    return {
        "artifacts": done.artifacts,
        "output": done.file.output,
        "seconds": round(done.seconds, 6),
        "frames": done.frames,
        **_sound_facts(done.info),
        "peak_in_db": _rounded(done.level_in.peak_db),
        "lufs_in": _rounded(done.level_in.lufs),
        "floor_in_db": _rounded(done.level_in.floor_db),
        "peak_out_db": _rounded(done.level_out.peak_db),
        "lufs_out": _rounded(done.level_out.lufs),
        "floor_out_db": _rounded(done.level_out.floor_db),
        "clipped": done.clipped,
        "gain_db": _rounded(done.gain_db),
        "x_real_time": _rounded(done.seconds / done.busy_s if done.busy_s else None),
        "worker": done.worker,
        "notes": list(done.notes),
    }


def _sound_facts(info: SoundInfo) -> dict[str, Any]:
    return {
        "rate_hz": info.rate_hz,
        "channels": info.channels,
        "format": info.container,
        "subtype": info.subtype,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def settings_facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON takes them."""
    facts: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return facts
