"""48 kHz stereo FLAC in and out: what resampling and coding cost beside the model.

raypipe with two workers; the shares are of the workers' busy seconds, as its report has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from benchmarks.corpus import make_speech
from benchmarks.peers.files import outputs_of
from benchmarks.peers.ours import engine
from benchmarks.peers.processes import alone
from benchmarks.peers.setting import PROCESSES, Setting
from benchmarks.table import Contender, Question, Run

RATE_HZ, CHANNELS, SECONDS = 48_000, 2, 10.0

PARTS = {
    "model": ("step",),
    "resample": ("resample",),
    "decode": ("read",),
    "encode": ("encode", "write"),
    "loudness": ("level",),
    "resample and code": ("resample", "read", "encode", "write"),
}
"""Columns, and the parts of the work that each sums up."""


def question(setting: Setting) -> Question:
    """The table, not yet filled; makes the corpus."""
    files = setting.pick(280, 16)
    folder = make_speech(setting.scratch / "in", [SECONDS] * files, RATE_HZ, CHANNELS, ".flac")
    asked = Question(
        "flac", f"48 kHz stereo FLAC in and out: {files} files of {SECONDS:g} s, "
        f"{PROCESSES} workers", shows={f"{name}, %": name for name in PARTS},
    )  # fmt: skip
    for name, model in setting.models.items():
        run = partial(_run, setting, model, folder)
        asked.contenders.append(Contender(f"raypipe, {name}", run))
    asked.notes.append(
        "Shares of the workers' busy seconds. A second of stereo is two seconds to the model."
    )
    return asked


def shares(busy_s: Mapping[str, float]) -> dict[str, float]:
    """Per cent of all seconds that go to each of `PARTS`."""
    total_s = sum(busy_s.values())
    return {
        name: 100 * sum(busy_s.get(part, 0.0) for part in parts) / total_s
        for name, parts in PARTS.items()
    }


def _run(setting: Setting, model: str, folder: Path) -> Run:
    settings = {"model": model, "executor": "ray", "workers": PROCESSES, "lanes": setting.lanes}
    with outputs_of(sorted(folder.iterdir()), setting.scratch) as out:
        told = alone(engine, folder, out, settings)
    return Run(told["audio_s"], told["seconds"], shares(told["busy_s"]))
