"""Which files are shown."""

from __future__ import annotations

import pytest

from raypipe.page.choose import BEST, RANDOM, WORST, choose
from tests.page.pages import row, with_gain


def test_the_worst_come_first_then_the_best_then_some_at_random() -> None:
    files = [with_gain(f"{n:02}.wav", (n * 7) % 50) for n in range(50)]
    chosen = choose(files, 8)
    gains = [each.row.gain_db for each in chosen]
    assert gains[:4] == pytest.approx([0, 1, 49, 48])
    assert [each.why for each in chosen] == [WORST] * 2 + [BEST] * 2 + [RANDOM] * 4
    assert len({each.row.name for each in chosen}) == 8
    assert choose(files, 8) == chosen
    assert choose(files[::-1], 8)[:4] == chosen[:4]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 100])
def test_never_more_than_there_are_or_than_asked_for_and_none_twice(number: int) -> None:
    files = [with_gain("a.wav", 1), with_gain("b.wav", 2), row("c.wav"), row("d.wav"),
             row("bad.wav", "failed", output="")]  # fmt: skip
    names = [each.row.name for each in choose(files, number)]
    assert len(names) == len(set(names)) == min(number, 4)
    assert "bad.wav" not in names


def test_without_levels_all_are_chosen_at_random() -> None:
    assert {each.why for each in choose([row(f"{n}.wav") for n in range(9)], 4)} == {RANDOM}


def test_gain_is_how_much_the_sound_rises_above_its_floor() -> None:
    one = row(lufs_in=-20.0, lufs_out=-22.0, floor_in_db=-40.0, floor_out_db=-60.0)
    assert one.gain_db == pytest.approx(18)
    assert row(lufs_in=-20.0, lufs_out=-22.0, floor_in_db=-40.0).gain_db is None
    assert row(lufs_in=0.0, lufs_out=0.0, floor_in_db=0.0, floor_out_db=0.0).gain_db == 0
