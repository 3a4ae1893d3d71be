"""Numbers in words, and reasons that belong together."""

from __future__ import annotations

import pytest

from raypipe.page.words import change, clock, grouped, number, setting, spell


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "–"), (-23.44, "−23.4"), (-0.04, "0.0"), (float("-inf"), "–"), (12345.6, "12,345.6")],
)
def test_numbers_have_a_minus_of_their_own(value: float | None, words: str) -> None:
    assert number(value) == words


def test_changes_have_a_sign() -> None:
    assert (change(-20, -10), change(1, -1), change(2, 2.01), change(None, 1)) == (
        "+10.0", "−2.0", "0.0", "–",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "decimals", "words"),
    [(0, 0, "0:00"), (59.6, 0, "1:00"), (3599.96, 1, "1:00:00.0"), (61.25, 1, "1:01.2"),
     (7384, 0, "2:03:04"), (0.25, 2, "0:00.25")],
)  # fmt: skip
def test_clocks_carry_over(seconds: float, decimals: int, words: str) -> None:
    assert clock(seconds, decimals) == words


def test_lengths_are_spelled() -> None:
    assert [spell(s) for s in (3.14, 600, 360_000)] == ["3.1 s", "10.0 minutes", "100.0 hours"]


def test_settings_are_written_as_one_would() -> None:
    assert [setting(v) for v in (None, True, ["*.wav", "b"], [], 3, "a\nb")] == [
        "auto", "yes", "*.wav, b", "–", "3", "a\\nb",
    ]  # fmt: skip


def test_reasons_that_differ_in_numbers_and_paths_are_one_group() -> None:
    told = [(f"header promises {n} samples, the sound ends at {n // 2}", f"{n}.wav")
            for n in range(10, 17)]  # fmt: skip
    told += [("is empty (0 bytes)", "e.wav"), ("its output was made of /x/1.wav", "1.wav"),
             ("its output was made of /y/2.wav", "2.wav")]  # fmt: skip
    first, second, third = grouped(told)
    assert (first.text, first.count) == (told[0][0], 7)
    assert first.examples == ("10.wav", "11.wav", "12.wav", "13.wav", "14.wav")
    assert (second.count, second.examples) == (2, ("1.wav", "2.wav"))
    assert (third.text, third.count) == ("is empty (0 bytes)", 1)
