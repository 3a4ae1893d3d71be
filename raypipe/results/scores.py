"""What was measured: a row for each file, and what the rows come to.

As CSV, one line a file in the order of the listing (up to `MOST_SORTED` files, of their names)::

    path,outcome,reason,rate_hz,channels,format,subtype,duration_s,...,notes,missing

and as JSON::

    {"version": ..., "interrupted": null | "reason",
     "totals": {"files", "scored", "failed", "audio_s", "wall_s"},
     "summary": {"snr_db": {"count", "mean", "median", "p10", "p90"}, ...},
     "files": [{"path", "outcome": "scored" | "failed", "reason", "rate_hz", "channels", "format",
                "subtype", "duration_s": ..., ..., "missing": {"snr_db": "digital silence"},
                "notes": [...]}]}

A measure that is missing is an empty cell or null, with its reason under ``missing``. Rows are kept
on disk as they come, and four bytes of each number in memory, for the summary.
"""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from raypipe.quality.against import AgainstReference, decimals_of, names_in
from raypipe.quality.dnsmos import DnsmosScores
from raypipe.quality.measures import Measures
from raypipe.results.spool import Spool
from raypipe.types import Failed, Scored
from raypipe.version import VERSION

MOST_SORTED = 20_000
"""Up to so many files rows are in the order of their names; beyond, in that of the listing."""

SUMMARY_DECIMALS = 4
"""At least; more where the measure has more."""

FACTS = ("path", "outcome", "reason", "rate_hz", "channels", "format", "subtype")


@dataclass(frozen=True, slots=True)
class Summary:
    """One measure over all files that have it."""

    count: int
    mean: float
    median: float
    p10: float
    """A tenth of the files lies below ..."""
    p90: float
    """... and a tenth above."""


class ScoreReport:
    """Rows of a scoring run.

    Parameters
    ----------
    deep : bool
        True where there are references.
    judged : bool
        True where DNSMOS was asked for.

    Attributes
    ----------
    scored, failed : int
        Files by outcome.
    audio_s, wall_s : float
        Seconds of sound measured, and of time taken.
    interrupted : str or None
        Why the run ended early.
    groups : list of list of str
        Names of the measures: of the sound itself, against the reference, DNSMOS's.
    """

    def __init__(self, *, deep: bool = False, judged: bool = False) -> None:
        self.groups = [names_in(Measures)]
        if deep:
            self.groups.append(names_in(AgainstReference))
        if judged:
            self.groups.append(names_in(DnsmosScores))
        self.scored = self.failed = 0
        self.audio_s = self.wall_s = 0.0
        self.interrupted: str | None = None
        self._columns = {name: array("f") for name in self.names}
        self._spool = Spool("keep the rows")
        self._places: list[tuple[str, int]] = []
        self._offsets = array("q")

    @property
    def names(self) -> list[str]:
        """All measures, in their order."""
        return [name for group in self.groups for name in group]

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, else 1."""
        return 1 if self.failed else 0

    def add(self, outcome: Scored | Failed, order: int) -> None:
        """Take a row in.

        Parameters
        ----------
        outcome : Scored or Failed
            The file's.
        order : int
            Its number in the listing, from 1 on.

        Raises
        ------
        StorageError
            If the disk that keeps the rows refuses.
        """
        offset = self._spool.add(json.dumps(self._entry(outcome)).encode())
        if isinstance(outcome, Scored):
            self.scored += 1
            self.audio_s += outcome.frames / outcome.info.rate_hz
            for name, value in outcome.values.items():
                self._columns[name].append(value)
        else:
            self.failed += 1
        if len(self._places) < MOST_SORTED:
            self._places.append((outcome.file.name, offset))
        if len(self._offsets) < order:
            self._offsets.extend([-1] * (order - len(self._offsets)))
        self._offsets[order - 1] = offset

    def _entry(self, outcome: Scored | Failed) -> dict[str, Any]:
        info = outcome.info
        scored = isinstance(outcome, Scored)
        entry: dict[str, Any] = {
            "path": outcome.file.name,
            "outcome": "scored" if scored else "failed",
            "reason": None if isinstance(outcome, Scored) else outcome.reason,
            "rate_hz": info.rate_hz if info else None,
            "channels": info.channels if info else None,
            "format": info.container if info else None,
            "subtype": info.subtype if info else None,
        }
        values = outcome.values if isinstance(outcome, Scored) else {}
        entry |= {name: values.get(name) for name in self.names}
        missing = outcome.missing if isinstance(outcome, Scored) else {}
        return entry | {"missing": missing, "notes": list(outcome.notes)}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every file's entry, see the module's head for its keys."""
        if len(self._places) == self.scored + self.failed:
            offsets = [offset for _, offset in sorted(self._places)]
        else:
            offsets = [offset for offset in self._offsets if offset >= 0]
        for offset in offsets:
            yield json.loads(self._spool.line(offset))

    def summary(self) -> dict[str, Summary]:
        """Each measure over all files; those that no file has are left out."""
        found = {}
        for name, column in self._columns.items():
            values = np.frombuffer(column, np.float32).astype(np.float64)
            if len(values):
                p10, median, p90 = np.percentile(values, (10, 50, 90))
                three = (float(np.sort(values).mean()), median, p10, p90)
                decimals = max(SUMMARY_DECIMALS, decimals_of(name))
                found[name] = Summary(len(values), *(round(float(v), decimals) for v in three))
        return found

    def write_csv(self, out: IO[str]) -> None:
        """Write rows as CSV into an open file."""
        # Of line breaks the module quotes those alone that it ends lines with.
        writer = csv.writer(_Lines(out), lineterminator="\r\n")
        writer.writerow([*FACTS, *self.names, "notes", "missing"])
        for row in self.rows():
            cells = [row[name] for name in (*FACTS, *self.names)]
            missing = "; ".join(f"{name}: {reason}" for name, reason in row["missing"].items())
            texts = [*cells, "; ".join(row["notes"]), missing]
            writer.writerow([_plain(cell) if isinstance(cell, str) else cell for cell in texts])

    def write_json(self, out: IO[str]) -> None:
        """Write everything as JSON into an open file."""
        head = {
            "version": VERSION,
            "interrupted": self.interrupted,
            "totals": self.totals(),
            "summary": self._facts(),
        }
        out.write(json.dumps(head, indent=1)[:-2] + ',\n "files": [')
        for number, row in enumerate(self.rows()):
            out.write((",\n  " if number else "\n  ") + json.dumps(row))
        out.write("\n ]\n}\n")

    def totals(self) -> dict[str, float]:
        """Counts and seconds."""
        return {
            "files": self.scored + self.failed,
            "scored": self.scored,
            "failed": self.failed,
            "audio_s": round(self.audio_s, 3),
            "wall_s": round(self.wall_s, 3),
        }

    def _facts(self) -> dict[str, dict[str, float]]:
        return {
            name: {field: getattr(one, field) for field in Summary.__dataclass_fields__}
            for name, one in self.summary().items()
        }


class _Lines:
    """Takes whole lines that end as files of DOS do."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def write(self, line: str) -> None:
        self._out.write(line.removesuffix("\r\n") + "\n")


def _plain(text: str) -> str:
    """Names that are no UTF-8, with their bytes escaped."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
