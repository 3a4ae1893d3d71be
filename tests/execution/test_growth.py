"""What counts as a leak, and what as a worker's usual memory."""

from __future__ import annotations

from raypipe.execution.growth import GROWN, SETTLED_BATCHES, SPARE_BYTES, Growth

MB = 1 << 20


def settled(level_bytes: int) -> Growth:
    growth = Growth()
    for number in range(SETTLED_BATCHES):
        assert not growth.too_much(level_bytes * number // (SETTLED_BATCHES - 1))
    return growth


def test_a_worker_that_settles_stays() -> None:
    growth = settled(400 * MB)
    assert not any(growth.too_much(400 * MB + wobble * MB) for wobble in range(0, 300, 7))


def test_a_worker_that_grows_and_grows_goes_at_its_bound() -> None:
    growth = settled(400 * MB)
    bound = int(GROWN * 400 * MB) + SPARE_BYTES
    assert not growth.too_much(bound)
    assert growth.too_much(bound + 1)


def test_its_first_batches_are_no_growth() -> None:
    growth = Growth()
    assert not any(growth.too_much(number * 1000 * MB) for number in range(SETTLED_BATCHES))


def test_where_the_system_does_not_tell_nobody_goes() -> None:
    growth = Growth()
    assert not any(growth.too_much(0) for _ in range(100))
