"""Sound as every browser plays it, inside the page.

Comes in: an excerpt's samples. Goes out: FLAC, 16 bit, as a data address. FLAC is
played by Chrome, Firefox and Safari alike and keeps every sample of a 16-bit
file, so what is heard is what stands in the file, not what a lossy codec made of
both sounds.
"""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile as sf
import soxr

from raypipe.types import Samples

LOWEST_HZ, HIGHEST_HZ = 8_000, 48_000
"""Rates that are played as they are; some browsers refuse others. Nobody hears what lies above."""

SHORTEST_S = 0.02
"""Below this there is nothing to hear, and browsers call such files broken."""


def playable(sound: Samples, rate_hz: int) -> bytes | None:
    """FLAC of a sound; None where it is too short to be heard.

    Parameters
    ----------
    sound : ndarray
        ``(channels, samples)``, one or two channels; what is beyond full scale is held there.
    rate_hz : int
        Its sampling rate.
    """
    if sound.shape[1] < SHORTEST_S * rate_hz:
        return None
    heard_hz = min(max(rate_hz, LOWEST_HZ), HIGHEST_HZ)
    samples = np.ascontiguousarray(np.clip(sound, -1.0, 1.0).T, np.float32)
    if heard_hz != rate_hz:
        samples = soxr.resample(samples, rate_hz, heard_hz)
    whole = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    out = io.BytesIO()
    sf.write(out, whole, heard_hz, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def data_address(kind: str, data: bytes) -> str:
    """``data:kind;base64,...``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
