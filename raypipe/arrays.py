"""Arrays of a caller as the sound that a model takes, and back.

Comes in: whatever NumPy makes an array of, and a rate. Goes out: ``(channels, samples)`` in
float32 with a `SoundInfo`, or one sentence about what cannot be sound; and the output in as
many dimensions as the input had.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raypipe.errors import UsageError
from raypipe.types import MOST_HZ, SoundInfo


def as_sound(samples: ArrayLike) -> tuple[NDArray[np.float32], bool]:
    """An array as a model takes it, ``(channels, samples)``, and whether it was given flat.

    Raises
    ------
    UsageError
        If it has another number of dimensions, no channel, or is no finite sound.
    """
    try:
        array: NDArray[Any] = np.asarray(samples)
    except ValueError as error:
        raise UsageError(f"samples do not make an array: {error}") from error
    if array.ndim not in (1, 2) or (array.ndim == 2 and not len(array)):
        raise UsageError(
            f"samples must have shape (samples,) or (channels, samples), not {array.shape}"
        )
    if array.dtype.kind != "f":
        raise UsageError(f"samples must be floats with full scale at 1, not {array.dtype}")
    with np.errstate(over="ignore"):
        sound = np.atleast_2d(array).astype(np.float32, copy=False)
    if not np.isfinite(sound).all():
        raise UsageError("samples must be finite; there is NaN or infinity among them")
    return sound, array.ndim == 1


def as_given(sound: NDArray[Any], flat: bool) -> NDArray[np.float32]:
    """A sound in the dimensions that the caller uses: see `as_sound`."""
    plain: NDArray[np.float32] = sound[0] if flat else sound
    return plain


def info_of(rate_hz: int, channels: int) -> SoundInfo:
    """What would be said of a file that holds such an array.

    Raises
    ------
    UsageError
        If this can be no rate.
    """
    if not isinstance(rate_hz, int | np.integer) or not 1 <= rate_hz <= MOST_HZ:
        raise UsageError(f"rate_hz must be a whole number from 1 to {MOST_HZ}, not {rate_hz!r}")
    return SoundInfo(int(rate_hz), channels, None, "ARRAY", "FLOAT")
