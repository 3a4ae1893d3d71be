"""What is told of a round's faults is what the published files say."""

from __future__ import annotations

import pytest

pytest.importorskip("psutil")
from benchmarks.chaos.faults import Fault
from benchmarks.chaos.rounds import Round, Strike, _times


def strike(at_s: float) -> Strike:
    return Strike(Fault("worker", 0, 0.0, 0.0, 0), at_s, "somewhere")


def test_recovery_is_the_next_file_and_a_pause_ends_with_the_next_faults_first_file() -> None:
    done = Round(0.0, [strike(10.0), strike(20.0), strike(99.0)])
    _times(done, [9.0, 11.0, 15.0, 22.0, 30.0, 31.0])
    assert [s.recovery_s for s in done.strikes] == [1.0, 2.0, None]
    assert [s.pause_s for s in done.strikes] == [7.0, 8.0, 0.0]


def test_a_round_without_faults_has_nothing_to_tell() -> None:
    done = Round(0.0)
    _times(done, [1.0])
    assert done.strikes == []
