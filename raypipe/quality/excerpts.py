"""Which parts of a long sound are measured where the whole would take too long.

Comes in: lengths. Goes out: ``(start, stop)`` in samples, evenly spread from the beginning to the
end, the same for the same length.
"""

from __future__ import annotations


def spread(total: int, whole: int, length: int, most: int) -> list[tuple[int, int]]:
    """Excerpts of a sound.

    Parameters
    ----------
    total : int
        Its samples.
    whole : int
        Up to so many are taken whole.
    length : int
        Samples in each excerpt otherwise, no more than `whole`.
    most : int
        Excerpts at most; never more than fit side by side.
    """
    if total <= whole:
        return [(0, total)]
    count = max(1, min(most, total // length))
    starts = [number * (total - length) // max(1, count - 1) for number in range(count)]
    return [(start, start + length) for start in starts]
