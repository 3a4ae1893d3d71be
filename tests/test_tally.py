"""What is counted while a run goes on: the listing, the start-up, the sound, the outcomes."""

from __future__ import annotations

import time

import pytest

from raypipe.monitoring.standing import Queues
from raypipe.results.report import RunReport
from raypipe.tally import Tally
from raypipe.telemetry import Progress
from raypipe.types import (
    AudioFile,
    BatchResult,
    Done,
    Failed,
    Levels,
    Outcome,
    Skipped,
    SoundInfo,
    Stepped,
)

RATE_HZ = 1000
NOBODY = Levels(None, None)


def audio(number: int, size: int = 100) -> AudioFile:
    return AudioFile(f"/in/{number}", f"{number}", f"{number}", size, 0)


def info(frames: int | None) -> SoundInfo:
    return SoundInfo(RATE_HZ, 1, frames, "WAV", "PCM_16")


class Looking:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Progress] = []
        self.outcomes: list[Outcome] = []

    def progress(self, progress: Progress) -> None:
        self.told.append(progress)

    def outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def note(self, text: str) -> None:
        raise AssertionError(text)


def test_what_was_listed_before_is_not_counted_twice() -> None:
    progress = Progress(listed=2, total_bytes=200)
    tally = Tally(RunReport("", {}, {}, {}), progress, 0.0, None, None)
    for number in range(2):
        tally.listed(audio(number))
    assert (progress.listed, progress.total_bytes, progress.all_listed) == (2, 200, False)
    tally.listed(audio(2, size=50))
    tally.all_listed()
    assert (progress.listed, progress.total_bytes, progress.all_listed) == (3, 250, True)


def test_what_needs_no_work_has_no_bytes_to_do() -> None:
    progress = Progress(listed=1, total_bytes=100)
    tally = Tally(RunReport("", {}, {}, {}), progress, 0.0, None, None)
    tally.listed(Skipped(audio(0), "done"))
    tally.listed(Failed(audio(1), "in the way"))
    assert (progress.listed, progress.total_bytes) == (2, 0)


def test_the_first_worker_ends_the_start_up() -> None:
    report, looking = RunReport("", {}, {}, {}), Looking()
    tally = Tally(report, Progress(), time.monotonic() - 100, looking, None)
    tally.tell(Queues)
    assert looking.told[0].working_s == report.totals.startup_s == 0
    tally.worker_ready("a")
    startup_s = report.totals.startup_s
    assert startup_s >= 100
    tally.worker_ready("b")
    tally.tell(Queues)
    assert report.totals.startup_s == startup_s
    assert looking.told[-1].working_s > 0


def test_sound_is_known_from_the_header_or_as_far_as_it_was_read() -> None:
    report, progress = RunReport("", {}, {}, {}), Progress()
    tally = Tally(report, progress, 0.0, None, None)
    tally.heard(audio(0), Stepped(1, info(5 * RATE_HZ), 2 * RATE_HZ, False, {}), first=True)
    tally.heard(audio(1), Stepped(2, info(None), 3 * RATE_HZ, False, {}), first=True)
    assert (progress.audio_s, progress.known_s, progress.opened_bytes) == (5, 5 + 3, 200)
    tally.heard(audio(0), Stepped(1, info(5 * RATE_HZ), 3 * RATE_HZ, True, None), first=False)
    assert (progress.audio_s, progress.known_s, progress.opened_bytes) == (8, 5 + 3, 200)
    assert report.totals.audio_in_s == 8


def test_workers_and_batches_add_up() -> None:
    report = RunReport("", {}, {}, {})
    tally = Tally(report, Progress(), 0.0, None, None)
    tally.batch_done("a", BatchResult(1, (), {"read": 1.0, "step": 2.0}, 30.0, 10.0))
    tally.batch_done("a", BatchResult(2, (), {"step": 4.0}, 5.0, 5.0))
    tally.worker_lost("a", 2)
    tally.worker_retired("b")
    totals = report.totals
    assert totals.busy_s == pytest.approx({"read": 1.0, "step": 6.0})
    assert (totals.lane_s, totals.longest_s, totals.batches) == (35.0, 15.0, 2)
    assert (totals.worker_restarts, totals.lost_batches, totals.retired_workers) == (1, 2, 1)


def test_each_outcome_is_reported_and_told_once() -> None:
    report, progress, looking = RunReport("", {}, {}, {}), Progress(), Looking()
    tally = Tally(report, progress, 0.0, looking, None)
    done = Done(audio(0), {"sound": "0"}, info(RATE_HZ), RATE_HZ, NOBODY, NOBODY)
    outcomes: list[Outcome] = [done, Skipped(audio(1), "done"), Failed(audio(2), "broken")]
    for outcome in outcomes:
        tally.ended(outcome)
    assert looking.outcomes == outcomes
    assert (progress.done, progress.skipped, progress.failed) == (1, 1, 1)
    totals = report.totals
    assert (totals.files, totals.done, totals.skipped, totals.failed) == (3, 1, 1, 1)
