"""Batches ahead of time, from a process of its own.

Comes in: where the audio is, a seed. Goes out: batch after batch, in memory that both
processes see. What is in a batch follows from its number alone.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np

from models.denoiser.data import Library, load
from models.denoiser.mixing import Batch, mix, shapes_of

AHEAD = 3
"""Batches that are made before they are asked for."""
TOGETHER = 4
"""Batches that are given, then given again: mixing takes half as long as learning, on two cores
that do both, and what is learned the second time is nearly as much."""

_libraries: dict[tuple[Path, Path], Library] = {}


def batches(
    audio: Path, cache: Path, lanes: int, seed: int, first: int, processes: int = 1
) -> Generator[Batch, None, None]:
    """The batches of step `first` and those after it, without end.

    Parameters
    ----------
    audio, cache : Path
        See `models.denoiser.data.load`.
    lanes : int
        Pieces in a batch.
    seed : int
        What is in them.
    first : int
        Step to begin with; see `number_at`.
    processes : int
        That mix.

    Yields
    ------
    Batch
        Good until the next one is asked for.
    """
    load(audio, cache, "train")
    slots = deque(cache / f"batch-{number}.bin" for number in range(AHEAD + TOGETHER))
    for slot in slots:
        _open(slot, lanes, "w+")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context) as pool:
        jobs: dict[int, tuple[Path, Future[None]]] = {}
        coming, step = _coming(first), first
        try:
            while True:
                while slots:
                    slot, number = slots.popleft(), next(coming)
                    job = pool.submit(_mix_into, slot, audio, cache, lanes, seed, number)
                    jobs[number] = slot, job
                number = number_at(step)
                slot, job = jobs[number]
                job.result()
                yield _open(slot, lanes, "r")
                if step % (2 * TOGETHER) >= TOGETHER:
                    slots.append(jobs.pop(number)[0])
                step += 1
        finally:
            pool.shutdown(cancel_futures=True)


def number_at(step: int) -> int:
    """The batch of a step: some together, and those once more before the next."""
    block, place = divmod(step, 2 * TOGETHER)
    return block * TOGETHER + place % TOGETHER


def _coming(first: int) -> Iterator[int]:
    """Each batch that is needed from a step on, once, in the order of need."""
    block = first // (2 * TOGETHER)
    stop = 2 * TOGETHER * (block + 1)
    yield from dict.fromkeys(number_at(step) for step in range(first, stop))
    yield from count(TOGETHER * (block + 1))


def _mix_into(slot: Path, audio: Path, cache: Path, lanes: int, seed: int, number: int) -> None:
    if (audio, cache) not in _libraries:
        _libraries[audio, cache] = load(audio, cache, "train")
    mix(_libraries[audio, cache], seed, number, _open(slot, lanes, "r+"))


def _open(slot: Path, lanes: int, mode: str) -> Batch:
    shapes = shapes_of(lanes)
    size = sum(int(np.prod(shape)) for shape in shapes.values())
    whole = np.memmap(slot, np.float32, mode=mode, shape=(size,))  # type: ignore[call-overload]
    made, start = {}, 0
    for name, shape in shapes.items():
        stop = start + int(np.prod(shape))
        made[name] = whole[start:stop].reshape(shape)
        start = stop
    return made
