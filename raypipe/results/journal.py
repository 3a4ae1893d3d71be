"""What is done already, told by the output folder itself.

::

    OUT/.raypipe/journal/<run>-<writer>.jsonl      one JSON object a line, only ever appended
      {"at": ..., "key": ..., "fingerprint": ..., "state": "publishing", "input": path,
       "output": path, "artifacts": {name: [path, size, mtime_ns]}, "done": {...}}
                                                      made durable before the files appear
      {"at": ..., "key": ..., "fingerprint": ..., "state": "done", "output": path}   after that

*key* names an input as it was: path, size, time of change, a headerless one's
layout. *fingerprint* names the model and the settings that change the sound. An
output belongs to the input that made it last. It counts as done where it stands
and either its ``done`` line is there, or its ``publishing`` line is and the file
is the very one that the line speaks of (same size and time: a rename keeps
both). A torn or foreign line is passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from raypipe.storage import Place, storage_error
from raypipe.types import AudioFile, Done, Levels, SoundInfo


def key_of(file: AudioFile) -> str:
    """Identity of an input: another path, size, time of change or layout is another input."""
    text = f"{os.path.abspath(file.path)}\0{file.size}\0{file.mtime_ns}"
    if file.layout is not None:
        text += f"\0{file.layout}"
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@dataclass(slots=True)
class Entry:
    """What the journal says of one output; small, as there may be a million."""

    at_ns: int
    key: str
    fingerprint: str
    input: str
    artifacts: tuple[tuple[str, int, int], ...]
    """Of each: path relative to the output's root, size, mtime_ns."""
    finished: bool = False
    """True where the ``done`` line was written."""
    before: Entry | None = None
    """What stood there before, and still does if the run was killed in between."""

    def standing(self) -> Entry:
        """This, or what it was to replace if that was never finished."""
        kept = self if self.finished or self.before is None else self.before
        kept.before = None
        return kept


class Journal:
    """The journal of one output folder, as it is at the start of a run."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._entries: dict[str, Entry] = {}
        for part in Path(place.journal).glob("*.jsonl"):
            for line in _lines(part):
                with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                    self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        output, at_ns = str(line["output"]), int(line["at"])
        entry = self._entries.get(output)
        if line["state"] == "publishing":
            artifacts = tuple(
                (str(path), int(size), int(mtime_ns))
                for path, size, mtime_ns in line["artifacts"].values()
            )
            told = Entry(
                at_ns, line["key"], sys.intern(line["fingerprint"]), line["input"], artifacts
            )
            if entry is None or entry.at_ns < at_ns:
                told.before = entry.standing() if entry is not None else None
                self._entries[output] = told
            elif entry.before is None or entry.before.at_ns < at_ns:
                entry.before = told
        elif entry is not None and (entry.key, entry.fingerprint) == (
            line["key"],
            line["fingerprint"],
        ):
            entry.finished = True

    def finds(self, file: AudioFile, fingerprint: str) -> bool:
        """True where this very input's output stands complete, made under these settings."""
        entry = self._entries.get(file.output)
        if entry is None or (entry.key, entry.fingerprint) != (key_of(file), fingerprint):
            return False
        return all(
            _is(self._place.final(path), size, None if entry.finished else mtime_ns)
            for path, size, mtime_ns in entry.artifacts
        )

    def maker(self, file: AudioFile) -> str | None:
        """Path of the input that the output at this place was made of; None if nobody knows.

        Nobody does where the output was changed since: then it is somebody's own.
        """
        entry = self._entries.get(file.output)
        for told in (entry, entry.before) if entry is not None else ():
            if told is not None and all(
                _is(self._place.final(path), size, mtime_ns)
                for path, size, mtime_ns in told.artifacts
            ):
                return told.input
        return None


def published_by(place: Place, files: Sequence[AudioFile], fingerprint: str) -> dict[str, Done]:
    """What this run's collectors, dead ones too, have put in place of these files.

    Returns
    -------
    dict of str to Done
        By the file's output.
    """
    wanted = {key_of(file): file for file in files}
    found = {}
    for part in Path(place.journal).glob(f"{place.run}-*.jsonl"):
        for line in _lines(part):
            file = wanted.get(line["key"])
            if file is None or line["state"] != "publishing" or line["output"] != file.output:
                continue
            artifacts = line["artifacts"].values()
            if line["fingerprint"] == fingerprint and all(
                _is(place.final(path), size, mtime_ns) for path, size, mtime_ns in artifacts
            ):
                found[file.output] = done_from(file, line["done"])
    return found


def _is(path: str, size: int, mtime_ns: int | None) -> bool:
    """True where this file stands there; its time is looked at if one is given."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_size == size and mtime_ns in (None, found.st_mtime_ns)


class JournalWriter:
    """One process's part of the journal; the file is created with its first line."""

    def __init__(self, place: Place, writer: str, fingerprint: str) -> None:
        self._path = os.path.join(place.journal, f"{place.run}-{writer}.jsonl")
        self._fingerprint = fingerprint
        self._file: IO[str] | None = None

    def publishing(self, files: Iterable[tuple[Done, dict[str, tuple[str, int, int]]]]) -> None:
        """Say, durably, which files are about to appear."""
        self._write(
            (
                _head(done)
                | {"state": "publishing", "input": os.path.abspath(done.file.path),
                   "artifacts": artifacts, "done": done_to(done)}
                for done, artifacts in files
            ),
            durable=True,
        )  # fmt: skip

    def done(self, files: Iterable[Done]) -> None:
        """Say which files have appeared."""
        self._write((_head(done) | {"state": "done"} for done in files), durable=False)

    def _write(self, lines: Iterable[dict[str, Any]], *, durable: bool) -> None:
        text = "".join(
            json.dumps(line | {"fingerprint": self._fingerprint}) + "\n" for line in lines
        )
        try:
            if self._file is None:
                self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115
            self._file.write(text)
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise storage_error(error, self._path, "write the journal") from error

    def close(self) -> None:
        """Close the part."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()


def _head(done: Done) -> dict[str, Any]:
    return {"at": time.time_ns(), "key": key_of(done.file), "output": done.file.output}


def _lines(part: Path) -> Iterator[dict[str, Any]]:
    try:
        with part.open(encoding="utf-8", errors="replace") as lines:
            for text in lines:
                with contextlib.suppress(json.JSONDecodeError):
                    line = json.loads(text)
                    if isinstance(line, dict) and {"key", "state", "output"} <= line.keys():
                        yield line
    except OSError as error:
        raise storage_error(error, part, "read the journal") from error


def done_to(done: Done) -> dict[str, Any]:
    """The fields of an outcome that `done_from` cannot know, as JSON takes them."""
    told = _shallow(done)
    del told["file"]
    for name in ("info", "level_in", "level_out"):
        told[name] = _shallow(told[name])
    return told


def _shallow(value: Done | SoundInfo | Levels) -> dict[str, Any]:
    """Fields by name; `dataclasses.asdict` copies deeply, at four times the cost."""
    return {name: getattr(value, name) for name in value.__slots__}


def done_from(file: AudioFile, fields: dict[str, Any]) -> Done:
    """The outcome that `done_to` took apart."""
    rest = dict(fields)
    info = dict(rest.pop("info"))
    info["notes"] = tuple(info["notes"])
    return Done(
        file=file,
        info=SoundInfo(**info),
        level_in=Levels(**rest.pop("level_in")),
        level_out=Levels(**rest.pop("level_out")),
        notes=tuple(rest.pop("notes")),
        **rest,
    )
