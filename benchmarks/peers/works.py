"""How each peer makes a folder of files: called with paths and the folder, gives its seconds.

All work in two processes unless told otherwise, one thread in each, and start before their
seconds begin; FFmpeg alone, a process for each file, counts its starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.peers import classical, ray_data
from benchmarks.peers.files import Denoise, OneByOne, tasks_for
from benchmarks.peers.ours import FullLanes, OneLane, engine
from benchmarks.peers.processes import alone, in_pool
from benchmarks.peers.reference import Reference
from benchmarks.peers.setting import PROCESSES

Work = Callable[[Sequence[Path], Path], float]
"""Seconds that it takes to make these files in that folder, which is not there yet."""

ONE_BY_ONE = 16
"""Files that Ray Data hands over at a time where they are worked on one by one."""


def reference_loop(pair: Path, processes: int = PROCESSES) -> Work:
    """The published script's loop."""
    return partial(_pool, Reference, (pair,), processes)


def one_lane(model: str) -> Work:
    """`multiprocessing.Pool`, our graphs, one file at a time in one lane."""
    return partial(_pool, OneLane, (model,), PROCESSES)


def noisereduce() -> Work:
    """`multiprocessing.Pool`, noisereduce."""
    return partial(_pool, classical.NoiseReduce, (), PROCESSES)


def ffmpeg(processes: int = PROCESSES) -> Work:
    """FFmpeg by xargs."""
    return lambda paths, out: classical.ffmpeg(tasks_for(paths, out), processes)


def lane_pool(model: str, lanes: int) -> Work:
    """A bare pool around our lane kernel: each process has its half of the files."""
    return partial(_lane_pool, model, lanes)


def ray_data_reference(pair: Path, form: str) -> Work:
    """Ray Data; actors hold the published pair and take one file at a time."""
    return partial(_ray_data, partial(ray_data.EachAlone, Reference, pair), form, ONE_BY_ONE)


def ray_data_lanes(model: str, form: str, lanes: int) -> Work:
    """Ray Data; actors hold our lane kernel and take as many files as it has lanes."""
    return partial(_ray_data, partial(ray_data.OnLanes, model, lanes), form, lanes)


def raypipe(model: str, lanes: int) -> Work:
    """raypipe on a local Ray; the paths are all that their folder holds."""
    return partial(_raypipe, model, lanes)


def _pool(
    make: Callable[..., Denoise],
    arguments: tuple[object, ...],
    processes: int,
    paths: Sequence[Path],
    out: Path,
) -> float:
    return in_pool(partial(OneByOne, make, *arguments), tasks_for(paths, out), processes)


def _lane_pool(model: str, lanes: int, paths: Sequence[Path], out: Path) -> float:
    tasks = tasks_for(paths, out)
    halves = [tasks[number::PROCESSES] for number in range(PROCESSES)]
    return in_pool(partial(FullLanes, model, lanes), halves, PROCESSES)


def _ray_data(
    make: Callable[[], ray_data.Several], form: str, batch: int, paths: Sequence[Path], out: Path
) -> float:
    out.mkdir()
    seconds, _ = alone(ray_data.pipeline, form, make, paths, out, batch)
    return float(seconds)


def _raypipe(model: str, lanes: int, paths: Sequence[Path], out: Path) -> float:
    settings = {"model": model, "lanes": lanes, "executor": "ray", "workers": PROCESSES}
    return float(alone(engine, paths[0].parent, out, settings)["seconds"])
