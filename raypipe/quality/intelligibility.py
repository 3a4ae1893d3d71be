"""STOI: how much of noisy or processed speech would be understood, against clean speech.

Comes in: both sounds. Goes out: 0 to 1, by pystoi. It works at 10 kHz, leaves pauses out, and needs
a third of a second of speech at least.

References
----------
C. H. Taal, R. C. Hendriks, R. Heusdens and J. Jensen, An algorithm for intelligibility prediction
of time-frequency weighted noisy speech, IEEE TASLP 19 (2011), 2125-2136.
pystoi: https://github.com/mpariente/pystoi
"""

from __future__ import annotations

import warnings

import numpy as np

from raypipe.quality.value import Missing, Value
from raypipe.types import Samples

NOT_INSTALLED = Missing("STOI needs pystoi: pip install raypipe[score]")


def stoi(sound: Samples, reference: Samples, rate_hz: int, *, extended: bool = False) -> Value:
    """STOI of a sound.

    Parameters
    ----------
    sound, reference : ndarray
        ``(samples,)`` each, of the same length.
    rate_hz : int
        Sampling rate in Hz.
    extended : bool
        ESTOI (Jensen and Taal 2016) instead.

    Returns
    -------
    float or Missing
        Missing where there is too little speech in the reference, or pystoi is not installed.
    """
    try:
        from pystoi import stoi as by_pystoi
    except ImportError:
        return NOT_INSTALLED
    x, y = (np.asarray(s, np.float64) for s in (reference, sound))
    if not x.any():
        return Missing("the reference is digital silence")
    if not y.any():
        return Missing("digital silence")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            found = float(by_pystoi(x, y, rate_hz, extended=extended))
        except (RuntimeWarning, ValueError, IndexError):  # too few frames, in its own ways
            return Missing("less than 0.4 s of speech in the reference")
    return found if np.isfinite(found) else Missing("STOI came to no number")
