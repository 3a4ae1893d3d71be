"""What ``auto`` stands for on this machine: lanes and workers, measured once and kept.

Comes in: a model. Goes out: a `Tuned`. The measurement takes a second or two in a
process of its own, so that a model that crashes or hangs takes nothing with it, and
is kept by machine, model and version::

    ~/.cache/raypipe/tuned.json      {key: {"lanes": 70, "workers": 2}}
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from raypipe.inference.model_file import PYTHON, ModelFile
from raypipe.inference.speed import LaneSpeed, kernel_speed, lane_speeds
from raypipe.inference.zoo import find_model
from raypipe.machine import cpu_name, usable_cores, usable_cpus
from raypipe.settings import DEFAULT_LANES
from raypipe.version import VERSION

WORTH = 0.03
"""More lanes or workers must be faster by so much to be taken: they cost memory."""

PATIENCE_S = 30.0
"""A measurement that takes longer is given up, and the defaults stand."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What ``auto`` comes to."""

    lanes: int
    workers: int


def tuned(model: ModelFile, *, measure: bool) -> Tuned:
    """Lanes and workers for a model on this machine.

    Parameters
    ----------
    model : ModelFile
        As `raypipe.inference.zoo.find_model` gives it.
    measure : bool
        Whether to measure where nothing is kept yet; else the defaults stand for now.

    Returns
    -------
    Tuned
        The defaults for a model that is a Python object, or cannot be measured.
    """
    kept = _kept()
    key = _key(model)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return Tuned(int(kept[key]["lanes"]), int(kept[key]["workers"]))
    default = Tuned(DEFAULT_LANES, usable_cpus())
    if not measure or model.path.startswith(PYTHON):
        return default
    found = _measured(model)
    if found is None:
        return default
    keep(model, found)
    return found


def keep(model: ModelFile, found: Tuned) -> None:
    """Remember what was measured; where that cannot be written, it is measured again."""
    kept = _kept() | {_key(model): asdict(found)}
    path = _path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(kept, indent=1), "utf-8")
        temporary.replace(path)


def choose_lanes(speeds: Sequence[LaneSpeed]) -> int:
    """The fewest lanes that are nearly as fast as the fastest number of them."""
    best_us = min(speed.frame_us for speed in speeds)
    return min(s.lanes for s in speeds if s.frame_us <= best_us * (1 + WORTH))


def choose_workers(model: ModelFile, lanes: int) -> int:
    """One worker for each core, or for each of its threads where these add something.

    Steps the model in so many processes at once, if there is a choice at all.
    """
    threads, cores = usable_cpus(), usable_cores()
    if threads == cores:
        return threads
    speed = {count: _together(model, lanes, count) for count in (cores, threads)}
    return threads if speed[threads] > speed[cores] * (1 + WORTH) else cores


def _measured(model: ModelFile) -> Tuned | None:
    try:
        process = _start(["tune", model.path, str(model.card.rate_hz or "")])
        answer, _ = process.communicate(timeout=PATIENCE_S)
        facts = json.loads(answer)
        return Tuned(int(facts["lanes"]), int(facts["workers"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None


def _together(model: ModelFile, lanes: int, count: int) -> float:
    """Speed of so many processes at once, all together."""
    rate = str(model.card.rate_hz or "")
    running = [_start(["step", model.path, rate, str(lanes)]) for _ in range(count)]
    return sum(float(process.communicate()[0] or 0) for process in running)


def _start(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "raypipe.tuning", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def _key(model: ModelFile) -> str:
    machine = [platform.machine(), cpu_name(), str(usable_cpus()), str(usable_cores())]
    facts = [VERSION, version("ai-edge-litert"), model.fingerprint, *machine]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def _path() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(root) / "raypipe" / "tuned.json"


def _kept() -> dict[str, dict[str, int]]:
    try:
        kept = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _main(task: str, path: str, rate: str, lanes: str = "") -> None:
    model = find_model(path, int(rate) if rate else None)
    if task == "step":
        print(kernel_speed(model, int(lanes)))
        return
    count = choose_lanes(lane_speeds(model))
    print(json.dumps({"lanes": count, "workers": choose_workers(model, count)}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
