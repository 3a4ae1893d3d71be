"""DNSMOS: how listeners would judge speech, its background and both together, without a reference.

Comes in: sound at 16 kHz, and the networks as ONNX files that the user has. Goes out: three scores
from 1 to 5 (P.835: SIG, BAK, OVRL), and a fourth where the older network is there (P.808).

As the authors' own script does it: sound that is shorter than 9.01 s is doubled until it is not;
windows of 9.01 s begin every second; each window's scores go through polynomials (those for speech
of any speaker), and the windows' mean counts. The script also leaves a window out where rounding
makes it one sample short, and so does this. Longer than `WHOLE_S`, `MOST_WINDOWS` evenly spread
ones stand for all.

References
----------
C. K. A. Reddy, V. Gopal and R. Cutler, DNSMOS P.835: a non-intrusive perceptual objective speech
quality metric to evaluate noise suppressors, ICASSP 2022; dnsmos_local.py in
https://github.com/microsoft/DNS-Challenge (networks under CC BY 4.0).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import ModelError, UsageError
from raypipe.quality.value import Missing, parted
from raypipe.types import Samples

DNSMOS_HZ = 16_000
WINDOW_S = 9.01
WINDOW = int(WINDOW_S * DNSMOS_HZ)

MOST_WINDOWS = 60
WHOLE_S = MOST_WINDOWS + WINDOW_S

P835 = "sig_bak_ovr.onnx"
P808 = "model_v8.onnx"

SIG = np.poly1d([-0.08397278, 1.22083953, 0.0052439])
BAK = np.poly1d([-0.13166888, 1.60915514, -0.39604546])
OVRL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])

MEL_BANDS, MEL_WINDOW, MEL_HOP = 120, 321, 160


@dataclass(frozen=True, slots=True)
class DnsmosScores:
    """Mean opinion scores, 1 to 5; None with a reason in `missing`."""

    dnsmos_sig: float | None = None
    """Speech."""
    dnsmos_bak: float | None = None
    """Background; higher is quieter."""
    dnsmos_ovrl: float | None = None
    """Overall."""
    dnsmos_p808: float | None = None
    """Overall, by the older network."""
    missing: dict[str, str] = field(default_factory=dict)


def find_networks(path: str) -> tuple[str, str | None]:
    """The network files that a user means.

    Parameters
    ----------
    path : str
        A folder that holds ``sig_bak_ovr.onnx`` (and perhaps ``model_v8.onnx``), or the former
        itself.

    Returns
    -------
    str, str or None
        Path of the P.835 network, and of the P.808 one where it lies beside it.

    Raises
    ------
    UsageError
        If they are not there.
    """
    p835 = os.path.join(path, P835) if os.path.isdir(path) else path
    if not os.path.isfile(p835):
        raise UsageError(
            f"{path}: holds no {P835}; it comes with Microsoft's DNS-Challenge (folder DNSMOS)"
        )
    p808 = os.path.join(os.path.dirname(p835), P808)
    return p835, p808 if os.path.isfile(p808) else None


class Dnsmos:
    """The networks, loaded.

    Parameters
    ----------
    p835 : str or bytes
        Path or content of ``sig_bak_ovr.onnx``.
    p808 : str, bytes or None
        Path or content of ``model_v8.onnx``.

    Raises
    ------
    UsageError
        If onnxruntime is not installed.
    ModelError
        If a file is no such network.
    """

    def __init__(self, p835: str | bytes, p808: str | bytes | None = None) -> None:
        self._p835 = _session(p835, P835)
        self._p808 = None if p808 is None else _session(p808, P808)

    def score(self, sound: Samples) -> DnsmosScores:
        """Scores of a whole sound.

        Parameters
        ----------
        sound : ndarray
            ``(samples,)`` at `DNSMOS_HZ`, full scale at 1.
        """
        if not len(sound):
            return nothing("it holds no samples")
        while len(sound) < WINDOW:
            sound = np.concatenate([sound, sound])
        return self.score_windows(sound[start : start + WINDOW] for start in windows(len(sound)))

    def score_windows(self, some: Iterable[Samples]) -> DnsmosScores:
        """Scores of a sound of which these are the windows, `WINDOW` samples each."""
        each = [self._window(np.asarray(window, np.float32)) for window in some]
        if not each:
            return nothing("it holds no samples")
        sig, bak, ovrl, p808 = np.mean(each, axis=0).tolist()
        older = Missing(f"{P808} was not given") if self._p808 is None else p808
        found = {"dnsmos_sig": sig, "dnsmos_bak": bak, "dnsmos_ovrl": ovrl, "dnsmos_p808": older}
        return DnsmosScores(**parted(found))

    def _window(self, sound: NDArray[np.float32]) -> tuple[float, float, float, float]:
        sig, bak, ovrl = self._p835.run(None, {"input_1": sound[None]})[0][0]
        p808 = 0.0
        if self._p808 is not None:
            mel = log_mel(sound[:-MEL_HOP])[None]
            p808 = float(self._p808.run(None, {"input_1": mel})[0][0][0])
        return float(SIG(sig)), float(BAK(bak)), float(OVRL(ovrl)), p808


def windows(total: int) -> list[int]:
    """First samples of the windows of a sound that has at least `WINDOW` samples."""
    count = int(total // DNSMOS_HZ - WINDOW_S) + 1
    seconds: Iterable[int] = range(count)
    if count > MOST_WINDOWS:
        seconds = (n * (count - 1) // (MOST_WINDOWS - 1) for n in range(MOST_WINDOWS))
    return [s * DNSMOS_HZ for s in seconds if _is_whole(s)] or [0]


def _is_whole(second: int) -> bool:
    """False where the script's own rounding makes a window a sample too short."""
    return int((second + WINDOW_S) * DNSMOS_HZ) - second * DNSMOS_HZ >= WINDOW


def log_mel(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the P.808 network hears: mel bands in dB below the loudest, ``(frames, bands)``.

    Frames are centred, with zeros around the sound; the mel scale is Slaney's, each band's area is
    one; levels reach from 0 to -80 dB and are then scaled to 1 and -1.
    """
    half = MEL_WINDOW // 2
    padded = np.pad(sound, half)
    frames = np.lib.stride_tricks.sliding_window_view(padded, MEL_WINDOW)[::MEL_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_WINDOW) / MEL_WINDOW)
    power = np.square(np.abs(np.fft.rfft(frames * hann.astype(np.float32), axis=1)))
    bands = power @ _mel_bands().T
    level_db = 10 * np.log10(np.maximum(bands, 1e-10) / max(float(bands.max()), 1e-10))
    return np.asarray((np.maximum(level_db, -80.0) + 40) / 40, np.float32)


@cache
def _mel_bands() -> NDArray[np.float64]:
    """Triangles, ``(MEL_BANDS, bins)``, as M. Slaney's Auditory Toolbox (1998) draws them."""
    hz = np.fft.rfftfreq(MEL_WINDOW, 1 / DNSMOS_HZ)
    edges = _hz(np.linspace(0, _mel(DNSMOS_HZ / 2), MEL_BANDS + 2))
    rise = (hz[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - hz[None]) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (edges[2:] - edges[:-2]))[:, None]


LINEAR_HZ, LINEAR_MELS, LOG_STEP = 1000.0, 15.0, np.log(6.4) / 27
"""Slaney's scale: 3 mels for each 200 Hz up to 1 kHz, 27 for each factor of 6.4 above."""


def _mel(hz: float) -> float:
    if hz < LINEAR_HZ:
        return hz * LINEAR_MELS / LINEAR_HZ
    return LINEAR_MELS + float(np.log(hz / LINEAR_HZ) / LOG_STEP)


def _hz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = LINEAR_HZ * np.exp(LOG_STEP * (mels - LINEAR_MELS))
    return np.where(mels < LINEAR_MELS, mels * LINEAR_HZ / LINEAR_MELS, above)


def _session(network: str | bytes, name: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError("DNSMOS needs onnxruntime: pip install raypipe[score]") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    where = name if isinstance(network, bytes) else network
    try:
        content = network if isinstance(network, bytes) else Path(network).read_bytes()
        session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    except OSError as error:
        raise ModelError(f"{where}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # onnxruntime's errors have no common root
        first = str(error).strip().splitlines()[0]
        raise ModelError(f"{where}: is no network that onnxruntime can load: {first}") from error
    inputs = [each.name for each in session.get_inputs()]
    if inputs != ["input_1"]:
        raise ModelError(f"{where}: is not {name}: its inputs are {', '.join(inputs)}")
    return session


def nothing(reason: str) -> DnsmosScores:
    """Scores of a sound that has none."""
    names = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808")
    return DnsmosScores(missing=dict.fromkeys(names, reason))
