"""Which files are shown with pictures and sound: the best, the worst, and some at random.

Comes in: what is known of every file, its levels before and after among it. Goes
out: a few `Chosen`. Nothing is decoded for it: runs measure loudness and noise
floor of every file as its sound passes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from raypipe.page.gather import FileRow
from raypipe.page.words import counted

BEST = "gained most"
WORST = "gained least"
RANDOM = "at random"
IN_WORDS = {
    WORST: "those that gained least",
    BEST: "those that gained most",
    RANDOM: "some at random",
}

HOW = (
    "Gain is how much higher a file's loudness (LUFS) stands above its noise floor than it did "
    "before; the floor is what a tenth of all 100 ms stretches do not exceed, digital silence left "
    "out. Both are K-weighted, of the whole file, and were measured while the run went on."
)
"""What the page says of gain."""

SEED = 0
"""The same files for the same run, every time."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file to be shown, and why this one."""

    row: FileRow
    why: str
    """`BEST`, `WORST` or `RANDOM`; nothing where it is there because all are."""


def choose(files: Sequence[FileRow], number: int) -> list[Chosen]:
    """Choose files to show.

    Parameters
    ----------
    files : sequence of FileRow
        All of them; those whose output stands are chosen from.
    number : int
        How many, at most: a third of the best, a third of the worst, the rest at random.

    Returns
    -------
    list of Chosen
        The worst first, as they are what to look at; then the best; then those at random. Where
        there is room for all, from the worst to the best, then those without a gain.
    """
    there = [row for row in files if row.output]
    ranked = sorted(
        (row for row in there if row.gain_db is not None),
        key=lambda row: (row.gain_db or 0.0, row.name),
    )
    third = max(number // 3, min(number // 2, 1))
    worst = ranked[: min(max(third, min(number, 1)), -(-len(ranked) // 2))]
    best = ranked[len(worst) :][::-1][:third]
    if len(there) <= number:
        return _all(ranked, [row for row in there if row.gain_db is None], len(worst), len(best))
    taken = {row.name for row in (*worst, *best)}
    rest = [row for row in there if row.name not in taken]
    drawn = random.Random(SEED).sample(rest, max(number - len(taken), 0))  # noqa: S311 - no secret
    return [
        *(Chosen(row, WORST) for row in worst),
        *(Chosen(row, BEST) for row in best),
        *(Chosen(row, RANDOM) for row in sorted(drawn, key=lambda row: row.name)),
    ]


def _all(
    ranked: Sequence[FileRow], others: Sequence[FileRow], worst: int, best: int
) -> list[Chosen]:
    if len(ranked) == 1:
        worst = best = 0  # one alone is neither
    from_best = len(ranked) - best
    return [
        *(Chosen(row, WORST if at < worst else BEST if at >= from_best else "")
          for at, row in enumerate(ranked)),
        *(Chosen(row, "") for row in others),
    ]  # fmt: skip


def which(chosen: Sequence[Chosen], number_of_files: int) -> str:
    """What the page says of its choice: ``8 of 1,000 files: those that gained least, ...``."""
    said = counted(number_of_files, "file")
    if len(chosen) < number_of_files:
        said = f"{len(chosen):,} of {said}"
    elif number_of_files > 1:
        said = f"All {said}"
    if len(chosen) == number_of_files or not all(each.why for each in chosen):
        ranked = sum(each.row.gain_db is not None for each in chosen)
        return f"{said}, from the least gain to the most." if ranked > 1 else f"{said}."
    if all(each.why == RANDOM for each in chosen):
        return f"{said}, chosen at random."
    parts = [words for why, words in IN_WORDS.items() if any(each.why == why for each in chosen)]
    return f"{said}: {', '.join(parts)}."
