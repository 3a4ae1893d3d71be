"""How long a batch may take: from what it holds, and from what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raypipe.plan.deadlines import (
    PATIENCE_S,
    SLOWER_THAN_MEASURED,
    SLOWEST_DECODING_X_REAL_TIME,
    STORE_PATIENCE_S,
    UNMEASURED_PACE,
    Deadlines,
)
from raypipe.types import AudioFile, BatchResult, FrameBatch, Refused, Segment, SoundInfo, Stepped

RATE_HZ = 1000
FILE = AudioFile("/in/a", "a", "a", 64_000, 0)
INFO = SoundInfo(RATE_HZ, 2, 100 * RATE_HZ, "WAV", "PCM_16")


def batch(*segments: Segment, segment_s: float = 10) -> FrameBatch:
    return FrameBatch(1, segments, segment_s)


def took(busy_s: float, read_s: float) -> BatchResult:
    answers = (Stepped(1, INFO, int(read_s * RATE_HZ), False, {}), Refused(2, "broken"))
    return BatchResult(1, answers, {"step": busy_s / 2, "read": busy_s / 2})


def test_what_was_asked_for_goes_for_every_batch() -> None:
    deadlines = Deadlines(7.5)
    deadlines.learn(took(100, 1))
    assert deadlines.timeout_s(batch(Segment(1, FILE, 0, 0))) == 7.5


def test_every_lane_has_its_time_as_far_as_its_sound_is_known() -> None:
    def sound_s(*segments: Segment) -> float:
        return (Deadlines(None).timeout_s(batch(*segments)) - PATIENCE_S) / UNMEASURED_PACE

    unopened = Segment(1, FILE, 0, 0)
    assert sound_s(unopened) == pytest.approx(10)
    middle = Segment(2, FILE, 50 * RATE_HZ, 0, INFO)
    assert sound_s(middle) == pytest.approx(2 * 10)
    assert sound_s(replace(middle, start=97 * RATE_HZ)) == pytest.approx(2 * 3)
    assert sound_s(replace(middle, start=100 * RATE_HZ)) == pytest.approx(2 * 1), "never nothing"
    assert sound_s(replace(middle, info=replace(INFO, frames=None))) == pytest.approx(2 * 10)
    assert sound_s(unopened, middle) == pytest.approx(10 + 2 * 10)


def test_decoding_again_from_the_start_is_paid_for() -> None:
    middle = Segment(1, FILE, 50 * RATE_HZ, 0, INFO)
    mp3 = replace(middle, info=replace(INFO, sequential=True))
    deadlines = Deadlines(None)
    more_s = deadlines.timeout_s(batch(mp3)) - deadlines.timeout_s(batch(middle))
    assert more_s == pytest.approx(50 / SLOWEST_DECODING_X_REAL_TIME)


def test_a_store_has_more_patience_once_for_a_batch() -> None:
    near = Segment(1, FILE, 0, 0)
    far = replace(near, file=replace(FILE, path="s3://bucket/a"))
    deadlines = Deadlines(None)
    more_s = deadlines.timeout_s(batch(far, far)) - deadlines.timeout_s(batch(near, near))
    assert more_s == pytest.approx(STORE_PATIENCE_S)


def test_the_slowest_batch_so_far_sets_the_pace() -> None:
    deadlines = Deadlines(None)
    deadlines.learn(took(busy_s=1, read_s=5))  # 10 s of lanes
    deadlines.learn(took(busy_s=4, read_s=5))
    deadlines.learn(took(busy_s=2, read_s=5))
    expected_s = PATIENCE_S + 10 * SLOWER_THAN_MEASURED * 4 / 10
    assert deadlines.timeout_s(batch(Segment(1, FILE, 0, 0))) == pytest.approx(expected_s)


def test_too_little_sound_says_nothing_about_the_pace() -> None:
    deadlines = Deadlines(None)
    one = batch(Segment(1, FILE, 0, 0))
    before_s = deadlines.timeout_s(one)
    deadlines.learn(took(busy_s=50, read_s=0.4))
    assert deadlines.timeout_s(one) == before_s
