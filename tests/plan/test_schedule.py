"""The schedule decides from events alone, so these tests are plain lists of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from raypipe.plan.schedule import INNOCENT_NODES, SOLO_STRIKES, Schedule
from raypipe.types import (
    AudioFile,
    BatchResult,
    Failed,
    FrameBatch,
    Refused,
    SoundInfo,
    Stepped,
    samples_in,
)

RATE_HZ = 1000


def audio(name: str, size: int = 64_000) -> AudioFile:
    return AudioFile(f"/in/{name}", name, name, size, 0)


def sound(frames: int, channels: int = 1, *, sequential: bool = False) -> SoundInfo:
    return SoundInfo(RATE_HZ, channels, frames, "WAV", "PCM_16", sequential=sequential)


@dataclass
class Machine:
    """Plays workers for a schedule; remembers which samples of which file were stepped."""

    schedule: Schedule
    lengths: dict[str, int]
    channels: int = 1
    sequential: bool = False
    done: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)

    def step(self, batch: FrameBatch) -> list[Failed]:
        answers = []
        for segment in batch.segments:
            length = self.lengths[segment.file.name]
            read = min(samples_in(batch.segment_s, RATE_HZ), length - segment.start)
            ended = segment.start + read >= length
            self.done.setdefault(segment.file.name, []).append((segment.start, read))
            info = sound(length, self.channels, sequential=self.sequential)
            answers.append(Stepped(segment.ticket, info, read, ended, None if ended else {}))
            if ended:
                self.ended.append(segment.file.name)
        failed = self.schedule.stepped(BatchResult(batch.number, tuple(answers)))
        for segment, answer in zip(batch.segments, answers, strict=True):
            if answer.ended:
                self.schedule.closed(segment.ticket)
        return failed


def test_a_batch_has_no_more_files_than_lanes() -> None:
    schedule = Schedule(4)
    for number in range(10):
        schedule.opened(audio(f"{number}"), 0)
    batch = schedule.take("w")
    assert batch is not None
    assert len(batch.segments) == 4


def test_few_files_are_shared_out_among_workers() -> None:
    schedule = Schedule(64, workers=2)
    for number in range(6):
        schedule.opened(audio(f"{number}"), 0)
    sizes = [len(b.segments) for w in ("a", "b") if (b := schedule.take(w))]
    assert sizes == [3, 3]


def test_channels_count_as_lanes_once_they_are_known() -> None:
    schedule = Schedule(4, segment_s=1)
    machine = Machine(schedule, {str(n): 3000 for n in range(4)}, channels=2)
    for name in machine.lengths:
        schedule.opened(audio(name), 0)
    first = schedule.take("w")
    assert first is not None and len(first.segments) == 4
    machine.step(first)
    second = schedule.take("w")
    assert second is not None and len(second.segments) == 2


def test_a_file_with_more_channels_than_lanes_still_goes() -> None:
    schedule = Schedule(1, segment_s=1)
    machine = Machine(schedule, {"a": 3000}, channels=6)
    schedule.opened(audio("a"), 0)
    while batch := schedule.take("w"):
        machine.step(batch)
    assert machine.ended == ["a"]


def test_the_longest_remaining_goes_first() -> None:
    schedule = Schedule(1)
    for name, size in (("short", 1), ("long", 10**9), ("middle", 10**6)):
        schedule.opened(audio(name, size), 0)
    order = [b.segments[0].file.name for _ in range(3) if (b := schedule.take("w"))]
    assert order == ["long", "middle", "short"]


def test_files_of_one_segment_fill_all_lanes_however_few() -> None:
    schedule = Schedule(70, workers=1)
    for number in range(70):
        schedule.opened(audio(f"{number}", 640_000), 0)
    batch = schedule.take("w")
    assert batch is not None and len(batch.segments) == 70


def time_of_a_run(lengths_s: list[int], lanes: int, workers: int, depth: int) -> float:
    """When the last of some workers ends; a batch takes as long as its lanes, and one more."""
    schedule = Schedule(lanes, workers)
    lengths = {str(n): length_s * RATE_HZ for n, length_s in enumerate(lengths_s)}
    machine = Machine(schedule, lengths)
    for name, length in lengths.items():
        schedule.opened(audio(name, 64 * length), 0)
    has: dict[str, list[FrameBatch]] = {str(n): [] for n in range(workers)}
    free_s = dict.fromkeys(has, 0.0)
    while len(schedule):
        for deep in range(depth):
            for worker, queue in has.items():
                if len(queue) <= deep and (batch := schedule.take(worker)):
                    queue.append(batch)
        worker = min((w for w in has if has[w]), key=lambda w: free_s[w])
        batch = has[worker].pop(0)
        longest = max(
            min(batch.segment_s, lengths[s.file.name] / RATE_HZ - s.start / RATE_HZ)
            for s in batch.segments
        )
        free_s[worker] = max(free_s[worker], min(free_s.values())) + longest * (
            len(batch.segments) + 1
        )
        machine.step(batch)
    return max(free_s.values())


def test_a_long_file_among_short_ones_ends_with_them() -> None:
    lengths_s = [1800, 1500, 900, *[random.Random(n).randrange(1, 600) for n in range(120)]]
    assert time_of_a_run(lengths_s, 70, 2, 2) < 1.2 * sum(lengths_s) / 2


def test_few_lanes_fill_the_rows_that_they_cost() -> None:
    for files, wanted in ((3, 3), (5, 5), (8, 5), (12, 10), (14, 14), (30, 30)):
        schedule = Schedule(70)
        for number in range(files):
            schedule.opened(audio(f"{number}"), 0)
        batch = schedule.take("w")
        assert batch is not None and len(batch.segments) == wanted


def test_a_second_batch_is_given_only_if_it_is_full() -> None:
    schedule = Schedule(4)
    for number in range(11):
        schedule.opened(audio(f"{number}"), 0)
    sizes = [len(b.segments) for _ in range(4) if (b := schedule.take("w"))]
    assert sizes == [4, 4]


def test_a_file_never_has_two_segments_out() -> None:
    schedule = Schedule(8)
    schedule.opened(audio("a"), 0)
    assert schedule.take("w") is not None
    assert schedule.take("v") is None


def test_a_sequential_file_stays_with_its_worker_until_that_is_lost() -> None:
    schedule = Schedule(8, segment_s=1)
    machine = Machine(schedule, {"a": 9000}, sequential=True)
    schedule.opened(audio("a"), 0)
    batch = schedule.take("w")
    assert batch is not None
    machine.step(batch)
    assert schedule.take("v") is None
    batch = schedule.take("w")
    assert batch is not None
    machine.step(batch)
    schedule.forget_worker("w")
    assert schedule.take("v") is not None


def test_the_batch_that_waited_behind_a_lost_one_is_not_suspected() -> None:
    schedule = Schedule(2)
    for number in range(4):
        schedule.opened(audio(f"{number}"), 0)
    first, second = schedule.take("w"), schedule.take("w")
    assert first is not None and second is not None
    schedule.lost(first.number, (second.number,), "crashed")
    sizes = []
    while batch := schedule.take("v"):
        sizes.append([s.file.name for s in batch.segments])
    assert sorted(map(len, sizes)) == [1, 1, 2]
    assert ["2", "3"] in sizes


def test_a_refused_file_fails_and_its_neighbours_go_on() -> None:
    schedule = Schedule(2, segment_s=1)
    bad = schedule.opened(audio("bad"), 0)
    good = schedule.opened(audio("good"), 0)
    batch = schedule.take("w")
    assert batch is not None
    answers = tuple(
        Refused(bad, "broken") if s.ticket == bad else Stepped(good, sound(5000), 1000, False, {})
        for s in batch.segments
    )
    failed = schedule.stepped(BatchResult(batch.number, answers))
    assert [(f.file.name, f.reason) for f in failed] == [("bad", "broken")]
    batch = schedule.take("w")
    assert batch is not None
    assert [(s.file.name, s.start) for s in batch.segments] == [("good", 1000)]


def test_a_reopened_file_begins_again_under_a_new_ticket() -> None:
    schedule = Schedule(2, segment_s=1)
    machine = Machine(schedule, {"a": 5000})
    old = schedule.opened(audio("a"), 0)
    batch = schedule.take("w")
    assert batch is not None
    machine.step(batch)
    new = schedule.reopen(old, 1)
    assert new not in (None, old)
    batch = schedule.take("w")
    assert batch is not None
    assert [(s.ticket, s.start, s.state, s.collector) for s in batch.segments] == [
        (new, 0, None, 1)
    ]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 20_000), min_size=1, max_size=40),
    lanes=st.integers(1, 9),
    workers=st.integers(1, 4),
    segment_s=st.sampled_from([0.5, 1.0, 7.0, None]),
    seed=st.integers(0, 2**32 - 1),
)
def test_segments_tile_every_file_exactly_whatever_dies(
    lengths: list[int], lanes: int, workers: int, segment_s: float | None, seed: int
) -> None:
    """Workers and machines are lost at random moments, and others come: each stepped sample is
    stepped once, in order."""
    chance = random.Random(seed)
    schedule = Schedule(lanes, workers, segment_s)
    machine = Machine(schedule, {f"{n}": length for n, length in enumerate(lengths)})
    for name in machine.lengths:
        schedule.opened(audio(name), 0)
    names = [f"w{n}" for n in range(workers)]
    out: dict[str, list[FrameBatch]] = {name: [] for name in names}
    losses = 5
    for _ in range(10_000):
        if not len(schedule):
            break
        name = chance.choice(names)
        schedule.workers = chance.randint(1, 6)
        if len(out[name]) < 2 and (batch := schedule.take(name)):
            out[name].append(batch)
        if out[name] and losses and chance.random() < 0.2:
            losses -= 1
            numbers = [batch.number for batch in out[name]]
            out[name] = []
            if len(schedule.batch(numbers[0]).segments) == 1:  # type: ignore[union-attr]
                losses = 0  # a second loss of a file alone would rightly blame it
            schedule.forget_worker(name)
            node_lost = chance.random() < 0.5
            waiting = tuple(numbers[1:])
            assert schedule.lost(numbers[0], waiting, "crashed", node_lost=node_lost) == []
        elif out[name]:
            assert machine.step(out[name].pop(0)) == []
    assert sorted(machine.ended, key=int) == list(machine.lengths)
    for name, stretches in machine.done.items():
        position = 0
        for start, read in stretches:
            assert start == position
            position += read
        assert position == machine.lengths[name]


@settings(max_examples=60, deadline=None)
@given(files=st.integers(1, 40), poison=st.sets(st.integers(0, 39), max_size=3))
def test_poison_stands_alone_in_the_end_and_nobody_else_fails(files: int, poison: set[int]) -> None:
    poison = {p for p in poison if p < files}
    schedule = Schedule(32, segment_s=1)
    machine = Machine(schedule, {f"{n}": 2500 for n in range(files)})
    for name in machine.lengths:
        schedule.opened(audio(name), 0)
    failed: list[Failed] = []
    deaths = 0
    while batch := schedule.take("w"):
        if poison & {int(s.file.name) for s in batch.segments}:
            deaths += 1
            failed += schedule.lost(batch.number, (), "crashed")
        else:
            machine.step(batch)
    assert {int(f.file.name) for f in failed} == poison
    assert {int(name) for name in machine.ended} == set(range(files)) - poison
    assert deaths <= len(poison) * (6 + SOLO_STRIKES), "each halving costs one worker at most"


def test_files_on_a_machine_that_dies_stay_together_and_unsuspected() -> None:
    schedule = Schedule(8, segment_s=1)
    machine = Machine(schedule, {f"{n}": 1500 for n in range(4)})
    for name in machine.lengths:
        schedule.opened(audio(name), 0)
    for _ in range(INNOCENT_NODES):
        batch = schedule.take("w")
        assert batch is not None
        assert len(batch.segments) == 4
        assert schedule.lost(batch.number, (), "crashed", node_lost=True) == []
    batch = schedule.take("w")
    assert batch is not None
    assert len(batch.segments) == 4
    machine.step(batch)


def test_a_file_that_takes_its_machine_along_each_time_is_found_out() -> None:
    """As where a container is ended whole because one process in it took too much memory."""
    schedule = Schedule(8, segment_s=1)
    machine = Machine(schedule, {f"{n}": 1500 for n in range(8)})
    for name in machine.lengths:
        schedule.opened(audio(name), 0)
    failed: list[Failed] = []
    machines_lost = 0
    while batch := schedule.take("w"):
        if "5" in {s.file.name for s in batch.segments}:
            machines_lost += 1
            failed += schedule.lost(batch.number, (), "crashed", node_lost=True)
        else:
            machine.step(batch)
    assert [f.file.name for f in failed] == ["5"]
    assert len(machine.ended) == 7
    assert machines_lost <= INNOCENT_NODES + 3 + SOLO_STRIKES, "three halvings of eight files"


def test_a_file_over_which_collectors_die_goes_alone_and_then_fails() -> None:
    schedule = Schedule(8, segment_s=1)
    tickets = [schedule.opened(audio(str(n)), 0) for n in range(4)]
    assert schedule.take("w") is not None
    again = [schedule.reopen(t, 0, suspects=tuple(tickets)) for t in tickets]
    sizes = [len(b.segments) for n in range(4) if (b := schedule.take(f"w{n}"))]
    assert sizes == [1, 1, 1, 1]
    poison = again[2]
    for _ in range(SOLO_STRIKES - 1):
        assert isinstance(poison, int)
        poison = schedule.reopen(poison, 0, suspects=(poison,))
    assert isinstance(poison, int)
    failed = schedule.reopen(poison, 0, suspects=(poison,))
    assert isinstance(failed, Failed)
    assert failed.file.name == "2"


def test_a_file_that_was_only_near_is_not_blamed() -> None:
    schedule = Schedule(8, segment_s=1)
    near = schedule.opened(audio("near"), 0)
    for _ in range(5):
        again = schedule.reopen(near, 0, suspects=(99,))
        assert isinstance(again, int)
        near = again
    other = schedule.opened(audio("other"), 0)
    batch = schedule.take("w")
    assert batch is not None
    assert {s.ticket for s in batch.segments} == {near, other}
