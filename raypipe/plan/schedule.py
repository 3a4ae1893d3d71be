"""Which segments step together, where, and what happens when that goes wrong.

Pure: events in (`opened`, `stepped`, `lost` ...), `FrameBatch`es out (`take`);
no clock, no file, no Ray. Lanes are filled as workers fall free with the next
segment of whichever files are open, longest remaining first. Memory is bounded
by the open files: a file's state lives here between two segments.

A worker that dies over a batch makes its files suspects: they run again in
halves until the file that kills stands alone. Every other result is the same
to the bit as if nothing had happened, since the same state steps again.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace

from raypipe.plan.ready import Ready
from raypipe.types import (
    AudioFile,
    BatchResult,
    Failed,
    FrameBatch,
    Refused,
    Segment,
    SoundInfo,
    Stepped,
)

BYTES_PER_SECOND = 64_000
"""Guess at the size of a second of sound in a file that nobody has opened yet."""

LANE_SECONDS = 700.0
"""Sound that a batch is to have in all: some tenths of a second of computing."""

SHORTEST_S, LONGEST_S = 5.0, 60.0
"""Bounds of a segment: under the shorter, calls cost more than steps; over the longer, memory."""

GRAIN, FULL = 5, 14
"""Few lanes go by so many, as rows that a graph has too many cost as much as those in use; from so
many on, graphs are wide enough to bear some that are idle."""

MOST_MOVES = 2
"""A file that must be decoded from its start by a new owner changes hands so often at most."""

SOLO_STRIKES = 2
"""Workers that a file alone in its batch must have cost before it is to blame."""

INNOCENT_NODES = 2
"""Machines that may be lost with a file's batch before that is suspected: machines go for reasons
of their own, but a file that fills a container's memory may take all of it along each time."""


@dataclass(slots=True)
class _Open:
    """A file between its first segment and its last."""

    segment: Segment
    """The next one, or the one that is being stepped."""
    left_s: float
    """Seconds still to come, as far as anybody knows."""
    owner: str = ""
    """Worker that has the file open."""
    strikes: int = 0
    """Workers lost over its present segment while it was alone in its batch."""
    collector_strikes: int = 0
    """Collectors lost over it alone."""
    nodes_lost: int = 0
    """Machines that went while it was being stepped there."""
    moves: int = 0
    """Times that another worker took it over although its owner was there."""
    solo: bool = False
    """True where it goes alone to its end: a collector was lost over it and others."""

    @property
    def lanes(self) -> int:
        return self.segment.info.channels if self.segment.info else 1

    @property
    def pinned(self) -> bool:
        """True where another worker would have to decode all that came before again."""
        info = self.segment.info
        return bool(info and info.sequential and self.segment.start and self.owner)


@dataclass(slots=True)
class _Out:
    """A batch that a worker has."""

    batch: FrameBatch
    worker: str


class Schedule:
    """Fills lanes from open files.

    Parameters
    ----------
    lanes : int
        Lanes that a batch should have; a file with more channels still goes whole.
    workers : int
        Workers among which few files are shared out; may be set anew at any time.
    segment_s : float or None
        Length of a segment in seconds; None: from the number of files in the batch.
    """

    def __init__(self, lanes: int, workers: int = 1, segment_s: float | None = None) -> None:
        self.lanes = lanes
        self.workers = workers
        self.segment_s = segment_s
        self._open: dict[int, _Open] = {}
        self._ready = Ready()
        self._suspects: deque[tuple[int, ...]] = deque()
        self._out: dict[int, _Out] = {}
        self._has = Counter[str]()  # segments by worker, of the batches that are out
        self._tickets = 0
        self._batches = 0

    def __len__(self) -> int:
        """Files that are open."""
        return len(self._open)

    @property
    def ready(self) -> int:
        """Segments that wait for a worker."""
        return len(self._ready) + sum(len(group) for group in self._suspects)

    def batch(self, number: int) -> FrameBatch | None:
        """A batch that some worker has."""
        out = self._out.get(number)
        return out.batch if out else None

    def __contains__(self, ticket: int) -> bool:
        """True while this ticket's file is open."""
        return ticket in self._open

    def file(self, ticket: int) -> AudioFile:
        """The open file that holds this ticket."""
        return self._open[ticket].segment.file

    def tickets_of(self, collector: int) -> tuple[int, ...]:
        """Open files whose sound goes to this collector."""
        return tuple(t for t, one in self._open.items() if one.segment.collector == collector)

    def opened(self, file: AudioFile, collector: int) -> int:
        """Take a file in; give its ticket."""
        self._tickets += 1
        segment = Segment(self._tickets, file, 0, collector)
        self._open[self._tickets] = _Open(segment, file.size / BYTES_PER_SECOND)
        self._wait(self._tickets)
        return self._tickets

    def _wait(self, ticket: int) -> None:
        """Let an open file wait for a worker."""
        one = self._open[ticket]
        self._ready.add(ticket, one.left_s, one.owner if one.pinned else "")

    def closed(self, ticket: int) -> None:
        """Forget a file: it was published, or has failed elsewhere."""
        self._open.pop(ticket, None)
        self._ready.discard(ticket)

    def take(self, worker: str) -> FrameBatch | None:
        """The next batch for this worker; None where nothing waits for it."""
        while self._suspects:
            group = tuple(t for t in self._suspects.popleft() if t in self._open)
            if group:
                return self._send(worker, group)
        if not self._ready:
            return None
        has = self._has
        # Ahead of time only what fills all lanes: few files in two batches step in narrow ones.
        if has[worker] and len(self._ready) < self.lanes:
            return None
        share = -(-(has.total() + len(self._ready)) // self.workers) - has[worker]
        if share < 1:
            return None
        chosen: list[int] = []
        lanes = 0
        for ticket in self._ready.for_worker(worker, foreign=not has[worker]):
            one = self._open[ticket]
            foreign = one.pinned and one.owner != worker
            if (foreign and not self._may_move(one, has, worker)) or (one.solo and chosen):
                continue
            if chosen and (lanes + one.lanes > self.lanes or len(chosen) >= share):
                break
            chosen.append(ticket)
            lanes += one.lanes
            if one.solo:
                break
        while len(chosen) > 1 and GRAIN < lanes < FULL and lanes % GRAIN:
            lanes -= self._open[chosen.pop()].lanes
        for ticket in chosen:
            one = self._open[ticket]
            one.moves += one.pinned and one.owner != worker
        return self._send(worker, tuple(chosen)) if chosen else None

    def _may_move(self, one: _Open, has: Counter[str], worker: str) -> bool:
        """An idle worker may take a file whose owner is busy, though not for ever to and fro."""
        return not has[worker] and has[one.owner] > 0 and one.moves < MOST_MOVES

    def _send(self, worker: str, tickets: tuple[int, ...]) -> FrameBatch:
        self._batches += 1
        for ticket in tickets:
            self._ready.discard(ticket)
            self._open[ticket].owner = worker
        segments = tuple(self._open[ticket].segment for ticket in tickets)
        # Whole seconds: then resamplers, whose blocks are a second long, keep little inside.
        lanes = sum(self._open[ticket].lanes for ticket in tickets)
        batch = FrameBatch(self._batches, segments, self.segment_s or _segment_s(lanes))
        self._out[batch.number] = _Out(batch, worker)
        self._has[worker] += len(segments)
        return batch

    def _back(self, number: int) -> FrameBatch:
        """Take a batch from the worker that has it."""
        out = self._out.pop(number)
        self._has[out.worker] -= len(out.batch.segments)
        if not self._has[out.worker]:  # workers come and go
            del self._has[out.worker]
        return out.batch

    def stepped(self, result: BatchResult) -> list[Failed]:
        """Take a batch's answers in; give the files that turned out to be at fault."""
        self._back(result.number)
        failed = []
        for answer in result.answers:
            one = self._open.get(answer.ticket)
            if one is None:
                continue  # dropped while the batch was out
            if isinstance(answer, Refused):
                failed.append(self._failed(answer.ticket, answer.reason, answer.info))
            elif answer.ended:
                one.segment = replace(one.segment, info=answer.info, state=None)
            else:
                self._advance(one, answer)
        return failed

    def _advance(self, one: _Open, answer: Stepped) -> None:
        start = one.segment.start + answer.read
        one.segment = replace(one.segment, start=start, info=answer.info, state=answer.state)
        one.left_s = _left_s(answer.info, start, one.left_s)
        one.strikes = 0
        self._wait(answer.ticket)

    def lost(
        self, running: int | None, waiting: tuple[int, ...], why: str, *, node_lost: bool = False
    ) -> list[Failed]:
        """A worker is gone; its batches are to run again.

        Parameters
        ----------
        running : int or None
            The batch that it was at; its files are suspects.
        waiting : tuple of int
            Batches that it had not begun.
        why : str
            What happened to it.
        node_lost : bool
            True where its machine went, too: no suspicion, the first `INNOCENT_NODES` times.

        Returns
        -------
        list of Failed
            A file that has now cost `SOLO_STRIKES` workers alone.
        """
        if node_lost and running is not None and self._innocent(running):
            waiting, running = (running, *waiting), None
        for number in waiting:
            for segment in self._back(number).segments:
                if segment.ticket in self._open:
                    self._wait(segment.ticket)
        if running is None:
            return []
        batch = self._back(running)
        tickets = [s.ticket for s in batch.segments if s.ticket in self._open]
        for ticket in tickets:
            self._open[ticket].owner = ""
        if len(tickets) > 1:
            middle = len(tickets) // 2
            self._suspects.extend((tuple(tickets[:middle]), tuple(tickets[middle:])))
        for ticket in tickets if len(tickets) == 1 else ():
            one = self._open[ticket]
            one.strikes += len(batch.segments) == 1  # else a file that is void by now was with it
            if one.strikes >= SOLO_STRIKES:
                return [self._failed(ticket, f"the worker {why} over it, twice, with it alone")]
            self._suspects.append((ticket,))
        return []

    def _innocent(self, number: int) -> bool:
        """Count the machine that was lost with a batch; True while that may be chance."""
        batch = self._out[number].batch
        files = [self._open[s.ticket] for s in batch.segments if s.ticket in self._open]
        for one in files:
            one.nodes_lost += 1
        return all(one.nodes_lost <= INNOCENT_NODES for one in files)

    def forget_worker(self, worker: str) -> None:
        """Files that this worker had open may go anywhere."""
        for one in self._open.values():
            if one.owner == worker:
                one.owner = ""
        self._ready.free(worker)

    def _failed(self, ticket: int, reason: str, info: SoundInfo | None = None) -> Failed:
        segment = self._open[ticket].segment
        self.closed(ticket)
        return Failed(segment.file, reason, info or segment.info)

    def reopen(self, ticket: int, collector: int, suspects: tuple[int, ...] = ()) -> int | Failed:
        """Begin a file again from its start, since its sound was lost.

        Parameters
        ----------
        ticket : int
            The file's; it is void from now on.
        collector : int
            Where its sound is to go now.
        suspects : tuple of int
            Files over which a collector died. If this is one of them it goes alone from now on;
            if it was alone already it has a strike.

        Returns
        -------
        int or Failed
            Its new ticket, or its outcome once it has cost `SOLO_STRIKES` collectors alone.
        """
        one = self._open[ticket]
        strikes = one.collector_strikes + (suspects == (ticket,) and one.solo)
        if strikes >= SOLO_STRIKES:
            return self._failed(ticket, "the collector crashed over it, twice, with it alone")
        self.closed(ticket)
        again = self.opened(one.segment.file, collector)
        self._open[again].solo = one.solo or ticket in suspects
        self._open[again].collector_strikes = strikes
        return again


def _segment_s(lanes: int) -> float:
    """Length of a segment in a batch with so many lanes."""
    return min(LONGEST_S, max(SHORTEST_S, LANE_SECONDS // lanes))


def batch_seconds(lanes: int, segment_s: float | None) -> float:
    """Sound that a full batch holds, in seconds of all lanes."""
    return lanes * (segment_s or _segment_s(lanes))


def _left_s(info: SoundInfo, start: int, guess_s: float) -> float:
    if info.frames is None:
        return guess_s
    return max(0, info.frames - start) / info.rate_hz
