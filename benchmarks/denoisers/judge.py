"""What each measure says of each output, kept on disk so that nothing is judged twice.

Comes in: for each peer a folder of outputs, and the folder of clean speech. Goes out: lines of
JSON in a file per peer, one for each pair, written as they come::

    {"pair": "017_+5dB_rain", "pesq_wb": 2.41, "stoi": 0.93, "si_sdr_db": 14.2, ...}

Everything is judged at 16 kHz. A measure that is not installed is not in the lines.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile as sf

from benchmarks.denoisers.measures import Measures
from benchmarks.denoisers.mixing import FULL_HZ, to_judged
from benchmarks.peers.processes import one_thread_each
from benchmarks.table import say

Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Task:
    """One output to be judged."""

    lines: Path
    """Where its line goes."""
    pair: str
    clean: Path
    made: Path


def judge(tasks: Sequence[Task], dnsmos: Path | None, processes: int) -> None:
    """Judge those that no line speaks of yet.

    Parameters
    ----------
    tasks : sequence of Task
        All of them.
    dnsmos : Path or None
        Folder with DNSMOS's graphs.
    processes : int
        With one thread each.
    """
    known = {path: set(read_lines(path)) for path in {task.lines for task in tasks}}
    left = [task for task in tasks if task.pair not in known[task.lines]]
    if not left:
        return
    for path in known:
        _end_line(path)
    context = multiprocessing.get_context("spawn")
    with one_thread_each():
        pool = context.Pool(processes, _begin, (partial(Measures, dnsmos),))
    with pool:
        for number, (task, scores) in enumerate(pool.imap_unordered(_judge, left), 1):
            with open(task.lines, "a", encoding="utf-8") as file:
                file.write(json.dumps({"pair": task.pair} | scores) + "\n")
            if number % 50 == 0 or number == len(left):
                say(f"judged {number} of {len(left)}")


def read_lines(path: Path) -> dict[str, Scores]:
    """Scores by pair; a last line that a killed run left half is not counted."""
    scores: dict[str, Scores] = {}
    if path.is_file():
        for line in path.read_text("utf-8").splitlines():
            try:
                facts = json.loads(line)
            except json.JSONDecodeError:
                continue
            scores[facts.pop("pair")] = facts
    return scores


def _end_line(path: Path) -> None:
    """What is written next must not join what a killed run left half."""
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        with open(path, "ab") as file:
            file.write(b"\n")


def read_judged(path: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A sound at the rate at which it is judged."""
    sound, rate_hz = sf.read(path)
    return to_judged(sound) if rate_hz == FULL_HZ else sound


_measures: list[Measures] = []
"""This process's own."""


def _begin(make: Callable[[], Measures]) -> None:
    _measures[:] = [make()]


def _judge(task: Task) -> tuple[Task, Scores]:
    clean, made = read_judged(task.clean), read_judged(task.made)
    return task, _measures[0](clean, made)


def table_of(lines: Mapping[str, Path], pairs: Iterable[str]) -> dict[str, dict[str, list[float]]]:
    """For each peer each measure's values in the order of the pairs; NaN where there is none."""
    wanted = list(pairs)
    out = {}
    for peer, path in lines.items():
        scores = read_lines(path)
        names = sorted({name for one in scores.values() for name in one})
        out[peer] = {
            name: [scores.get(pair, {}).get(name, float("nan")) for pair in wanted]
            for name in names
        }
    return out
