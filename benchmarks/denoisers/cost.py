"""What each peer costs: CPU seconds on one core, each as its users run it.

Comes in: peers, and folders of noisy sound. Goes out: a question for `benchmarks.table`, whose
rounds are interleaved. Everything counts from the second call in a process on: reading,
loading the model, denoising, writing; for FFmpeg its processes, too.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.denoisers.peers import UNPROCESSED, Make, Peer
from benchmarks.peers.files import seconds_in
from benchmarks.peers.processes import alone
from benchmarks.table import Contender, Question, Run

FEW = 24
"""Files for peers that take one at a time; raypipe gets all, as a folder fills its lanes."""


def question(peers: Sequence[Peer], noisy: Mapping[int, Path]) -> Question:
    """The table, not yet filled.

    Parameters
    ----------
    peers : sequence of Peer
        Those that run.
    noisy : mapping
        Folder of noisy files by their rate in Hz.
    """
    asked = Question("denoisers", "Cost: CPU seconds of one core")
    for peer in peers:
        if peer.name != UNPROCESSED and not peer.missing:
            paths = sorted(noisy[peer.rate_hz].glob("*.wav"))
            count = len(paths) if peer.note.startswith("raypipe") else FEW
            run = partial(_run, peer.make, paths[:count])
            asked.contenders.append(Contender(peer.name, run, note=peer.note))
    return asked


def _run(make: Make, paths: Sequence[Path]) -> Run:
    return Run(seconds_in(paths), alone(cpu_seconds, make, list(paths)))


def cpu_seconds(make: Make, paths: Sequence[Path]) -> float:
    """CPU seconds of this process and its children while a peer works; imports come before."""
    root = Path(tempfile.mkdtemp())
    try:
        _work(make, paths[:1], root / "first")
        before_s = _spent_s()
        _work(make, paths, root / "all")
        return _spent_s() - before_s
    finally:
        shutil.rmtree(root)


def _work(make: Make, paths: Sequence[Path], folder: Path) -> None:
    source, out = folder / "in", folder / "out"
    source.mkdir(parents=True)
    out.mkdir()
    for path in paths:
        os.link(path, source / path.name) if _same_disk(path, source) else shutil.copy(path, source)
    make(source, out)


def _same_disk(path: Path, folder: Path) -> bool:
    return path.stat().st_dev == folder.stat().st_dev


def _spent_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
