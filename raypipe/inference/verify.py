"""Is a model what its card says, and does it keep raypipe's promises?

Comes in: a `ModelFile`. Goes out: a list of `Check`, each with what was found.
Everything is tried on sounds made here, the same each time; a model that passes runs
exactly: its results depend on no batch, no neighbour and no cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raypipe.errors import ModelError
from raypipe.inference.arrival import arrival, run
from raypipe.inference.card import ModelCard
from raypipe.inference.graph import Graph
from raypipe.inference.lanes import Block, LaneModel
from raypipe.inference.model_file import PYTHON, ModelFile, load_lane_model

WIDTHS = (1, 7, 64)
STEPS = 8


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried."""

    name: str
    ok: bool
    detail: str
    """What was found, in a clause."""


def verify(model: ModelFile) -> list[Check]:
    """Try a model.

    Parameters
    ----------
    model : ModelFile
        As `raypipe.inference.zoo.find_model` gives it.

    Returns
    -------
    list of Check
        In the order in which they were made; only ``loads`` where that failed.
    """
    try:
        lanes = load_lane_model(model, max(WIDTHS))
    except ModelError as error:
        return [Check("loads", False, str(error))]
    checks = [Check("loads", True, "every tensor of the card is there, in the shapes it says")]
    if not model.path.startswith(PYTHON):
        checks.append(_free_lanes(model))
    tried: tuple[tuple[str, Callable[[LaneModel], tuple[bool, str]]], ...] = (
        ("rows", _rows),
        ("neighbours", _neighbours),
        ("state", _state),
        ("latency", arrival),
        ("finite", _finite),
    )
    for name, try_it in tried:
        try:
            checks.append(Check(name, *try_it(lanes)))
        except ModelError as error:
            checks.append(Check(name, False, str(error)))
    return checks


def _free_lanes(model: ModelFile) -> Check:
    try:
        for width in WIDTHS:
            for stage in range(len(model.card.graphs)):
                Graph(Path(model.path), model.card, width, stage)
    except ModelError as error:
        return Check("lanes", False, f"{error}; each lane will step alone, which is slow")
    return Check("lanes", True, "the lane dimension is free")


def _noise(card: ModelCard, lanes: int) -> Block:
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (lanes, STEPS * card.hop)).astype(np.float32)


def _rows(model: LaneModel) -> tuple[bool, str]:
    sound = _noise(model.card, max(WIDTHS))
    alone = np.concatenate([run(model, sound[i : i + 1]) for i in range(len(sound))])
    for width in WIDTHS:
        if run(model, sound[:width]).tobytes() != alone[:width].tobytes():
            return False, f"{width} lanes together give other bits than each alone"
    return True, f"{', '.join(map(str, WIDTHS))} lanes give each lane the same bits"


def _neighbours(model: LaneModel) -> tuple[bool, str]:
    sound = _noise(model.card, 7)
    alone = run(model, sound[3:4])
    for what, filling in (("silence", 0.0), ("full scale", 1.0), ("NaN", np.nan)):
        among = np.full_like(sound, filling)
        among[3] = sound[3]
        if run(model, among)[3:4].tobytes() != alone.tobytes():
            return False, f"neighbours of {what} change a lane's result"
    return True, "silence, full scale and NaN beside a lane change nothing in it"


def _state(model: LaneModel) -> tuple[bool, str]:
    sound = _noise(model.card, 2)
    half = STEPS // 2 * model.card.hop
    whole = run(model, sound)
    (first,), states = model.process([sound[:, :half]], [model.new_state(2)])
    (second,), _ = model.process([sound[:, half:]], states)
    if np.concatenate([first, second], axis=1).tobytes() != whole.tobytes():
        return False, "two halves, the state handed on, give other bits than the whole"
    fresh = run(model, sound[:, half:])
    remembers = fresh.tobytes() != whole[:, half:].tobytes()
    if remembers and model.card.memory == "stateless":
        return False, "its card says stateless, but it remembers"
    if not remembers and model.card.memory != "stateless":
        return False, f"its card says {model.card.memory}, but a new state changes nothing"
    return True, "two halves, the state handed on, give the bits of the whole"


def _finite(model: LaneModel) -> tuple[bool, str]:
    sound = np.concatenate(
        [_noise(model.card, 2), np.zeros((1, STEPS * model.card.hop), np.float32)]
    )
    if not np.isfinite(run(model, sound)).all():
        return False, "noise or silence at full scale gives NaN or infinite samples"
    return True, "noise and silence give finite samples"
