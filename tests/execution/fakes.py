"""Workers and collectors that do what a file's name says; they tell their process in the answer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from raypipe.errors import ModelError, StorageError
from raypipe.execution.events import Event
from raypipe.types import (
    AudioFile,
    BatchResult,
    Collected,
    Fault,
    FrameBatch,
    Piece,
    Segment,
)


def batch(number: int, what: str = "step", collector: int = 0) -> FrameBatch:
    """A batch of one segment whose ticket is ten times the batch's number."""
    file = AudioFile(what, what, what, 0, 0)
    return FrameBatch(number, (Segment(10 * number, file, 0, collector),), 1.0)


def die() -> None:
    """A moment later, so that the answer to the call before is on its way."""
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


class FakeWorker:
    """Steps nothing; `rss_bytes` of its answer is its process id."""

    def __init__(self, name: str) -> None:
        self.name = name

    def step(self, batch: FrameBatch) -> tuple[BatchResult, dict[int, list[Piece]]]:
        for segment in batch.segments:
            {"step": int, "die": die, "hang": hang, "fail": fail, "lost": lost}[segment.file.path]()
        return BatchResult(batch.number, (), rss_bytes=os.getpid()), {}

    def close(self) -> None:
        pass


class FakeCollector:
    """Takes anything; answers each ticket to drop with a fault that names its process."""

    def __init__(self, index: int, name: str) -> None:
        self.name = name

    def take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        for piece in pieces:
            {"die": die, "fail": fail, "wait": wait, "hang": hang, "lost": lost}[str(piece)]()
        return [Fault(ticket, f"{self.name} {os.getpid()}") for ticket in drop]

    def close(self) -> None:
        pass


class LeakyWorker(FakeWorker):
    """Takes 400 MB at first, from its fifth batch on 2 GB; its name comes with the seconds."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._batches = 0

    def step(self, batch: FrameBatch) -> tuple[BatchResult, dict[int, list[Piece]]]:
        self._batches += 1
        used = 400 << 20 if self._batches < 5 else 2 << 30
        result, pieces = super().step(batch)
        return replace(result, rss_bytes=used, busy_s={self.name: os.getpid()}), pieces


def hang() -> None:
    while True:
        time.sleep(1)


def wait() -> None:
    time.sleep(0.3)


def fail() -> None:
    raise StorageError("the disk is on fire")


def lost() -> None:
    """As where a call's argument went with the node that held it."""
    from ray.exceptions import ObjectLostError

    raise ObjectLostError("00" * 28, "owner", "site")


def dies_while_loading(name: str) -> FakeWorker:
    die()
    raise AssertionError


def hangs_while_loading(name: str) -> FakeWorker:
    hang()
    raise AssertionError


def dies_once(mark: Path, name: str) -> FakeWorker:
    """Dies while it loads, but for the second time."""
    if not mark.exists():
        mark.touch()
        die()
    return FakeWorker(name)


def cannot_load(name: str) -> FakeWorker:
    raise ModelError("model: found no weights, wanted some")


def cannot_begin(index: int, name: str) -> FakeCollector:
    raise StorageError("nowhere: cannot write")


def collector_dies(index: int, name: str) -> FakeCollector:
    die()
    raise AssertionError


def until(
    more: Callable[[], Sequence[Event]], kind: type[Any], seen: list[Event] | None = None
) -> Any:
    """Read events until one of this kind comes; all of them go to `seen`."""
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        events = more()
        if seen is not None:
            seen.extend(events)
        for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__} came")


def is_gone(pid: int) -> bool:
    """True once no such process runs; waits some seconds for it."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False
