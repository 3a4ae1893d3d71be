"""Whether a peer's output lies where its input lay, to the sample.

Comes in: folders of noisy sounds and of what was made of them. Goes out: the lag at which the
two are most alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from scipy.signal import correlate

from benchmarks.peers.processes import PeerFailed

FARTHEST_S = 0.1
"""No peer here is later than that."""


def lag(before: NDArray[np.floating], after: NDArray[np.floating], farthest: int) -> int:
    """Samples by which `after` is late, by the peak of the cross-correlation.

    Parameters
    ----------
    before, after : array, shape (samples,)
        What went in, and what came out.
    farthest : int
        Samples, early or late, that are looked at.
    """
    alike = correlate(after, before, "full", "fft")
    zero = len(before) - 1
    looked_at = alike[max(0, zero - farthest) : zero + farthest + 1]
    return int(np.argmax(looked_at)) - min(zero, farthest)


def check_alignment(noisy: Path, made: Path, names: Sequence[str]) -> None:
    """See that outputs are as long as their inputs, and neither late nor early.

    Parameters
    ----------
    noisy, made : Path
        Folders.
    names : sequence of str
        Files with so little noise that the speech decides.

    Raises
    ------
    PeerFailed
        If the median of the lags is not nought, or an output has another length.
    """
    lags = []
    for name in names:
        before, rate_hz = sf.read(noisy / name)
        after, _ = sf.read(made / name)
        if len(before) != len(after):
            raise PeerFailed(f"{name}: made {len(after)} samples of {len(before)}")
        lags.append(lag(before, after, round(FARTHEST_S * rate_hz)))
    if lags and np.median(lags) != 0:
        raise PeerFailed(f"its output is {np.median(lags):g} samples late")
