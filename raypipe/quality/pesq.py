"""PESQ: how good processed speech would be judged, against clean speech.

Comes in: both sounds. Goes out: a mean opinion score from 1 to 4.64 (wide band, ITU-T P.862.2),
by the pesq package, which wraps the ITU's C code. That was made for 8 to 12 s of speech and has
been seen to end the process over other sounds; whoever measures strangers' files does so in a
process of its own (`raypipe.execution.isolated`).

References
----------
ITU-T Recommendation P.862.2, Wideband extension to Recommendation P.862 (11/2007).
pesq: https://github.com/ludlows/PESQ
"""

from __future__ import annotations

import math

import numpy as np

from raypipe.quality.value import Missing, Value
from raypipe.types import Samples

PESQ_HZ = 16_000

SHORTEST_S = 0.25
LONGEST_S = 60.0
"""Its C code has room for 50 utterances and does not look whether there are more."""

NOT_INSTALLED = Missing("PESQ needs the pesq package: pip install raypipe[score]")


def pesq_wb(sound: Samples, reference: Samples) -> Value:
    """Wide-band PESQ.

    Parameters
    ----------
    sound, reference : ndarray
        ``(samples,)`` each, at `PESQ_HZ`.

    Returns
    -------
    float or Missing
        Missing where there is no speech in one of them, where they are too short or too long,
        or where the package is not installed.
    """
    try:
        import pesq
    except ImportError:
        return NOT_INSTALLED
    shortest = min(len(sound), len(reference)) / PESQ_HZ
    if shortest < SHORTEST_S:
        return Missing(f"PESQ needs {SHORTEST_S:g} s of sound")
    if max(len(sound), len(reference)) > LONGEST_S * PESQ_HZ:
        return Missing(f"PESQ takes no more than {LONGEST_S:g} s at once")
    ref, deg = (np.asarray(s, np.float32) for s in (reference, sound))
    if not ref.any() or not deg.any():
        return Missing("digital silence" if ref.any() else "the reference is digital silence")
    try:
        found = float(pesq.pesq(PESQ_HZ, ref, deg, "wb"))
    except pesq.NoUtterancesError:
        return Missing("PESQ finds no speech in it")
    except pesq.BufferTooShortError:
        return Missing(f"PESQ needs {SHORTEST_S:g} s of sound")
    except pesq.PesqError as error:
        return Missing(f"PESQ refuses it: {_words(error)}")
    return found if math.isfinite(found) else Missing("PESQ came to no number")


def _words(error: Exception) -> str:
    said = error.args[0] if error.args else type(error).__name__
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
