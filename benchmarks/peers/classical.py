"""What users take today without a neural model: FFmpeg's ``afftdn``, and noisereduce.

FFmpeg runs as a process for each file, some at a time by xargs; noisereduce file by file in a
pool. Both with their defaults, at 16 kHz. Neither does what DTLN does; they stand here for
their speed.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import RATE_HZ
from benchmarks.peers.files import Task
from benchmarks.peers.processes import LIMIT_S, PeerFailed

LATE = 2 * (RATE_HZ // 80)
"""Samples by which ``afftdn``'s output lags: two of its hops, each an 80th of a second."""

COMMAND = (
    "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-filter_threads", "1",
    "-threads", "1", "-i", '"$0"', "-af", f"apad=pad_len={LATE},afftdn,atrim=start_sample={LATE}",
    "-threads", "1", '"$1"',
)  # fmt: skip
"""For a shell, with an input and an output behind it. All of the sound comes out, and aligned."""


def missing_ffmpeg() -> str:
    """Which of the programs is not there; nothing where both are."""
    absent = [name for name in ("ffmpeg", "xargs") if shutil.which(name) is None]
    return f"not installed ({', '.join(absent)})" if absent else ""


def missing_noisereduce() -> str:
    """Likewise of the package."""
    there = importlib.util.find_spec("noisereduce") is not None
    return "" if there else "not installed (noisereduce)"


def ffmpeg(tasks: Sequence[Task], processes: int) -> float:
    """Seconds that ``xargs -P`` takes over the files, a process for each; all starts counted.

    Parameters
    ----------
    tasks : sequence of (Path, Path)
        Outputs must not be there yet.
    processes : int
        At a time.

    Raises
    ------
    PeerFailed
        If FFmpeg refuses one.
    """
    names = [str(path) for task in tasks for path in task]
    command = ["xargs", "-0", "-n", "2", "-P", str(processes), "sh", "-c"]
    begin_s = time.perf_counter()
    try:
        done = subprocess.run(
            [*command, f"exec {' '.join(COMMAND)}"],
            input="\0".join(names), text=True, stderr=subprocess.PIPE, timeout=LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PeerFailed(f"took more than {LIMIT_S:g} s") from None
    if done.returncode:
        raise PeerFailed(done.stderr.strip().partition("\n")[0] or f"exit {done.returncode}")
    return time.perf_counter() - begin_s


class NoiseReduce:
    """noisereduce's spectral gating as its page shows it."""

    def __init__(self) -> None:
        self._reduce: Any = importlib.import_module("noisereduce").reduce_noise

    def __call__(self, sound: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Denoise one channel, see `benchmarks.peers.files.Denoise`."""
        made: NDArray[np.float32] = self._reduce(y=sound, sr=rate_hz).astype(np.float32)
        return made
