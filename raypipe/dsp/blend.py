"""Some of the input left in the output: the cleaned sound and the sound that it was made of.

Comes in: both, sample beside sample. Goes out: their weighted sum. Where the two are
the same, so is what comes out, to the last bit: a model that changes nothing changes
nothing at any strength.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.types import Samples

DB_PER_DECADE = 20
"""Of amplitude."""


def cleaned_share(atten_limit_db: float | None, mix: float) -> float:
    """Share of the cleaned sound in the output; the rest is the input's.

    Parameters
    ----------
    atten_limit_db : float, optional
        So many dB are taken from any sound at most: ``10 ** (-dB / 20)`` of the input stays.
        None: no limit.
    mix : float
        Share of what comes of that, from 0 to 1; the rest is the input.
    """
    stays = 0.0 if atten_limit_db is None else 10 ** (-atten_limit_db / DB_PER_DECADE)
    return mix * (1 - stays)


def blend(dry: Samples, wet: NDArray[np.float32], share: float) -> Samples:
    """Put both together.

    Parameters
    ----------
    dry : ndarray of float32 or float64
        ``(channels, samples)``: the input.
    wet : ndarray of float32
        The same shape: what became of it. A sample that equals the input's as float32 counts as
        left as it was.
    share : float
        Of `wet` in the sum, from 0 to 1.

    Returns
    -------
    ndarray
        The dtype of `dry`.
    """
    if share == 0:
        return dry.copy()
    mixed: NDArray[Any] = wet.astype(dry.dtype)
    if share < 1:
        # Not dry + share * (wet - dry): of two huge samples the difference would be infinite.
        mixed *= dry.dtype.type(share)
        mixed += dry * dry.dtype.type(1 - share)
    np.copyto(mixed, dry, where=dry.astype(np.float32, copy=False) == wet)
    return mixed
