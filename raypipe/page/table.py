"""The table of files as the page's script reads it: columns of short values.

Comes in: rows. Goes out: JSON that may stand inside a ``<script>``, whatever a
file is called. Names are told by how much of them the one before had already,
so that a hundred thousand files cost some seven megabytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from raypipe.page.gather import FileRow
from raypipe.page.words import channels, hertz
from raypipe.results.reading import OUTCOMES
from raypipe.storage import show

MOST_ROWS = 100_000
"""More would make browsers slow; of more files, those that failed are kept before others."""

LEVELS = (
    "lufs_in", "lufs_out", "floor_in_db", "floor_out_db", "gain_db", "peak_in_db", "peak_out_db",
    "x_real_time",
)  # fmt: skip


def kept_rows(files: Sequence[FileRow], most: int = MOST_ROWS) -> list[FileRow]:
    """Those that the table has room for, in the order in which they came."""
    if len(files) <= most:
        return list(files)
    ranked = sorted(range(len(files)), key=lambda at: (_weight(files[at]), at))
    return [files[at] for at in sorted(ranked[:most])]


def _weight(row: FileRow) -> int:
    return 0 if row.outcome == "failed" else 1 if row.clipped or row.notes else 2


def table_data(rows: Sequence[FileRow]) -> dict[str, Any]:
    """What the script is given."""
    texts: dict[str, int] = {"": 0}
    kinds: dict[str, int] = {"": 0}

    def index(of: dict[str, int], text: str) -> int:
        return of.setdefault(text, len(of))

    names = [show(row.name) for row in rows]
    shared = [_shared(before, name) for before, name in pairwise(["", *names])]
    rest = [name[count:] for name, count in zip(names, shared, strict=True)]
    columns: dict[str, list[Any]] = {
        "shared": [_units(name[:count]) for name, count in zip(names, shared, strict=True)],
        "rest": rest,
        "outcome": [OUTCOMES.index(row.outcome) for row in rows],
        "text": [index(texts, _text(row)) for row in rows],
        "kind": [index(kinds, _kind(row)) for row in rows],
        "seconds": [_short(row.seconds, 3) for row in rows],
        "clipped": [row.clipped for row in rows],
    }
    for name in LEVELS:
        columns[name] = [_short(getattr(row, name), 1) for row in rows]
    return {"count": len(rows), "texts": list(texts), "kinds": list(kinds), "columns": columns}


def _shared(before: str, name: str) -> int:
    """Characters that a name begins with and the one before does, too."""
    return len(os.path.commonprefix((before, name)))  # noqa: RUF071 - characters are meant


def _units(text: str) -> int:
    """Length as the script counts it, in UTF-16: whole characters, so no cut goes through one."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _text(row: FileRow) -> str:
    return show("; ".join((row.reason, *row.notes) if row.reason else row.notes))


def _kind(row: FileRow) -> str:
    if not row.format:
        return ""
    return show(f"{row.format} {row.subtype}, {hertz(row.rate_hz)}, {channels(row.channels)}")


def _short(value: float | None, digits: int) -> float | int | None:
    if value is None:
        return None
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded


def script_json(value: Any) -> str:
    """JSON that no HTML parser and no JavaScript parser can take for anything else."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII alone
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
