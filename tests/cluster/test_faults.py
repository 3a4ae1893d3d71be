"""The faults of a round: the same for the same seed, and never too many."""

from __future__ import annotations

import random

import pytest

from benchmarks.chaos.faults import BUCKET, KINDS, LOSSES, draw


def test_a_seed_stands_for_its_faults() -> None:
    assert draw(random.Random("1.7"), 60) == draw(random.Random("1.7"), 60)
    assert draw(random.Random("1.7"), 60) != draw(random.Random("1.8"), 60)


@pytest.mark.parametrize("bucket", [False, True])
def test_a_node_is_always_left(bucket: bool) -> None:
    for seed in range(300):
        nodes = 2
        for fault in draw(random.Random(seed), 60, bucket=bucket):
            nodes += (fault.kind == "join") - (fault.kind in LOSSES)
            assert nodes >= 1


def test_every_kind_is_drawn_and_moments_come_in_order() -> None:
    drawn = set()
    for seed in range(100):
        faults = draw(random.Random(seed), 60, bucket=True)
        drawn |= {fault.kind for fault in faults}
        assert faults == sorted(faults, key=lambda fault: fault.after)
    assert drawn == {*KINDS, *BUCKET}


def test_a_bucket_is_not_broken_where_there_is_none() -> None:
    kinds = {f.kind for seed in range(100) for f in draw(random.Random(seed), 60)}
    assert kinds == set(KINDS)
