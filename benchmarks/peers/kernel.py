"""The kernel, one core, sound in memory: the published loop, the bare graphs, raypipe's lanes.

Seconds are CPU seconds of the process, all its threads: a second thread would win nothing.
"""

from __future__ import annotations

from functools import partial

from benchmarks.peers.ours import bare_graphs, lane_kernel
from benchmarks.peers.processes import alone
from benchmarks.peers.reference import FLOAT, QUANTISED, reference_kernel
from benchmarks.peers.setting import NO_PAIR, Setting
from benchmarks.table import Contender, Question, Run

LOOP = "reference loop"


def question(setting: Setting) -> Question:
    """The table, not yet filled."""
    alone_s, lane_s = setting.pick(30, 5), setting.pick(10, 2)
    asked = Question("kernel", "Kernel: one core, sound in memory")
    for pair, name in ((FLOAT, LOOP), (QUANTISED, f"{LOOP}, published quantised pair")):
        run = partial(_run, reference_kernel, setting.pair, pair, alone_s)
        against = {} if pair == FLOAT else {"ratio to the loop": LOOP}
        there = setting.pair and (setting.pair / f"{pair}_1.tflite").is_file()
        asked.contenders.append(Contender(name, run, against, "", "" if there else NO_PAIR))
    for name, model in {**setting.models, **{name: name for name in setting.ours}}.items():
        bare, ours = f"bare graphs, {name}", f"raypipe's kernel, {name}"
        against = {"ratio to the loop": LOOP}
        limit = partial(_run, bare_graphs, model, setting.lanes, lane_s)
        kernel = partial(_run, lane_kernel, model, setting.lanes, lane_s)
        asked.contenders.append(Contender(bare, limit, against, "the limit"))
        asked.contenders.append(Contender(ours, kernel, against | {"ratio to the limit": bare}))
    asked.notes.append(
        f"CPU seconds. The loop steps one file of {alone_s} s; the others {setting.lanes} lanes of "
        f"{lane_s} s at once, DTLN at 16 kHz, denoise-48k at 48 kHz. The limit invokes the graphs "
        "in a loop and touches no sound."
    )
    return asked


def _run(*call: object) -> Run:
    audio_s, cpu_s = alone(*call)  # type: ignore[arg-type]
    return Run(audio_s, cpu_s)
