"""Mixed lengths: what it costs that files are of a second to half an hour, not all alike.

The same sound in all, once in files of one length, once log-uniform; raypipe with two workers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.corpus import LONGEST_S, make_speech, mixed_lengths
from benchmarks.peers.files import outputs_of
from benchmarks.peers.ours import engine
from benchmarks.peers.processes import alone
from benchmarks.peers.setting import PROCESSES, Setting
from benchmarks.table import Contender, Question, Run, spoken

EQUAL_S = 10.0


def question(setting: Setting) -> Question:
    """The table, not yet filled; makes both corpora."""
    total_s = setting.pick(36_000, 600)
    # A quick run has no room for the longest.
    lengths_s = mixed_lengths(total_s, min(LONGEST_S, total_s / 4))
    equal_s = [EQUAL_S] * round(total_s / EQUAL_S)
    mixed = make_speech(setting.scratch / "mixed", lengths_s)
    equal = make_speech(setting.scratch / "equal", equal_s)
    asked = Question(
        "lengths", f"Mixed lengths: {spoken(total_s)}, {PROCESSES} workers",
        shows={f"lanes filled of {setting.lanes}": "mean_lanes"},
    )  # fmt: skip
    for name, model in setting.models.items():
        base = f"{len(equal_s)} files of {EQUAL_S:g} s, {name}"
        other = f"{len(lengths_s)} files of {min(lengths_s):.0f} to {max(lengths_s):.0f} s, {name}"
        run = partial(_run, setting, model)
        asked.contenders.append(Contender(base, partial(run, equal)))
        against = {"ratio to equal lengths": base}
        asked.contenders.append(Contender(other, partial(run, mixed), against))
    asked.notes.append(
        "Lengths are log-uniform. Lanes filled: seconds of sound stepped over seconds of the "
        "longest lane of each batch. With mixed lengths they cannot be more than "
        f"{total_s / max(lengths_s):.0f}: the longest file is in a batch until it is done."
    )
    return asked


def _run(setting: Setting, model: str, folder: Path) -> Run:
    settings = {"model": model, "executor": "ray", "workers": PROCESSES, "lanes": setting.lanes}
    with outputs_of(sorted(folder.iterdir()), setting.scratch) as out:
        told = alone(engine, folder, out, settings)
    return Run(told["audio_s"], told["seconds"], {"mean_lanes": told["mean_lanes"]})
