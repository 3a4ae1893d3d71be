"""The measures that outputs are judged by, as raypipe itself has them.

Comes in: clean speech and an output, both at 16 kHz. Goes out: numbers by name. What is not
installed, or cannot be said of a sound, is left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.denoisers.mixing import JUDGED_HZ
from raypipe.quality.dnsmos import WINDOW, Dnsmos, find_networks
from raypipe.quality.intelligibility import stoi
from raypipe.quality.pesq import pesq_wb
from raypipe.quality.reference import si_sdr_db
from raypipe.quality.value import Missing

Sound = NDArray[np.float64]


class Measures:
    """Judges outputs.

    Parameters
    ----------
    dnsmos : Path or None
        Folder with DNSMOS's networks; without it, it is left out.
    """

    def __init__(self, dnsmos: Path | None) -> None:
        self._dnsmos = None if dnsmos is None else Dnsmos(find_networks(str(dnsmos))[0])

    def __call__(self, clean: Sound, made: Sound) -> dict[str, float]:
        """What there is to be said of an output; both ``(samples,)`` at 16 kHz."""
        found = {
            "pesq_wb": pesq_wb(made, clean),
            "stoi": stoi(made, clean, JUDGED_HZ),
            "si_sdr_db": si_sdr_db(made, clean),
        }
        scores = {name: value for name, value in found.items() if not isinstance(value, Missing)}
        if self._dnsmos is not None:
            # One window: the authors' script would take one for each second of a sound that it
            # has doubled, all of which hold the same few seconds over and over.
            once = self._dnsmos.score(np.resize(made, WINDOW).astype(np.float32))
            for name in ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl"):
                value = getattr(once, name)
                if value is not None:
                    scores[name] = value
        return scores
