"""Who is held against whom: each peer makes a folder of denoised files out of a folder of noisy.

Comes in: folders of WAV files at 48 and at 16 kHz, and where the peers' models lie. Goes out: a
folder of float WAV files of the same names, lengths and alignment, at the rate of the peer.
Every peer works as its users run it: raypipe on the folder, FFmpeg file by file, the others in
a loop over files.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile as sf

import raypipe
from benchmarks.denoisers.arnndn import (
    LOUDER,
    missing_ffmpeg,
    network_text,
    rnnoise_filters,
    through_ffmpeg,
)
from benchmarks.denoisers.gtcrn import Gtcrn, missing_onnxruntime
from benchmarks.denoisers.mixing import FULL_HZ, JUDGED_HZ
from benchmarks.peers.classical import NoiseReduce, missing_noisereduce
from benchmarks.peers.files import Denoise
from benchmarks.peers.processes import PeerFailed
from raypipe.errors import ModelError
from raypipe.inference.metadata import embed_card
from raypipe.inference.zoo import ModelFile, find_model

UNPROCESSED = "unprocessed"

RNNOISE_LATE = 480
"""Samples at 48 kHz: ``arnndn`` gives a frame of 10 ms when the next one is there."""
AFFTDN_LATE = 2 * (FULL_HZ // 80)
"""Two of its hops, each an 80th of a second."""

RNNOISE_WEIGHTS = Path("rnnoise/rnnoise_v0.1.1_weights.npz")
GTCRN_GRAPH = Path("gtcrn/gtcrn_simple.onnx")

Make = Callable[[Path, Path], None]
"""Makes a folder of another."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the tables."""

    name: str
    rate_hz: int
    """Of the files that it takes and gives."""
    make: Make
    version: str
    """What its output depends on; another version is another peer."""
    missing: str = ""
    """Why it cannot run; "" where it can."""
    note: str = ""
    """How it was run, where that needs saying."""

    @property
    def key(self) -> str:
        """Names its outputs in the folder of work."""
        return f"{self.name}-{hashlib.sha256(self.version.encode()).hexdigest()[:10]}"


def all_peers(ours: str, models: Path) -> list[Peer]:
    """Everyone, in the order of the table.

    Parameters
    ----------
    ours : str
        Name or path of our own model; its int8 variant has ``-int8`` behind its name.
    models : Path
        Folder with the peers' models: ``gtcrn/``, ``rnnoise/``.
    """
    path = Path(ours)
    int8 = str(path.with_name(f"{path.stem}-int8{path.suffix}"))
    return [
        raypipe_peer(path.stem, ours, FULL_HZ),
        raypipe_peer(f"{path.stem}-int8", int8, FULL_HZ),
        raypipe_peer("dtln", "dtln", JUDGED_HZ),
        gtcrn_peer(models / GTCRN_GRAPH),
        rnnoise_peer(models / RNNOISE_WEIGHTS),
        noisereduce_peer(),
        Peer(
            "afftdn", FULL_HZ, partial(_each_through_ffmpeg, "afftdn", AFFTDN_LATE),
            f"afftdn {AFFTDN_LATE}", missing_ffmpeg(), "FFmpeg's, defaults, 48 kHz",
        ),
        Peer(UNPROCESSED, JUDGED_HZ, _copy, "1"),
    ]  # fmt: skip


def raypipe_peer(name: str, model: str, rate_hz: int) -> Peer:
    """A model through raypipe itself, on the folder, in one process."""
    try:
        found = find_model(model)
    except ModelError as error:
        return Peer(name, rate_hz, _copy, "", str(error).partition("\n")[0])
    return Peer(
        name, rate_hz, partial(_raypipe, found.path), _sound_of(found),
        note=f"raypipe, {rate_hz // 1000} kHz",
    )  # fmt: skip


def gtcrn_peer(graph: Path) -> Peer:
    """GTCRN's streaming graph."""
    absent = missing_onnxruntime() or _missing_file(graph)
    make = partial(_each, partial(Gtcrn, graph))
    return Peer("gtcrn", JUDGED_HZ, make, _digest(graph), absent, "its streaming graph, 16 kHz")


def rnnoise_peer(weights: Path, gain: float = LOUDER) -> Peer:
    """RNNoise's published network in FFmpeg."""
    absent = missing_ffmpeg() or _missing_file(weights)
    make = partial(_rnnoise, weights, gain)
    version = f"{_digest(weights)} {gain} {RNNOISE_LATE}"
    return Peer("rnnoise", FULL_HZ, make, version, absent, "0.1.1 in FFmpeg's arnndn, 48 kHz")


def noisereduce_peer(rate_hz: int = FULL_HZ) -> Peer:
    """noisereduce as its page shows it."""
    absent = missing_noisereduce()
    version = absent or f"{importlib.metadata.version('noisereduce')} {rate_hz}"
    note = f"{version.split()[0]}, defaults, {rate_hz // 1000} kHz"
    return Peer("noisereduce", rate_hz, partial(_each, NoiseReduce), version, absent, note)


def _sound_of(model: ModelFile) -> str:
    """Digest of a model without what its card only says: these very figures, for one."""
    silent = replace(model.card, quality={}, description="", training_data="", source="")
    return hashlib.sha256(embed_card(Path(model.path).read_bytes(), silent)).hexdigest()


def _raypipe(model: str, source: Path, out: Path) -> None:
    report = raypipe.enhance(source, out, model=model, executor="inline")
    failed = [file for file in report.files if file["outcome"] == "failed"]
    if failed:
        raise PeerFailed(f"{len(failed)} files failed, such as {failed[0]['reason']}")


def _each(start: Callable[[], Denoise], source: Path, out: Path) -> None:
    denoise = start()
    for path in sorted(source.glob("*.wav")):
        sound, rate_hz = sf.read(path, dtype="float32")
        sf.write(out / path.name, denoise(sound, rate_hz), rate_hz, "FLOAT")


def _rnnoise(weights: Path, gain: float, source: Path, out: Path) -> None:
    network = out / "network.rnnn"
    network.write_text(network_text(dict(np.load(weights))), "ascii")
    _each_through_ffmpeg(rnnoise_filters(network, gain), RNNOISE_LATE, source, out)


def _each_through_ffmpeg(filters: str, late: int, source: Path, out: Path) -> None:
    for path in sorted(source.glob("*.wav")):
        made = out / f"long-{path.name}"
        through_ffmpeg(path, made, filters, late)
        frames = sf.info(path).frames
        sound, rate_hz = sf.read(made, dtype="float32", frames=frames)
        sf.write(out / path.name, sound, rate_hz, "FLOAT")
        made.unlink()


def _copy(source: Path, out: Path) -> None:
    for path in sorted(source.glob("*.wav")):
        (out / path.name).write_bytes(path.read_bytes())


def _missing_file(path: Path) -> str:
    return "" if path.is_file() else f"not here ({'/'.join(path.parts[-2:])})"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
