"""Which files are shown."""

from __future__ import annotations

import pytest

from raypipe.page.choose import BEST, RANDOM, WORST, choose, which
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


def test_where_all_are_shown_none_is_at_random() -> None:
    files = [with_gain(f"{n}.wav", (n * 5) % 7) for n in range(7)] + [row("silence.wav")]
    chosen = choose(files, 8)
    gains = [each.row.gain_db for each in chosen]
    assert gains[:7] == pytest.approx(range(7))
    assert gains[7] is None
    assert [each.why for each in chosen] == [WORST] * 2 + [""] * 3 + [BEST] * 2 + [""]
    assert [each.why for each in choose(files[:1], 8)] == [""]
    assert [each.why for each in choose(files[:2], 8)] == [WORST, BEST]


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5, 100])
def test_never_more_than_there_are_or_than_asked_for_and_none_twice(number: int) -> None:
    files = [with_gain("a.wav", 1), with_gain("b.wav", 2), row("c.wav"), row("d.wav"),
             row("bad.wav", "failed", output="")]  # fmt: skip
    names = [each.row.name for each in choose(files, number)]
    assert len(names) == len(set(names)) == min(number, 4)
    assert "bad.wav" not in names


def test_the_page_says_what_was_chosen() -> None:
    files = [with_gain(f"{n:04}.wav", n) for n in range(1000)]
    least, most = "those that gained least", "those that gained most"
    assert which(choose(files, 8), 1000) == f"8 of 1,000 files: {least}, {most}, some at random."
    assert which(choose(files, 2), 1000) == f"2 of 1,000 files: {least}, {most}."
    assert which(choose(files, 1), 1000) == f"1 of 1,000 files: {least}."
    assert which(choose(files[:5], 8), 5) == "All 5 files, from the least gain to the most."
    assert which(choose(files[:5], 8), 6) == "5 of 6 files, from the least gain to the most."
    assert which(choose(files[:1], 8), 1) == "1 file."


def test_without_levels_all_are_chosen_at_random() -> None:
    assert {each.why for each in choose([row(f"{n}.wav") for n in range(9)], 4)} == {RANDOM}


def test_gain_is_how_much_the_sound_rises_above_its_floor() -> None:
    one = row(lufs_in=-20.0, lufs_out=-22.0, floor_in_db=-40.0, floor_out_db=-60.0)
    assert one.gain_db == pytest.approx(18)
    assert row(lufs_in=-20.0, lufs_out=-22.0, floor_in_db=-40.0).gain_db is None
    assert row(lufs_in=0.0, lufs_out=0.0, floor_in_db=0.0, floor_out_db=0.0).gain_db == 0
