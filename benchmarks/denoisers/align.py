"""Whether a peer's output lies where its input lay, to the sample.

Comes in: folders of noisy sounds and of what was made of them. Goes out: nothing, or what is
wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.peers.processes import PeerFailed
from raypipe.quality.reference import delay
from raypipe.quality.value import Missing

FARTHEST_S = 0.1
"""No peer here is later than that."""


def lag(before: NDArray[np.floating], after: NDArray[np.floating], rate_hz: int) -> float:
    """Samples by which `after` is late; NaN where it does not resemble `before`."""
    found = delay([(after, before)], round(FARTHEST_S * rate_hz))
    return float("nan") if isinstance(found, Missing) else found


def check_alignment(noisy: Path, made: Path, names: Sequence[str]) -> None:
    """See that outputs are as long as their inputs, and neither late nor early.

    Parameters
    ----------
    noisy, made : Path
        Folders of files of one rate.
    names : sequence of str
        Files with so little noise that the speech decides; they vote together.

    Raises
    ------
    PeerFailed
        If the outputs are late or early, or one has another length.
    """
    if not names:
        return
    farthest = round(FARTHEST_S * sf.info(noisy / names[0]).samplerate)
    found = delay(_pairs(noisy, made, names), farthest)
    if isinstance(found, Missing):
        raise PeerFailed(f"its output {found.reason}")
    if found:
        raise PeerFailed(f"its output is {found:g} samples late")


def _pairs(
    noisy: Path, made: Path, names: Sequence[str]
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    for name in names:
        before, after = sf.read(noisy / name)[0], sf.read(made / name)[0]
        if len(before) != len(after):
            raise PeerFailed(f"{name}: made {len(after)} samples of {len(before)}")
        yield after, before
