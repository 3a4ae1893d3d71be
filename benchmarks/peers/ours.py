"""raypipe and its parts: the engine, its lane kernel in a bare pool or alone, the bare graphs.

Comes in: a model by name or path, and sound in files or in memory. Goes out: outputs and seconds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import raypipe
from benchmarks.corpus import noisy_speech
from benchmarks.peers.files import Task
from raypipe.audio.encode import encode
from raypipe.audio.read import open_sound
from raypipe.audio.target import target_for
from raypipe.audio.write import open_writer
from raypipe.inference import widths
from raypipe.inference.graph import Graph
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job
from raypipe.types import SoundInfo


class OneLane:
    """Our graphs, one file at a time: a lane kernel with one lane.

    Parameters
    ----------
    model : str
        Name or path.
    """

    def __init__(self, model: str) -> None:
        self._enhance = Enhance(load_lane_model(find_model(model), 1))

    def __call__(self, sound: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Denoise one channel, see `benchmarks.peers.files.Denoise`."""
        info = SoundInfo(rate_hz, 1, len(sound), "WAV", "PCM_16")
        (made,) = self._enhance.step([Job(info, sound[np.newaxis], 0, True, None)])
        cleaned: NDArray[np.float32] = made.sound[0].astype(np.float32, copy=False)
        return cleaned


class FullLanes:
    """Our lane kernel and nothing else: read as many files as there are lanes, step, write.

    Parameters
    ----------
    model : str
        Name or path.
    lanes : int
        Files that step together.
    """

    def __init__(self, model: str, lanes: int) -> None:
        self._enhance = Enhance(load_lane_model(find_model(model), lanes))
        self._lanes = lanes

    def __call__(self, tasks: Sequence[Task]) -> None:
        """Make all these files, a batch after the other."""
        for start in range(0, len(tasks), self._lanes):
            jobs, targets = [], []
            for source, output in tasks[start : start + self._lanes]:
                with open_sound(str(source)) as reader:
                    info = reader.info
                    jobs.append(Job(info, reader.read(info.frames or 0), 0, True, None))
                targets.append((str(output), target_for(info, "keep", output.suffix)[0]))
            for made, (path, target) in zip(self._enhance.step(jobs), targets, strict=True):
                writer = open_writer(path, target)
                writer.write(encode(made.sound, target).data)
                writer.close()


def engine(
    source: Path, out: Path, settings: dict[str, Any], one_frame: bool = False
) -> dict[str, Any]:
    """What `raypipe.enhance` reports of a run over a file or a folder.

    Parameters
    ----------
    source, out : Path
        As `raypipe.enhance` takes them.
    settings : dict
        Likewise.
    one_frame : bool
        Let every call of a graph take one frame, even where it could take several.

    Returns
    -------
    dict
        ``audio_s``; ``seconds`` after start-up; ``startup_s``; ``mean_lanes``; ``busy_s``,
        seconds of all workers by part of the work.

    Raises
    ------
    RuntimeError
        If a file failed.
    """
    if one_frame:
        widths.WIDEST_WITH_FRAMES = 0
    report = raypipe.enhance(source, out, **settings)
    totals = report.totals
    if totals.done < totals.files:
        reasons = [file["reason"] for file in report.files if file["outcome"] != "done"]
        raise RuntimeError(f"{len(reasons)} files were not done: {reasons[0]}")
    return {
        "audio_s": totals.audio_s,
        "seconds": totals.audio_s / totals.x_real_time,
        "startup_s": totals.startup_s,
        "mean_lanes": totals.mean_lanes,
        "busy_s": totals.busy_s,
    }


def lane_kernel(model: str, lanes: int, seconds: float) -> tuple[float, float]:
    """Seconds of sound of all lanes, and of CPU time for them, of the kernel on sound in memory."""
    found = find_model(model)
    loaded = load_lane_model(found, lanes)
    hop, rate_hz = found.card.hop, found.card.rate_hz or 16_000
    frames = round(seconds * rate_hz) // hop * hop
    blocks = [noisy_speech(frames, rate_hz, seed=seed) for seed in range(lanes)]
    states = [loaded.new_state(1) for _ in blocks]
    loaded.process([block[:, : 16 * hop] for block in blocks], states)
    begin_s = time.process_time()
    loaded.process(blocks, states)
    return lanes * frames / rate_hz, time.process_time() - begin_s


def bare_graphs(model: str, lanes: int, seconds: float) -> tuple[float, float]:
    """The same of the graphs alone, invoked in a loop on full lanes: the limit."""
    found = find_model(model)
    card = found.card
    rate_hz = card.rate_hz or 16_000
    calls = round(seconds * rate_hz / card.hop)
    graphs = [Graph(Path(found.path), card, lanes, stage) for stage in range(len(card.graphs))]
    for graph in graphs:
        tensor = graph.taken()
        tensor[...] = np.random.default_rng(0).uniform(0, 1, tensor.shape)
        del tensor  # LiteRT refuses to step while it is held
        for _ in range(16):
            graph.invoke()
    begin_s = time.process_time()
    for graph in graphs:
        for _ in range(calls):
            graph.invoke()
    return lanes * calls * card.hop / rate_hz, time.process_time() - begin_s
