"""The loop against an executor that lies, loses and delays at random: the counts must add up."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raypipe.dispatch import Dispatch
from raypipe.errors import TooManyFailures
from raypipe.execution.events import (
    BatchDone,
    CollectorLost,
    Event,
    SoundCollected,
    WorkerLost,
    WorkerReady,
    WorkerRetired,
)
from raypipe.plan.collisions import Listed
from raypipe.plan.schedule import Schedule
from raypipe.results.report import RunReport
from raypipe.settings import RunSettings
from raypipe.types import (
    AudioFile,
    BatchResult,
    Done,
    FrameBatch,
    Levels,
    Outcome,
    Published,
    Refused,
    SoundInfo,
    Stepped,
    samples_in,
)

RATE_HZ = 1000
LEVELS = Levels(None, None)


def audio(number: int) -> AudioFile:
    return AudioFile(f"/in/{number}", f"{number}", f"{number}", 100 * number, 0)


@dataclass
class Chaos:
    """Workers that come, go and retire, and two collectors: obedient, unless chance takes them."""

    chance: random.Random
    lengths: dict[str, int]
    bad: set[str]
    losses: int
    comings: int = 3
    """Workers that join, and the most that retire."""
    depth: int = 2
    retired: set[str] = field(default_factory=set)
    queues: dict[str, list[FrameBatch]] = field(default_factory=dict)
    sound: dict[int, list[tuple[int, int, int, int, bool, AudioFile]]] = field(default_factory=dict)
    collectors: tuple[dict[int, int], ...] = field(default_factory=lambda: ({}, {}))
    published: dict[str, int] = field(default_factory=dict)
    pending: list[Event] = field(default_factory=list)
    generation: int = 0
    workers_lost: int = 0
    workers_retired: int = 0
    collectors_lost: int = 0

    @property
    def workers(self) -> int:
        return max(1, len(self.queues) - len(self.retired))

    def start(self) -> None:
        for _ in range(2):
            self.hire()

    def hire(self) -> None:
        self.generation += 1
        self.queues[f"w{self.generation}"] = []
        self.pending.append(WorkerReady(f"w{self.generation}"))

    def choose_collector(self) -> int:
        return self.chance.randrange(2)

    def submit(self, worker: str, batch: FrameBatch, timeout_s: float) -> None:
        assert worker not in self.retired, "who has retired gets nothing more"
        self.queues[worker].append(batch)

    def collect(self, number: int, drop: Sequence[int]) -> None:
        done = []
        for collector, ticket, start, read, ended, file in self.sound.pop(number):
            have = self.collectors[collector]
            if ticket in drop:
                have.pop(ticket, None)
                continue
            assert have.get(ticket, 0) == start, "pieces come in order and without gaps"
            have[ticket] = start + read
            if ended:
                assert have.pop(ticket) == self.lengths[file.name]
                assert file.name not in self.published, "nothing is published twice"
                self.published[file.name] = ticket
                info = SoundInfo(RATE_HZ, 1, None, "WAV", "PCM_16")
                one = Done(file, {"sound": file.output}, info, start + read, LEVELS, LEVELS)
                done.append(Published(ticket, one))
        self.pending.append(SoundCollected(tuple(done)))

    def drop(self, collector: int, ticket: int) -> None:
        self.collectors[collector].pop(ticket, None)

    def backlog(self) -> int:
        return 0

    def events(self, wait_s: float) -> list[Event]:
        events, self.pending = self.pending, []
        if events:
            return events
        if self.comings and self.chance.random() < 0.1:
            self.comings -= 1
            self.hire()
        for worker in [w for w in self.retired if not self.queues[w]]:
            self.retired.remove(worker)
            del self.queues[worker]
            self.hire()
        busy = [worker for worker, queue in self.queues.items() if queue]
        if not busy:
            return []
        worker = self.chance.choice(busy)
        if self.losses and self.chance.random() < 0.3:
            self.losses -= 1
            if self.chance.random() < 0.5:
                return [self.lose_worker(worker)]
            return [self.lose_collector(self.chance.randrange(2))]
        done: list[Event] = [BatchDone(worker, self.step(self.queues[worker].pop(0)))]
        if self.comings and worker not in self.retired and self.chance.random() < 0.1:
            self.retired.add(worker)
            self.workers_retired += 1
            done.append(WorkerRetired(worker))
        return done

    def lose_worker(self, worker: str) -> Event:
        self.workers_lost += 1
        queue = self.queues.pop(worker)
        self.retired.discard(worker)
        node_lost = self.chance.random() < 0.5
        if not node_lost or not self.queues:
            self.hire()
        if len(queue[0].segments) == 1:
            self.losses = 0  # a second loss of a file alone would rightly blame it
        waiting = tuple(batch.number for batch in queue[1:])
        return WorkerLost(worker, queue[0].number, waiting, "crashed", node_lost)

    def lose_collector(self, index: int) -> Event:
        self.collectors[index].clear()
        self.collectors_lost += 1
        return CollectorLost(index, None)

    def step(self, batch: FrameBatch) -> BatchResult:
        answers: list[Stepped | Refused] = []
        self.sound[batch.number] = []
        for segment in batch.segments:
            length = self.lengths[segment.file.name]
            read = min(samples_in(batch.segment_s, RATE_HZ), length - segment.start)
            ended = segment.start + read >= length
            if segment.file.name in self.bad and ended:
                answers.append(Refused(segment.ticket, "broken"))
                continue
            info = SoundInfo(RATE_HZ, 1, None, "WAV", "PCM_16")
            answers.append(Stepped(segment.ticket, info, read, ended, None if ended else {}))
            self.sound[batch.number].append(
                (segment.collector, segment.ticket, segment.start, read, ended, segment.file)
            )
        return BatchResult(batch.number, tuple(answers))

    def facts(self) -> dict[str, object]:
        return {}

    def close(self) -> None:
        pass


class Tally:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def progress(self, progress: object) -> None:
        pass

    def outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def dispatch(
    executor: Chaos, todo: Iterator[AudioFile | Outcome], tally: Tally, **flags: int
) -> RunReport:
    report = RunReport("", {}, {}, {})
    executor.start()

    def published(files: Sequence[AudioFile]) -> dict[str, Outcome]:
        info = SoundInfo(RATE_HZ, 1, None, "WAV", "PCM_16")
        return {
            file.output: Done(file, {"sound": file.output}, info, 0, LEVELS, LEVELS)
            for file in files
            if file.name in executor.published
        }

    Dispatch(
        Schedule(4, 2, segment_s=1), executor, todo, report, RunSettings(**flags),  # type: ignore[arg-type]
        Listed(0, 0, False), published, time.monotonic(), tally,
    ).run()  # fmt: skip
    return report


@settings(max_examples=300, deadline=None)
@example(
    lengths=[0] * 4 + [2001] + [0] * 5 + [1001] + [0] * 7 + [2001] * 2,
    bad=set(),
    losses=5,
    seed=618,
)
@given(
    lengths=st.lists(st.integers(0, 5000), max_size=30),
    bad=st.sets(st.integers(0, 29)),
    losses=st.integers(0, 8),
    seed=st.integers(0, 2**32 - 1),
)
def test_each_file_ends_in_exactly_one_outcome_whatever_is_lost(
    lengths: list[int], bad: set[int], losses: int, seed: int
) -> None:
    executor = Chaos(
        random.Random(seed),
        {str(n): length for n, length in enumerate(lengths)},
        {str(n) for n in bad},
        losses,
    )
    tally = Tally()
    report = dispatch(executor, iter([audio(n) for n in range(len(lengths))]), tally)
    names = Counter(outcome.file.name for outcome in tally.outcomes)
    assert names == Counter(executor.lengths.keys())
    failed = {o.file.name for o in tally.outcomes if not isinstance(o, Done)}
    assert failed == executor.bad & executor.lengths.keys()
    totals = report.totals
    assert (totals.files, totals.failed) == (len(lengths), len(failed))
    assert totals.done + totals.skipped + totals.failed == totals.files
    assert totals.worker_restarts == executor.workers_lost
    assert totals.retired_workers == executor.workers_retired
    assert totals.lost_batches >= totals.worker_restarts
    assert totals.collector_restarts == executor.collectors_lost


def test_the_first_file_is_done_long_before_the_listing_ends() -> None:
    listed = 0
    at_first = 0

    def listing() -> Iterator[AudioFile]:
        nonlocal listed
        for number in range(5000):
            listed += 1
            yield audio(number)

    class First(Tally):
        def outcome(self, outcome: Outcome) -> None:
            nonlocal at_first
            at_first = at_first or listed

    executor = Chaos(random.Random(1), {str(n): 10 for n in range(5000)}, set(), 0)
    dispatch(executor, listing(), First())
    assert 0 < at_first < 100, "open files are bounded by lanes and workers, not by the folder"


def test_a_run_stops_at_its_limit_of_failures() -> None:
    executor = Chaos(random.Random(1), {str(n): 10 for n in range(50)}, {"3", "5", "7"}, 0)
    tally = Tally()
    with pytest.raises(TooManyFailures, match="2 files have failed"):
        dispatch(executor, iter([audio(n) for n in range(50)]), tally, max_failures=2)
    assert sum(not isinstance(o, Done) for o in tally.outcomes) == 2


def test_nothing_to_do_ends_at_once() -> None:
    assert dispatch(Chaos(random.Random(1), {}, set(), 0), iter([]), Tally()).totals.files == 0
