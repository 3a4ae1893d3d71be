"""Reading back what runs left in an output: the report of the last one, the journals of all.

Comes in: a report's path or address, a `Place`. Goes out: the report's head and
its files' entries, one at a time, and for each output what the journal says of
the file that it was made of, as an entry of the same shape. A report of a
million files is never in memory whole.
"""

from __future__ import annotations

import contextlib
import io
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from raypipe.errors import UsageError
from raypipe.results.journal import done_from
from raypipe.results.report import entry_of
from raypipe.storage import Place, Stamp, as_tree, show
from raypipe.storage.inputs import open_input
from raypipe.types import AudioFile, Done

FILES = ' "files": ['
"""The line of a report behind which each line is a file's entry."""

OUTCOMES = ("done", "skipped", "failed")

Entry: TypeAlias = "dict[str, Any]"
"""A file's entry, see `raypipe.results.report`."""


@dataclass(frozen=True, slots=True)
class Made:
    """What the journal says of one output."""

    at_ns: int
    """When it was about to appear, by the clock of the machine that put it there."""
    input: str
    """Path or address of the file that it was made of."""
    name: str
    """That file's name below the input's root, as reports name it."""
    output: str
    """Path relative to the output's root."""
    size: int
    """Bytes of the output."""
    stamp: Stamp
    """What else tells it from others."""
    finished: bool
    """True where it is known to have appeared."""
    key: str
    """Identity of the input, see `raypipe.results.journal.key_of`."""
    line: str
    """The journal's own line: a third of the memory that its parts would take."""

    @property
    def done(self) -> Done | None:
        """The outcome; None where the journal has it no more, or not as we know it."""
        file = AudioFile(self.input, self.name, self.output, 0, 0)
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            return done_from(file, json.loads(self.line)["done"])
        return None

    @property
    def entry(self) -> Entry:
        """As a report would tell it."""
        done = self.done
        if done is None:
            return {"path": self.name, "outcome": "done", "reason": None, "output": self.output}
        return entry_of(done)


def read_report(path: str) -> tuple[dict[str, Any], Iterator[Entry]]:
    """A report's head, and its files' entries as they are asked for.

    Parameters
    ----------
    path : str
        File or address of a JSON report that raypipe has written.

    Raises
    ------
    UsageError
        If it is no such report.
    OSError, StorageError
        If it cannot be read; also while the entries are asked for.
    """
    lines = _lines(path)
    head: list[str] = []
    for line in lines:
        if line.rstrip("\n") == FILES:
            with contextlib.suppress(ValueError):
                told = json.loads("".join(head).rstrip().rstrip(",") + "}")
                if isinstance(told, dict) and {"totals", "settings", "model"} <= told.keys():
                    return told, _entries(path, lines)
            break
        head.append(line)
    raise UsageError(f"{show(path)}: is no report that `raypipe enhance` has written")


def _lines(path: str) -> Iterator[str]:
    with (
        open_input(path) as file,
        io.TextIOWrapper(_buffered(file), encoding="utf-8", errors="replace") as text,
    ):
        yield from text


def _buffered(file: Any) -> Any:
    return io.BufferedReader(file, 1 << 18) if isinstance(file, io.RawIOBase) else file


def _entries(path: str, lines: Iterator[str]) -> Iterator[Entry]:
    for line in lines:
        text = line.strip().rstrip(",")
        if text == "]":
            return
        try:
            entry = json.loads(text)
            complete = isinstance(entry["path"], str) and entry["outcome"] in OUTCOMES
        except (ValueError, TypeError, KeyError):
            complete = False
        if not complete:
            raise UsageError(f"{show(path)}: is damaged at {show(text[:60])!r}")
        yield entry


def made_in(place: Place, run: str = "") -> dict[str, Made]:
    """By output, what the journals of all runs, or of one, say last of it.

    Raises
    ------
    StorageError
        If a journal cannot be read.
    """
    found: dict[str, Made] = {}
    finished: set[tuple[str, str]] = set()
    for part in place.parts(run):
        for text, line in _objects(part):
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                if line["state"] == "done":
                    finished.add((line["output"], line["key"]))
                elif line["state"] == "publishing":
                    made = _made(line, text)
                    before = found.get(made.output)
                    if before is None or before.at_ns < made.at_ns:
                        found[made.output] = made
    return {
        output: replace(made, finished=True) if (output, made.key) in finished else made
        for output, made in found.items()
    }


def _objects(part: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for text in part:
        with contextlib.suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict):
                yield text, line


def _made(line: Mapping[str, Any], text: str) -> Made:
    output, source = str(line["output"]), str(line["input"])
    (_, size, stamp), *_ = line["artifacts"].values()
    return Made(
        at_ns=int(line["at"]),
        input=source,
        # An output lies where its input lay, each below its own root.
        name=posixpath.join(posixpath.dirname(output), posixpath.basename(as_tree(source))),
        output=output,
        size=int(size),
        stamp=stamp if isinstance(stamp, str) else int(stamp),
        finished=False,
        key=str(line["key"]),
        line=text,
    )
