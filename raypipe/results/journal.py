"""What is done already, told by the output folder itself.

::

    OUT/.raypipe/journal/<run>-<writer>.jsonl      one JSON object a line, only ever appended
      {"key": ..., "fingerprint": ..., "state": "publishing", "artifacts": {name: [path, size,
       mtime_ns]}, "done": {...}}                  made durable before the files appear
      {"key": ..., "fingerprint": ..., "state": "done"}        after they have appeared

*key* names an input as it was: name, size, time of change. *fingerprint* names
the model and the settings that change the sound. A file counts as done where it
stands in the output and either its ``done`` line is there, or its
``publishing`` line is and the file is the very one that the line speaks of
(same size and time: a rename keeps both). A torn last line is passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from raypipe.storage import Place, storage_error
from raypipe.types import AudioFile, Done, Levels, SoundInfo


def key_of(file: AudioFile) -> str:
    """Identity of an input: another name, size or time of change is another input."""
    text = f"{file.name}\0{file.size}\0{file.mtime_ns}"
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


@dataclass(slots=True)
class Entry:
    """What the journal says of one input."""

    fingerprint: str
    artifacts: dict[str, tuple[str, int, int]]
    """By name: path relative to the output's root, size, mtime_ns."""
    finished: bool
    """True where the ``done`` line was written."""
    done: dict[str, Any]
    """The outcome's fields, see `done_from`."""


class Journal:
    """The journal of one output folder, read as it was at the start of a run."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._entries: dict[str, Entry] = {}
        self._owned: set[str] = set()
        self.reload()

    def reload(self) -> None:
        """Read what was written since, by this run's own collectors too."""
        folder = Path(self._place.journal)
        for part in sorted(folder.glob("*.jsonl"), key=lambda p: (p.stat().st_mtime_ns, p.name)):
            for line in _lines(part):
                self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        key = line["key"]
        if line["state"] == "publishing":
            artifacts = {name: (p, size, at) for name, (p, size, at) in line["artifacts"].items()}
            self._entries[key] = Entry(line["fingerprint"], artifacts, False, line["done"])
            self._owned.update(path for path, _, _ in artifacts.values())
        elif key in self._entries and self._entries[key].fingerprint == line["fingerprint"]:
            self._entries[key].finished = True

    def finds(self, file: AudioFile, fingerprint: str) -> Done | None:
        """The outcome of this very input under these settings, if it stands complete."""
        entry = self._entries.get(key_of(file))
        if entry is None or entry.fingerprint != fingerprint:
            return None
        if file.output not in (path for path, _, _ in entry.artifacts.values()):
            return None
        for path, size, mtime_ns in entry.artifacts.values():
            try:
                found = os.stat(self._place.final(path))
            except OSError:
                return None
            if found.st_size != size or not (entry.finished or found.st_mtime_ns == mtime_ns):
                return None
        return done_from(file, entry.done)

    def made(self, output: str) -> bool:
        """True where a run of raypipe wrote this output, whatever its settings."""
        return output in self._owned


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
                {"key": key_of(done.file), "state": "publishing", "artifacts": artifacts,
                 "done": done_to(done)}
                for done, artifacts in files
            ),
            durable=True,
        )  # fmt: skip

    def done(self, files: Iterable[Done]) -> None:
        """Say which files have appeared."""
        self._write(({"key": key_of(done.file), "state": "done"} for done in files), durable=False)

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


def _lines(part: Path) -> Iterator[dict[str, Any]]:
    try:
        with part.open(encoding="utf-8", errors="replace") as lines:
            for text in lines:
                with contextlib.suppress(json.JSONDecodeError):
                    line = json.loads(text)
                    if isinstance(line, dict) and {"key", "state", "fingerprint"} <= line.keys():
                        yield line
    except OSError as error:
        raise storage_error(error, part, "read the journal") from error


def done_to(done: Done) -> dict[str, Any]:
    """The fields of an outcome that `done_from` cannot know, as JSON takes them."""
    fields = asdict(done)
    del fields["file"]
    return fields


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
