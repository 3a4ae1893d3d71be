"""An output in a store, as any process of the run sees it.

::

    s3://bucket/OUT/
      .raypipe/
        lease.json                       who holds it, see lease.py
        journal/<run>-<writer>-<n>.jsonl what one call of one collector has published
        journal/merged-<run>-<n>.jsonl   what many such parts of earlier runs said
        report.json
      speech/a.wav                       appears by one upload, whole or not at all

Nothing unfinished lies in the store: a collector writes its files in a temporary
folder of its own machine.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO

from raypipe.errors import StorageError
from raypipe.storage.address import store_of
from raypipe.storage.bucket_publisher import BucketPublisher
from raypipe.storage.lease import LOOK_S, read_lease
from raypipe.storage.paths import PRIVATE, join, show
from raypipe.storage.place import Stamp
from raypipe.storage.refusals import refusals
from raypipe.storage.store import Found

PARTS_AT_A_TIME = 32
"""Small objects that are read side by side."""

MOST_PARTS = 256
"""Parts of the journal at which they are merged: reading more takes more than a second."""

MERGED_BYTES = 32 << 20
"""Size of a merged part."""

MOST_LOOKS = 32
"""Outputs that are looked at one by one; then all of them are listed, a thousand at a time."""


class BucketPlace:
    """An output in a store.

    Parameters
    ----------
    root : str
        Address that outputs are relative to.
    run : str
        Id of the run that holds it; empty where nobody does.
    resumable : bool
        False where the output is one file: then there is neither lease nor journal.
    """

    near_workers = False

    def __init__(self, root: str, run: str, *, resumable: bool = True) -> None:
        self.root, self.run, self.resumable = root, run, resumable
        self._looks = 0
        self._listed: dict[str, Found] | None = None
        self._ours_until_s = 0.0

    def __reduce__(self) -> tuple[Callable[..., BucketPlace], tuple[str, str, bool]]:
        return _place, (self.root, self.run, self.resumable)

    @property
    def lease(self) -> str:
        """Address of the lease."""
        return self.private("lease.json")

    def private(self, name: str) -> str:
        """Address of an object of raypipe's own."""
        return join(join(self.root, PRIVATE), name)

    def final(self, output: str) -> str:
        """Address under which an output appears."""
        if any(part in ("", ".", "..") for part in output.split("/")):
            raise StorageError(f"{show(output)}: would lie outside {show(self.root)}")
        return join(self.root, output)

    def temporary(self, name: str) -> str:
        """None: `near_workers` says so."""
        raise NotImplementedError("unfinished files lie on the collector's machine")

    def publisher(self, name: str) -> BucketPublisher:
        """For a process that publishes."""
        return BucketPublisher(self, name)

    def still_ours(self) -> bool:
        """False once another run has the lease, or nobody; looked up every few seconds."""
        now_s = time.monotonic()
        if not self.resumable or now_s < self._ours_until_s:
            return True
        with refusals(self.root, "read the lease of"):
            holder = read_lease(store_of(self.root), self.lease)
        self._ours_until_s = now_s + LOOK_S
        return holder is not None and holder.run == self.run

    def exists(self, output: str) -> bool:
        """True where something stands at this output, as far as it was listed."""
        return self._at(output, fresh=False) is not None

    def stands(self, output: str, size: int, stamp: Stamp | None, *, fresh: bool = False) -> bool:
        """True where this very object stands there; its etag counts if one is given."""
        found = self._at(output, fresh=fresh)
        if found is None or found.size != size:
            return False
        return stamp is None or str(stamp).removeprefix("~") == found.etag

    def may_be(self, output: str, size: int, stamp: Stamp) -> bool:
        """As `stands`, but that the size is enough where nobody confirmed the etag.

        The journal says that we were about to put it there, and nobody else may have meanwhile.
        """
        unconfirmed = str(stamp).startswith("~")
        return self.stands(output, size, None if unconfirmed else stamp)

    def _at(self, output: str, *, fresh: bool) -> Found | None:
        if not fresh and self._listed is None:
            self._looks += 1
            if self._looks > MOST_LOOKS:
                self._listed = self._list()
        if not fresh and self._listed is not None:
            return self._listed.get(output)
        with refusals(self.root, "look at"):
            return store_of(self.root).stat(self.final(output))

    def _list(self) -> dict[str, Found]:
        begin = len(self.root) + 1
        with refusals(self.root, "list"):
            return {found.address[begin:]: found for found in store_of(self.root).walk(self.root)}

    def parts(self, run: str = "") -> Iterator[Iterable[str]]:
        """Lines of each part of the journal, or of one run's, in the order of their writing."""
        store = store_of(self.root)
        names = self._part_addresses(f"{run}-" if run else "")
        with ThreadPoolExecutor(PARTS_AT_A_TIME, "journal") as threads:
            for start in range(0, len(names), PARTS_AT_A_TIME):
                some = names[start : start + PARTS_AT_A_TIME]
                with refusals(self.root, "read the journal of"):
                    texts = list(threads.map(store.read_all, some))
                for text in texts:
                    yield io.StringIO(text.decode("utf-8", "replace"))

    def _part_addresses(self, begins: str) -> list[str]:
        folder = self.private("journal")
        with refusals(self.root, "list the journal of"):
            found = [each.address for each in store_of(self.root).walk(folder)]
        return sorted(a for a in found if a[len(folder) + 1 :].startswith(begins))

    def part(self, writer: str) -> BucketPart:
        """A new part of this run's; each call makes an object."""
        return BucketPart(self, self.private(f"journal/{self.run}-{writer}"))

    def tidy(self) -> None:
        """Merge the journal's parts where there are many: first the merged ones, then no others.

        A run that dies in between leaves lines that stand there twice, which is no harm.
        """
        folder = self.private("journal")
        merged = f"{folder}/merged-"
        old = [a for a in self._part_addresses("") if not a.startswith(merged)]
        if len(old) <= MOST_PARTS:
            return
        store = store_of(self.root)
        text, number = io.BytesIO(), 0
        with (
            refusals(self.root, "merge the journal of"),
            ThreadPoolExecutor(PARTS_AT_A_TIME, "journal") as threads,
        ):
            for start in range(0, len(old), PARTS_AT_A_TIME):
                some = old[start : start + PARTS_AT_A_TIME]
                for part in threads.map(store.read_all, some):
                    text.write(_short(part))
                last = start + PARTS_AT_A_TIME >= len(old)
                if last or text.tell() > MERGED_BYTES:
                    store.put(f"{merged}{self.run}-{number:04}.jsonl", text.getvalue())
                    text, number = io.BytesIO(), number + 1
            store.remove(old)

    def write_report(self, write: Callable[[IO[str]], None]) -> None:
        """Let the report appear in the private folder."""
        write_object(self.private("report.json"), write, "write the report")

    def mark(self, name: str) -> None:
        """Leave a mark for runs to come."""
        if self.resumable:
            with contextlib.suppress(OSError, StorageError):
                store_of(self.root).put(self.private(name), b"")

    def marked(self, name: str) -> bool:
        """True where that mark was left."""
        with refusals(self.root, "look into"):
            return self.resumable and store_of(self.root).stat(self.private(name)) is not None

    def unmark(self, name: str) -> None:
        """Take the mark away."""
        if self.resumable:
            with contextlib.suppress(OSError, StorageError):  # must not hide what ended the run
                store_of(self.root).remove([self.private(name)])


def _place(root: str, run: str, resumable: bool) -> BucketPlace:
    return BucketPlace(root, run, resumable=resumable)


class BucketPart:
    """A writer's part of the journal: a store cannot append, so each call makes an object."""

    def __init__(self, place: BucketPlace, address: str) -> None:
        self._place, self._address = place, address
        self._written = 0

    def append(self, text: str, *, durable: bool) -> None:
        """Add whole lines; they are durable in any case."""
        data = text.encode("utf-8", "surrogateescape")
        while data:
            self._written += 1
            address = f"{self._address}-{self._written:06}.jsonl"
            with refusals(self._place.root, "write the journal of"):
                try:
                    store_of(address).put(address, data, new=True)
                except FileExistsError:  # never replace a part: the next number is free
                    continue
            return

    def close(self) -> None:
        """Nothing is open."""


def _short(part: bytes) -> bytes:
    """Lines without the outcomes, which only their own run asks for."""
    lines = []
    for line in part.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict):
            told.pop("done", None)
            lines.append(json.dumps(told).encode() + b"\n")
    return b"".join(lines)


def write_object(address: str, write: Callable[[IO[str]], None], doing: str) -> None:
    """Let a text object appear whole or not at all.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    with refusals(address, doing), tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        write(file)
        file.flush()
        store_of(address).upload(file.name, address, threading.Event())
