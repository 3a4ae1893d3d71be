"""What the page tells of: the last run's report, and what earlier runs' journals add to it.

Comes in: an output, or the `RunReport` of a run that has just ended. Goes out: a
`Gathered`. A run that was killed leaves a journal and no report; a run that went
on where another one stopped reports that one's files as skipped, and the journal
knows their levels.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from raypipe.errors import UsageError
from raypipe.results.reading import Entry, Made, made_in, read_report
from raypipe.results.report import RunReport
from raypipe.storage import join, located, place_at, report_of, show, storage_error
from raypipe.storage.listing import look_at
from raypipe.storage.place import Place
from raypipe.storage.store import Found
from raypipe.types import SoundInfo

EARLIER = "made by an earlier run than the one this page tells of"
LATER = "made by a later run, which left no report"
NO_REPORT = "made by a run that left no report"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file on the page."""

    name: str
    """Path below the input's root."""
    outcome: str
    """``done``, ``skipped`` or ``failed``."""
    reason: str = ""
    output: str = ""
    """Path relative to the output's root; empty where nothing of it stands there."""
    input: str = ""
    """Path or address of the input, where anybody remembers it."""
    key: str = ""
    """Identity of the input, see `raypipe.results.journal.key_of`."""
    stamp: tuple[int, int | str] | None = None
    """Size and stamp of the output, see `raypipe.storage.place.Stamp`."""
    info: SoundInfo | None = None
    """What the decoder said of the input."""
    seconds: float | None = None
    frames: int | None = None
    rate_hz: int | None = None
    channels: int | None = None
    format: str = ""
    subtype: str = ""
    peak_in_db: float | None = None
    peak_out_db: float | None = None
    lufs_in: float | None = None
    lufs_out: float | None = None
    floor_in_db: float | None = None
    floor_out_db: float | None = None
    clipped: int = 0
    x_real_time: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def gain_db(self) -> float | None:
        """By how much the sound stands higher above its noise floor than it did, in dB."""
        levels = (self.lufs_in, self.lufs_out, self.floor_in_db, self.floor_out_db)
        if None in levels:
            return None
        lufs_in, lufs_out, floor_in, floor_out = (level or 0.0 for level in levels)
        return (lufs_out - floor_out) - (lufs_in - floor_in)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that is known of a run, but for its sound."""

    output: str
    """Folder or address that outputs are relative to."""
    place: Place
    head: dict[str, Any]
    """The report without its files; empty where there is no report."""
    files: list[FileRow]
    """In the order of their names."""
    remarks: tuple[str, ...]
    """What a reader must know of where all this comes from."""


def gather(output: str) -> Gathered:
    """Read what runs have left in an output.

    Parameters
    ----------
    output : str
        Folder or address, as it was given to ``raypipe enhance``.

    Raises
    ------
    UsageError
        If no run has written there.
    StorageError
        If it cannot be read.
    """
    root = located(output)
    place = place_at(root.rstrip("/") or "/")
    made = made_in(place)
    report = report_of(place.root)
    if report is None:
        if not made and os.path.isfile(root):
            raise UsageError(
                f"{show(output)}: is a file, which keeps no report; its page is written with the "
                "run: `raypipe enhance IN OUT --html`"
            )
        if not made:
            raise UsageError(
                f"{show(output)}: no run of raypipe has left a report or a journal there; "
                "wanted is the OUT of a `raypipe enhance`"
            )
        files = [_row(each.entry, each) for each in made.values() if _stands(place, each)]
        files = [replace(row, reason=NO_REPORT) for row in files]
        remark = "The last run left no report: it was killed, or is still going on. "
        remark += "What follows is told by the journal, which has the files that were done."
        return Gathered(place.root, place, {}, _in_order(files), (remark,))
    written_ns = _written_ns(report)
    try:
        head, entries = read_report(report)
        return _joined(place, head, entries, made, written_ns)
    except OSError as error:
        raise storage_error(error, report, "read the report") from error


def gather_run(result: RunReport, output: str, source: str) -> Gathered:
    """What is known of a run that has just ended.

    Parameters
    ----------
    result : RunReport
        Its report.
    output, source : str
        OUT and IN as they were given; both files where OUT keeps no journal.
    """
    head = {
        "version": result.version, "settings": result.settings, "model": result.model,
        "place": result.place, "interrupted": result.interrupted, "totals": asdict(result.totals),
    }  # fmt: skip
    root = located(output)
    if result.totals.files == 1 and report_of(root) is None:  # OUT is a file
        place = place_at(root.rpartition("/")[0] or "/")
        files = [replace(_row(entry, None), input=located(source)) for entry in result.files]
        return Gathered(root, place, head, files, ())
    place = place_at(root.rstrip("/") or "/")
    return _joined(place, head, iter(result.files), made_in(place), None)


def _joined(
    place: Place,
    head: dict[str, Any],
    entries: Iterator[Entry],
    made: dict[str, Made],
    written_ns: int | None,
) -> Gathered:
    """The report's files with what the journal adds, and those that the journal alone has."""
    by_name = {each.name: each for each in made.values()}
    own: set[str] = set()
    if written_ns is not None and any(each.at_ns > written_ns for each in made.values()):
        own = set(made_in(place, str(head["place"].get("run") or "none")))  # clocks may differ
    files, told = [], set()
    later = 0
    for entry in entries:
        found = made.get(str(entry.get("output"))) or by_name.get(entry["path"])
        if found is not None:
            told.add(found.output)
        newer = found is not None and _is_later(found, written_ns, own)
        if found is not None and newer and _stands(place, found):
            later += 1
            files.append(replace(_row(found.entry, found), reason=LATER))
        elif found is not None and entry["outcome"] == "skipped":
            files.append(_row(found.entry | entry, found))
        else:
            files.append(_row(entry, found if entry["outcome"] == "done" else None))
    for each in made.values():
        if each.output not in told and _stands(place, each):
            newer = _is_later(each, written_ns, own)
            later += newer
            files.append(replace(_row(each.entry, each), reason=LATER if newer else EARLIER))
    remarks = []
    if later:
        remarks.append(
            f"A later run than the one that is told of here has done {later} of these files and "
            "left no report: it was killed, or is still going on."
        )
    if head.get("interrupted"):
        remarks.append(f"The run ended early: {show(str(head['interrupted']))}. "
                       "The same command goes on from there.")  # fmt: skip
    return Gathered(place.root, place, head, _in_order(files), tuple(remarks))


def _is_later(made: Made, written_ns: int | None, own: set[str]) -> bool:
    return written_ns is not None and made.at_ns > written_ns and made.output not in own


def _stands(place: Place, made: Made) -> bool:
    """True where the output appeared, as far as the journal tells; looked at only where it does
    not say so: those are the few that were under way when a run was killed."""
    return made.finished or place.stands(made.output, made.size, made.stamp)


def _written_ns(report: str) -> int | None:
    """When a report was written, in nanoseconds; None where nobody tells."""
    found = look_at(report)
    if isinstance(found, OSError):
        return None
    return (found.mtime_ns or None) if isinstance(found, Found) else found.st_mtime_ns


def _row(entry: Entry, made: Made | None) -> FileRow:
    done = None if made is None else made.done
    numbers = {name: _number(entry.get(name)) for name in _NUMBERS}
    return FileRow(
        name=str(entry["path"]),
        outcome=str(entry["outcome"]),
        reason=str(entry.get("reason") or ""),
        output=str(entry.get("output") or ""),
        input="" if made is None else made.input,
        key="" if made is None else made.key,
        stamp=None if made is None else (made.size, made.stamp),
        info=None if done is None else done.info,
        frames=_whole(entry.get("frames")),
        rate_hz=_whole(entry.get("rate_hz")),
        channels=_whole(entry.get("channels")),
        format=str(entry.get("format") or ""),
        subtype=str(entry.get("subtype") or ""),
        clipped=_whole(entry.get("clipped")) or 0,
        notes=tuple(str(note) for note in entry.get("notes") or ()),
        **numbers,
    )


_NUMBERS = (
    "seconds", "peak_in_db", "peak_out_db", "lufs_in", "lufs_out", "floor_in_db", "floor_out_db",
    "x_real_time",
)  # fmt: skip


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _in_order(files: Iterable[FileRow]) -> list[FileRow]:
    return sorted(files, key=lambda row: row.name)


def output_path(gathered: Gathered, row: FileRow) -> str:
    """Path or address of a file's output; empty where it would lie outside its root."""
    parts = row.output.split("/")
    inside = row.output and not any(part in ("", ".", "..") for part in parts)
    return join(gathered.place.root, row.output) if inside else ""
