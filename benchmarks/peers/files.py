"""Files in, files out: how peers are given them, and how their work is looked at.

A peer gets tasks, pairs of an input and an output path. Afterwards every output must be there,
as long as its input; where the sound is known, it is compared with it.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.peers.processes import PeerFailed

Task = tuple[Path, Path]
"""An input and the output that is to be made of it."""

Denoise = Callable[[NDArray[np.float32], int], NDArray[np.float32]]
"""From the sound of one channel and its rate in Hz to as much sound."""


class OneByOne:
    """One file at a time: read, denoise, write.

    Parameters
    ----------
    make, *arguments
        Called in the process that does the work; gives the `Denoise`.
    """

    def __init__(self, make: Callable[..., Denoise], *arguments: object) -> None:
        self._denoise = make(*arguments)

    def __call__(self, task: Task) -> None:
        """Make one file of another."""
        source, output = task
        sound, rate_hz = sf.read(source, dtype="float32")
        write_16_bit(output, self._denoise(sound, rate_hz), rate_hz)


def write_16_bit(path: Path, sound: NDArray[np.float32], rate_hz: int) -> None:
    """Write one channel, each sample rounded to the nearest step.

    Libsndfile would cut a WAV's samples off instead, which makes 6 dB more noise: peers' sound
    could not be compared with that of those who round.
    """
    sf.write(path, np.rint(sound * 32768).clip(-32768, 32767).astype(np.int16), rate_hz)


def tasks_for(paths: Sequence[Path], out: Path) -> list[Task]:
    """Each path, and its name in another folder, which is made."""
    out.mkdir(parents=True)
    return [(path, out / path.name) for path in paths]


def seconds_in(paths: Sequence[Path]) -> float:
    """Seconds of sound in all of these files."""
    return math.fsum(sf.info(path).duration for path in paths)


def check_outputs(paths: Sequence[Path], out: Path) -> None:
    """See that there is an output for each input, as long as it is.

    Raises
    ------
    PeerFailed
        If one is missing, cannot be read or has another length.
    """
    for path in paths:
        try:
            found = sf.info(out / path.name).frames
        except (OSError, sf.LibsndfileError):
            raise PeerFailed(f"made no {path.name}") from None
        wanted = sf.info(path).frames
        if found != wanted:
            raise PeerFailed(f"{path.name}: made {found} samples of {wanted}")


@contextmanager
def outputs_of(paths: Sequence[Path], scratch: Path) -> Iterator[Path]:
    """Give a folder, not there yet, for what is made of these; then look at it and take it away.

    Raises
    ------
    PeerFailed
        As `check_outputs` does, at the end of the ``with`` block.
    """
    try:
        yield scratch / "out"
        check_outputs(paths, scratch / "out")
    finally:
        for made in scratch.glob("out*"):
            shutil.rmtree(made)


def distance_db(truth: Path, out: Path) -> float:
    """How far the outputs are from the true ones, in dB under the sound; the worst of them.

    Parameters
    ----------
    truth : Path
        Folder with some of the files, as they should be.
    out : Path
        Folder with what a peer made.
    """
    return min(_distance_db(path, out / path.name) for path in sorted(truth.iterdir()))


def _distance_db(wanted: Path, found: Path) -> float:
    one, two = sf.read(wanted)[0], sf.read(found)[0]
    off = float(np.sum((one - two) ** 2))
    return 10 * math.log10(float(np.sum(one**2)) / off) if off else math.inf
