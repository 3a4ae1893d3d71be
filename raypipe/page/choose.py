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

BEST = "gained most"
WORST = "gained least"
RANDOM = "at random"

HOW = (
    "Gain is how much higher a file's loudness (LUFS) stands above its noise floor than it did "
    "before; the floor is what a tenth of all 100 ms stretches do not exceed, digital silence left "
    "out. Both are K-weighted, of the whole file, and were measured while the run went on."
)
"""What the page says of it."""

WITHOUT_GAIN = (
    "No file here has levels from which a gain could be told, so all are chosen at random."
)

SEED = 0
"""The same files for the same run, every time."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file to be shown, and why this one."""

    row: FileRow
    why: str
    """`BEST`, `WORST` or `RANDOM`."""


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
        The worst first, as they are what to look at; then the best; then those at random.
    """
    there = [row for row in files if row.output]
    ranked = sorted(
        (row for row in there if row.gain_db is not None),
        key=lambda row: (row.gain_db or 0.0, row.name),
    )
    third = max(number // 3, min(number // 2, 1))
    worst = ranked[: min(max(third, min(number, 1)), -(-len(ranked) // 2))]
    best = ranked[len(worst) :][::-1][:third]
    taken = {row.name for row in (*worst, *best)}
    rest = [row for row in there if row.name not in taken]
    left = min(number - len(taken), len(rest))
    drawn = random.Random(SEED).sample(rest, max(left, 0))  # noqa: S311 - nothing secret
    return [
        *(Chosen(row, WORST) for row in worst),
        *(Chosen(row, BEST) for row in best),
        *(Chosen(row, RANDOM) for row in sorted(drawn, key=lambda row: row.name)),
    ]
