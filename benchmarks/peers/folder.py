"""End to end: a folder of equal files in, a folder of files out, two processes for everyone.

Comes in: a `Setting`. Goes out: the question with all peers. What a peer makes is looked at
after each run: every file there, as long as its input, and where it is DTLN, near enough to
what the published loop makes of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import soundfile as sf

from benchmarks.corpus import make_speech
from benchmarks.peers import classical, ray_data, works
from benchmarks.peers.files import distance_db, outputs_of, seconds_in
from benchmarks.peers.processes import PeerFailed, alone
from benchmarks.peers.reference import Reference
from benchmarks.peers.setting import NO_PAIR, PROCESSES, Setting
from benchmarks.table import Contender, Question, Run, say

SECONDS = 10.0
COMPARED = 5
"""Files whose sound is compared with the published loop's."""
LEAST_DB = {"dtln": 60.0, "dtln-int8": 15.0}
"""Under that it is another sound. With int8 weights the figure says what they cost; a delay or a
wrong frame would show as some 0 dB."""

POOL, FFMPEG, RAY_DATA = "reference loop, pool", "ffmpeg afftdn, xargs -P2", "Ray Data, lane kernel"


@dataclass(frozen=True)
class Bench:
    """The corpus, and how a run over it is looked at.

    Attributes
    ----------
    scratch : Path
        For outputs.
    paths : list of Path
        All inputs, which are all that their folder holds.
    truth : Path or None
        Folder with what the published loop makes of the first of them, where it is here.
    """

    scratch: Path
    paths: list[Path]
    truth: Path | None

    def contender(
        self,
        name: str,
        work: works.Work,
        share: int = 1,
        against: dict[str, str] | None = None,
        sound: str = "",
        missing: str = "",
    ) -> Contender:
        """A row: `share` is what the files are divided by, `sound` a key of `LEAST_DB`."""
        paths = self.paths[: max(COMPARED, len(self.paths) // share)]
        note = f"{len(paths)} files" if share > 1 else ""
        run = partial(self._run, work, paths, LEAST_DB.get(sound))
        return Contender(name, run, against or {}, note, missing)

    def _run(self, work: works.Work, paths: Sequence[Path], least_db: float | None) -> Run:
        audio_s = seconds_in(paths)
        with outputs_of(paths, self.scratch) as out:
            begin_s = time.perf_counter()
            seconds = work(paths, out)
            facts = {"x_with_start": audio_s / (time.perf_counter() - begin_s)}
            if least_db is not None and self.truth is not None:
                found_db = facts["from_reference_db"] = distance_db(self.truth, out)
                if found_db < least_db:
                    raise PeerFailed(
                        f"{found_db:.1f} dB from the reference loop's sound, wanted {least_db:g}"
                    )
        return Run(audio_s, seconds, facts)


def question(setting: Setting) -> Question:
    """The table, not yet filled; makes the corpus."""
    files = setting.pick(1280, 64)
    paths = sorted(make_speech(setting.scratch / "in", [SECONDS] * files).iterdir())
    bench = Bench(setting.scratch, paths, _truth(setting, paths[:COMPARED]))
    form = _best_form(setting, paths)
    asked = Question(
        "folder", f"End to end: {files} files of {SECONDS:g} s, {PROCESSES} processes",
        shows={
            "x real time, start and end included": "x_with_start",
            "dB from the reference": "from_reference_db",
        },
    )  # fmt: skip
    asked.contenders = _published(setting, bench, form) + _today(bench)
    for name in setting.models:
        asked.contenders += _with_our_graphs(setting, bench, name, form)
    asked.notes.append(
        "Slow peers get a smaller share of the files, as said. Starts are not counted, but for "
        "ffmpeg's. Outputs have 16 bit, so that the same sound is some 70 dB away. Ray Data: "
        f"of {', '.join(ray_data.FORMS)} the fastest was taken, {form}; its seconds are those from "
        "its first actor's readiness."
    )
    return asked


def _published(setting: Setting, bench: Bench, form: str) -> list[Contender]:
    pair, absent = setting.pair or Path(), "" if setting.pair else NO_PAIR
    against = {"ratio to the loop's pool": POOL}
    one = works.reference_loop(pair, 1)
    rows = works.ray_data_reference(pair, form)
    name = "Ray Data, reference graphs, one file at a time"
    return [
        bench.contender("reference loop, one process", one, 20, against, "dtln", absent),
        bench.contender(POOL, works.reference_loop(pair), 10, {}, "dtln", absent),
        bench.contender(name, rows, 10, against, "dtln", absent or ray_data.missing()),
    ]


def _today(bench: Bench) -> list[Contender]:
    against = {"ratio to the loop's pool": POOL}
    ffmpeg, gate = works.ffmpeg(), works.noisereduce()
    absent, no_gate = classical.missing_ffmpeg(), classical.missing_noisereduce()
    return [
        bench.contender(FFMPEG, ffmpeg, 10, against, missing=absent),
        bench.contender("noisereduce, pool", gate, 10, against, missing=no_gate),
    ]


def _with_our_graphs(setting: Setting, bench: Bench, name: str, form: str) -> list[Contender]:
    model, lanes = setting.models[name], setting.lanes
    bare, rows = f"bare pool, lane kernel, {name}", f"{RAY_DATA}, {name}"
    against = {"ratio to the loop's pool": POOL}
    held = against | {"ratio to the bare pool": bare}
    ours = held | {"ratio to Ray Data": rows, "ratio to ffmpeg": FFMPEG}
    lane = works.one_lane(model)
    pool, pipeline = works.lane_pool(model, lanes), works.ray_data_lanes(model, form, lanes)
    return [
        bench.contender(f"pool, one lane, {name}", lane, 10, against, name),
        bench.contender(bare, pool, 1, against, name),
        bench.contender(rows, pipeline, 1, held, name, ray_data.missing()),
        bench.contender(f"raypipe, {name}", works.raypipe(model, lanes), 1, ours, name),
    ]


def _truth(setting: Setting, paths: Sequence[Path]) -> Path | None:
    if setting.pair is None:
        return None
    out = setting.scratch / "truth"
    out.mkdir()
    alone(make_truth, setting.pair, paths, out)
    return out


def make_truth(pair: Path, paths: Sequence[Path], out: Path) -> None:
    """What the published loop makes of these files, not rounded."""
    denoise = Reference(pair)
    for path in paths:
        sound, rate_hz = sf.read(path, dtype="float32")
        sf.write(out / path.name, denoise(sound, rate_hz), rate_hz, "FLOAT")


def _best_form(setting: Setting, paths: Sequence[Path]) -> str:
    """Which way to bring sound into Ray Data is fastest, by a trial with the lightest model."""
    best = dict.fromkeys(ray_data.FORMS, float("inf"))
    if ray_data.missing():
        return ray_data.FORMS[0]
    some = paths[: setting.pick(6 * setting.lanes, 32)]
    model = list(setting.models.values())[-1]
    for _ in range(setting.pick(2, 1)):
        for form in best:
            try:
                with outputs_of(some, setting.scratch) as out:
                    spent_s = works.ray_data_lanes(model, form, setting.lanes)(some, out)
            except PeerFailed as error:
                say(f"folder: trial of Ray Data with {form}: {error}")
                continue
            say(f"folder: trial of Ray Data with {form}: {seconds_in(some) / spent_s:.1f} x")
            best[form] = min(best[form], spent_s)
    return min(best, key=lambda form: best[form])
