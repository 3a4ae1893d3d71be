"""Whether a model is as late as its card says, and its output through raypipe is not late at all.

Comes in: a model, and clean speech, which it must let through. Goes out: lags in samples.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

import raypipe
from benchmarks.denoisers.align import lag
from benchmarks.denoisers.bands import Sound
from benchmarks.denoisers.mixing import JUDGED_HZ
from raypipe.inference.zoo import find_model, load_lane_model

RATES_HZ = (8_000, 16_000, 44_100, 48_000, 96_000)


def latency(model: str, speech: Sound) -> tuple[float, int]:
    """Samples by which the bare model is late, and those that its card says.

    Parameters
    ----------
    model : str
        Name or path.
    speech : array, shape (samples,)
        Clean, at the model's rate.
    """
    lanes = load_lane_model(find_model(model), 1)
    hops = len(speech) // lanes.card.hop
    block = speech[: hops * lanes.card.hop].astype(np.float32)
    (made,), _ = lanes.process([block[None]], [lanes.new_state(1)])
    return lag(block, made[0], lanes.card.rate_hz or JUDGED_HZ), lanes.card.latency


def lags(
    model: str, speech: Sound, rate_hz: int, rates_hz: Sequence[int] = RATES_HZ
) -> dict[int, tuple[float, int]]:
    """For each rate: the lag of the output through raypipe, files in and files out, and by how
    many samples its length differs.

    Parameters
    ----------
    model : str
        Name or path.
    speech : array, shape (samples,)
        Clean.
    rate_hz : int
        Of `speech`.
    rates_hz : sequence of int
        Rates of the files that are tried.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        for rate in rates_hz:
            sound = soxr.resample(speech, rate_hz, rate, quality="VHQ")
            sf.write(source / f"{rate}.wav", sound, rate, "FLOAT")
        raypipe.enhance(source, out, model=model, executor="inline")
        found = {}
        for rate in rates_hz:
            (before, _), (after, _) = (sf.read(path / f"{rate}.wav") for path in (source, out))
            late = lag(before, after, rate)
            found[rate] = late, len(after) - len(before)
    return found
