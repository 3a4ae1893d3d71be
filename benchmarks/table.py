"""Questions, who answers them, and what they gave: as Markdown for people, as JSON for programs.

Comes in: for each question its contenders, each with a function that runs it once. Goes out:
medians over the rounds and their ratios. Rounds are interleaved: every contender runs once
before any runs again, so that a slow minute of the machine falls on all of them.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.peers.processes import PeerFailed
from raypipe.machine import cpu_name, usable_cores, usable_cpus

PACKAGES = (
    "raypipe", "ai-edge-litert", "numpy", "scipy", "soundfile", "soxr", "ray", "pandas", "pyarrow",
    "noisereduce",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a contender gave."""

    audio_s: float
    """Seconds of sound that it worked through."""
    seconds: float
    """What it took for them, start-up not counted."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """Whatever else it says."""

    @property
    def x_real_time(self) -> float:
        """Seconds of sound in a second."""
        return self.audio_s / self.seconds


@dataclass
class Contender:
    """One row of a question's table.

    Attributes
    ----------
    name : str
        The row's head.
    run : callable
        Runs it once.
    against : dict
        By the heads of ratio columns: the contender whose speed this one's is divided by.
    note : str
        What is to be said of it, such as a smaller share of the corpus.
    missing : str
        Why it cannot run at all; "" where it can.
    """

    name: str
    run: Callable[[], Run]
    against: dict[str, str] = field(default_factory=dict)
    note: str = ""
    missing: str = ""
    runs: list[Run] = field(default_factory=list)

    @property
    def x_real_time(self) -> float | None:
        """Median of its runs; None where there is none."""
        return statistics.median(run.x_real_time for run in self.runs) if self.runs else None

    def fact(self, name: str) -> float | None:
        """Median of what its runs say under this name; None where none says it."""
        said = [run.facts[name] for run in self.runs if name in run.facts]
        return statistics.median(said) if said else None


@dataclass
class Question:
    """One table.

    Attributes
    ----------
    name : str
        As it is chosen by on the command line.
    title : str
        What is asked.
    contenders : list of Contender
        In the order in which they run.
    shows : dict
        Further columns: the fact's name by the column's head.
    notes : list of str
        Said under the table.
    """

    name: str
    title: str
    contenders: list[Contender] = field(default_factory=list)
    shows: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def find(self, name: str) -> Contender | None:
        """The contender of this name."""
        return next((one for one in self.contenders if one.name == name), None)

    def ratio(self, one: Contender, column: str) -> float | None:
        """A contender's speed over that of the one it is held against."""
        base = self.find(one.against.get(column, ""))
        if base is None or base.x_real_time is None or one.x_real_time is None:
            return None
        return one.x_real_time / base.x_real_time


def ask(question: Question, rounds: int) -> None:
    """Run every contender once in each round; one that fails is not asked again."""
    for number in range(1, rounds + 1):
        for one in question.contenders:
            if one.missing:
                continue
            begin_s = time.perf_counter()
            try:
                one.runs.append(one.run())
            except PeerFailed as error:
                one.missing, one.runs = f"failed: {error}", []
                say(f"{question.name} {number}/{rounds}: {one.name}: {one.missing}")
                continue
            say(
                f"{question.name} {number}/{rounds}: {one.name}: {one.runs[-1].x_real_time:.1f} x "
                f"({time.perf_counter() - begin_s:.1f} s with its start)"
            )


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def markdown(question: Question) -> str:
    """The question's table."""
    head = f"### {question.title}\n"
    ratios = list(dict.fromkeys(c for one in question.contenders for c in one.against))
    columns = ["", "x real time", "lowest to highest", *ratios, *question.shows]
    lines = [_row(columns), "|---|" + "---:|" * (len(columns) - 1)]
    notes = list(question.notes)
    for one in question.contenders:
        name = one.name + (f" ({one.note})" if one.note else "")
        if one.x_real_time is None:
            lines.append(_row([name, one.missing or "not run", *[""] * (len(columns) - 2)]))
            continue
        speeds = [run.x_real_time for run in one.runs]
        cells = [_number(one.x_real_time), f"{_number(min(speeds))} to {_number(max(speeds))}"]
        cells += [_ratio(question.ratio(one, column)) for column in ratios]
        cells += [_fact(one.fact(name)) for name in question.shows.values()]
        lines.append(_row([name, *cells]))
    return "\n".join([head, *lines, "", *notes]).rstrip()


def spoken(seconds: float) -> str:
    """A length as people say it."""
    for unit_s, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:g} {unit}"
    return f"{seconds:g} s"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _fact(value: float | None) -> str:
    return "" if value is None else _number(value)


def as_json(question: Question) -> dict[str, Any]:
    """Everything that was measured."""
    return {
        "name": question.name,
        "title": question.title,
        "notes": question.notes,
        "contenders": [
            {
                "name": one.name,
                "note": one.note,
                "missing": one.missing,
                "x_real_time": one.x_real_time,
                "ratios": {c: question.ratio(one, c) for c in one.against},
                "against": one.against,
                "runs": [
                    {"audio_s": run.audio_s, "seconds": run.seconds, "facts": dict(run.facts)}
                    for run in one.runs
                ],
            }
            for one in question.contenders
        ],
    }


def machine() -> dict[str, Any]:
    """Where it was measured, and with which versions."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {
        "cpu": cpu_name(),
        "cpus": usable_cpus(),
        "cores": usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": found,
    }
