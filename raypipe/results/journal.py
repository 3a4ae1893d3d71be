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

In a bucket the part is many small objects, one for each call that published, and
an etag stands in the place of mtime_ns; where the store names a file otherwise
than was expected, its ``done`` line tells (``artifacts``, as above).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from raypipe.storage import Place, Stamp, absolute
from raypipe.types import AudioFile, Done, Levels, SoundInfo

Artifacts: TypeAlias = "dict[str, tuple[str, int, Stamp]]"
"""Of each artifact: path relative to the output's root, size, stamp."""


def key_of(file: AudioFile) -> str:
    """Identity of an input: another path, size, time of change or layout is another input.

    Where the store gives an etag, that counts in place of the time.
    """
    text = f"{absolute(file.path)}\0{file.size}\0{file.etag or file.mtime_ns}"
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
    artifacts: tuple[tuple[str, int, Stamp], ...]
    """Of each: path relative to the output's root, size, stamp."""
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
        for part in place.parts():
            for line in _lines(part):
                with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                    self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        output, at_ns = str(line["output"]), int(line["at"])
        entry = self._entries.get(output)
        if line["state"] == "publishing":
            artifacts = _artifacts(line)
            told = Entry(
                at_ns, line["key"], sys.intern(line["fingerprint"]), line["input"], artifacts
            )
            if entry is None or entry.at_ns < at_ns:
                told.before = entry.standing() if entry is not None else None
                self._entries[output] = told
            elif entry.at_ns == at_ns:
                pass  # the same line: parts were being merged when their run died
            elif entry.before is None or entry.before.at_ns < at_ns:
                entry.before = told
        elif entry is not None and (entry.key, entry.fingerprint) == (
            line["key"],
            line["fingerprint"],
        ):
            entry.finished = True
            if line.get("artifacts"):
                entry.artifacts = _artifacts(line)

    def finds(self, file: AudioFile, fingerprint: str) -> bool:
        """True where this very input's output stands complete, made under these settings."""
        entry = self._entries.get(file.output)
        if entry is None or (entry.key, entry.fingerprint) != (key_of(file), fingerprint):
            return False
        return all(
            self._place.stands(path, size, None if entry.finished else stamp)
            for path, size, stamp in entry.artifacts
        )

    def maker(self, file: AudioFile) -> str | None:
        """Path of the input that the output at this place was made of; None if nobody knows.

        Nobody does where the output was changed since: then it is somebody's own.
        """
        entry = self._entries.get(file.output)
        for told in (entry, entry.before) if entry is not None else ():
            if told is not None and all(
                self._place.may_be(path, size, stamp) for path, size, stamp in told.artifacts
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
    told: dict[str, tuple[AudioFile, dict[str, Any], tuple[tuple[str, int, Stamp], ...]]] = {}
    for part in place.parts(place.run):
        for line in _lines(part):
            file = wanted.get(line["key"])
            if file is None or (line["output"], line["fingerprint"]) != (file.output, fingerprint):
                continue
            if line["state"] == "publishing":
                told[file.output] = file, line["done"], _artifacts(line)
            elif file.output in told and line.get("artifacts"):
                told[file.output] = (*told[file.output][:2], _artifacts(line))
    return {
        output: done_from(file, fields)
        for output, (file, fields, artifacts) in told.items()
        if all(place.stands(*artifact, fresh=True) for artifact in artifacts)
    }


def _artifacts(line: Mapping[str, Any]) -> tuple[tuple[str, int, Stamp], ...]:
    return tuple(
        (str(path), int(size), stamp if isinstance(stamp, str) else int(stamp))
        for path, size, stamp in line["artifacts"].values()
    )


class JournalWriter:
    """One process's part of the journal."""

    def __init__(self, place: Place, writer: str, fingerprint: str) -> None:
        self._part = place.part(writer)
        self._fingerprint = fingerprint

    def publishing(self, files: Iterable[tuple[Done, Artifacts]]) -> None:
        """Say, durably, which files are about to appear."""
        self._write(
            (
                _head(done)
                | {"state": "publishing", "input": absolute(done.file.path),
                   "artifacts": artifacts, "done": done_to(done)}
                for done, artifacts in files
            ),
            durable=True,
        )  # fmt: skip

    def done(self, files: Iterable[Done], named: Mapping[str, Artifacts] | None = None) -> None:
        """Say which files have appeared.

        Parameters
        ----------
        files : iterable of Done
            The files.
        named : mapping, optional
            By output, what a store has named otherwise than it was announced.
        """
        self._write(
            (
                _head(done) | {"state": "done"} | _renamed(done.file.output, named or {})
                for done in files
            ),
            durable=False,
        )

    def _write(self, lines: Iterable[dict[str, Any]], *, durable: bool) -> None:
        text = "".join(
            json.dumps(line | {"fingerprint": self._fingerprint}) + "\n" for line in lines
        )
        self._part.append(text, durable=durable)

    def close(self) -> None:
        """Close the part."""
        self._part.close()


def _renamed(output: str, named: Mapping[str, Artifacts]) -> dict[str, Any]:
    return {"artifacts": named[output]} if output in named else {}


def _head(done: Done) -> dict[str, Any]:
    return {"at": time.time_ns(), "key": key_of(done.file), "output": done.file.output}


def _lines(part: Iterable[str]) -> Iterator[dict[str, Any]]:
    for text in part:
        with contextlib.suppress(json.JSONDecodeError):
            line = json.loads(text)
            if isinstance(line, dict) and {"key", "state", "output"} <= line.keys():
                yield line


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
