"""One long file alone: nothing to fill the lanes with, so a call takes several of its frames.

In this process, one thread; against one frame in a call, the published loop, and FFmpeg.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.corpus import make_speech
from benchmarks.peers import classical, works
from benchmarks.peers.files import outputs_of, seconds_in
from benchmarks.peers.ours import engine
from benchmarks.peers.processes import alone
from benchmarks.peers.setting import NO_PAIR, Setting
from benchmarks.table import Contender, Question, Run, spoken

LOOP = "reference loop"


def question(setting: Setting) -> Question:
    """The table, not yet filled; makes the files."""
    long_s, short_s = setting.pick(7200, 120), setting.pick(300, 20)
    long = make_speech(setting.scratch / "long", [long_s])
    short = make_speech(setting.scratch / "short", [short_s])
    asked = Question("long-file", f"One file of {spoken(long_s)}, one process")
    absent = "" if setting.pair else NO_PAIR
    loop = partial(_work, setting, works.reference_loop(setting.pair or Path(), 1), short)
    against = {"ratio to the loop": LOOP}
    asked.contenders.append(Contender(LOOP, loop, {}, f"{spoken(short_s)} of it", absent))
    for name, model in setting.models.items():
        single = f"raypipe, one frame in a call, {name}"
        several = f"raypipe, several frames in a call, {name}"
        asked.contenders += [
            Contender(single, partial(_engine, setting, model, long, True), against),
            Contender(
                several, partial(_engine, setting, model, long, False),
                against | {"ratio to one frame": single},
            ),
        ]  # fmt: skip
    ffmpeg = partial(_work, setting, works.ffmpeg(1), long)
    missing = classical.missing_ffmpeg()
    asked.contenders.append(Contender("ffmpeg afftdn", ffmpeg, against, "", missing))
    return asked


def _engine(setting: Setting, model: str, folder: Path, one_frame: bool) -> Run:
    settings = {"model": model, "executor": "inline", "lanes": setting.lanes}
    with outputs_of(sorted(folder.iterdir()), setting.scratch) as out:
        told = alone(engine, folder, out, settings, one_frame)
    return Run(told["audio_s"], told["seconds"])


def _work(setting: Setting, work: works.Work, folder: Path) -> Run:
    paths = sorted(folder.iterdir())
    with outputs_of(paths, setting.scratch) as out:
        seconds = work(paths, out)
    return Run(seconds_in(paths), seconds)
