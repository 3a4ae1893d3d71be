"""What a run needs of its output, whatever holds it: a folder on a disk or a bucket.

A `Place` is small and travels to every process of the run; a `Publisher` is made
from it where files are written, and holds what cannot travel (threads, open
files, a folder for what is unfinished).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Protocol, TypeAlias

Stamp: TypeAlias = "int | str"
"""What tells a file from another one of its name and size: on a disk its time of change in
nanoseconds; in a bucket its etag, after a ``~`` where we computed it and nobody confirmed it."""


class JournalPart(Protocol):
    """One writer's part of the journal."""

    def append(self, text: str, *, durable: bool) -> None:
        """Add whole lines; with `durable` they outlive a power cut once this has returned."""

    def close(self) -> None:
        """Let go of it."""


class Publisher(Protocol):
    """Where one process writes unfinished files and lets whole ones appear."""

    def temporary(self, name: str) -> str:
        """Path on this machine for an unfinished file."""

    def seal(self, paths: Sequence[str]) -> dict[str, tuple[int, Stamp]]:
        """Make complete files ready to appear: durable, with size and stamp, by path."""

    def publish(self, moves: Sequence[tuple[str, str]]) -> list[Stamp | OSError]:
        """Let files appear, given path and output; their stamps, or why one output cannot be.

        Raises
        ------
        StorageError
            If the output refuses more than this one file.
        """

    def withdraw(self, output: str) -> None:
        """Take one away again."""

    def close(self) -> None:
        """Stop what is under way and leave nothing unfinished behind."""


class Place(Protocol):
    """An output as any process of the run sees it."""

    @property
    def root(self) -> str:
        """Folder or address that outputs are relative to."""

    @property
    def run(self) -> str:
        """Id of the run that holds it."""

    @property
    def near_workers(self) -> bool:
        """True where a worker may write unfinished files of its own, with `temporary`."""

    def temporary(self, name: str) -> str:
        """Path for an unfinished file, where `near_workers` says that there is one."""

    def publisher(self, name: str) -> Publisher:
        """For a process that publishes; `name` is its own in the run."""

    def still_ours(self) -> bool:
        """False once another run has taken the place over: an orphaned process must stop."""

    def exists(self, output: str) -> bool:
        """True where something stands at this output."""

    def stands(self, output: str, size: int, stamp: Stamp | None, *, fresh: bool = False) -> bool:
        """True where this very file stands there; the stamp counts if one is given.

        A store's listing from the beginning of the run will do unless `fresh` is asked for.
        """

    def may_be(self, output: str, size: int, stamp: Stamp) -> bool:
        """True where what stands there can be the file that was announced with this stamp."""

    def parts(self, run: str = "") -> Iterator[Iterable[str]]:
        """Lines of each part of the journal, or of one run's."""

    def part(self, writer: str) -> JournalPart:
        """A new part of this run's."""

    def write_report(self, write: Callable[[IO[str]], None]) -> None:
        """Let the report appear in the private folder, with what `write` puts into it."""

    def mark(self, name: str) -> None:
        """Leave a mark for runs to come."""

    def marked(self, name: str) -> bool:
        """True where that mark was left and not taken away."""

    def unmark(self, name: str) -> None:
        """Take the mark away."""
