"""How fast a model steps on this core, and how fast it could.

Comes in: a model. Goes out: microseconds for a lane's frame, at several numbers of
lanes, of the whole kernel and of its bare graphs. The machine's other work disturbs
such figures, so the best of some short tries is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raypipe.inference.card import ModelCard
from raypipe.inference.graph import Graph
from raypipe.inference.lanes import Block, LaneModel
from raypipe.inference.model_file import PYTHON, ModelFile, load_lane_model
from raypipe.inference.widths import LADDER

TRIES = 3
TRY_S = 0.08
"""A try steps for about so long."""


@dataclass(frozen=True, slots=True)
class LaneSpeed:
    """What was measured at one number of lanes, on one core."""

    lanes: int
    frame_us: float
    """Microseconds that the kernel takes for one frame of one lane."""
    bare_us: float | None
    """The same of the graphs alone, invoked in a loop; None for a model that is no ``.tflite``."""
    x_real_time: float
    """Seconds of sound in a second, of all lanes together."""


def lane_speeds(model: ModelFile, lanes: Sequence[int] = LADDER) -> list[LaneSpeed]:
    """Measure a model.

    Parameters
    ----------
    model : ModelFile
        As `raypipe.inference.zoo.find_model` gives it.
    lanes : sequence of int
        Numbers of lanes to try.

    Returns
    -------
    list of LaneSpeed
        One for each number of lanes; it takes about half a second.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    loaded = load_lane_model(model, max(lanes))
    return [_speed_of(model, loaded, count) for count in lanes]


def kernel_speed(model: ModelFile, lanes: int) -> float:
    """Seconds of sound in a second, of all lanes together, on one core.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    """
    return _hop_s(model.card) * 1e6 / _kernel_us(load_lane_model(model, lanes), lanes)


def _speed_of(model: ModelFile, loaded: LaneModel, lanes: int) -> LaneSpeed:
    frame_us = _kernel_us(loaded, lanes)
    bare_us = None if model.path.startswith(PYTHON) else bare_us_of(model, lanes)
    return LaneSpeed(lanes, frame_us, bare_us, _hop_s(model.card) * 1e6 / frame_us)


def _hop_s(card: ModelCard) -> float:
    """Seconds in a hop; a model of any rate is taken at 48 kHz."""
    return card.hop / (card.rate_hz or 48_000)


def bare_us_of(model: ModelFile, lanes: int) -> float:
    """Microseconds a lane's frame takes in the bare graphs, so many rows at once: the limit.

    Raises
    ------
    ModelError
        If the model cannot be loaded with so many rows.
    """
    card = model.card
    graphs = [Graph(Path(model.path), card, lanes, k) for k in range(len(card.graphs))]

    def step(calls: int) -> None:
        for graph in graphs:
            for _ in range(calls):
                graph.invoke()

    return _best_us(step) / lanes


def _kernel_us(model: LaneModel, lanes: int) -> float:
    def step(hops: int) -> None:
        blocks, states = _noise(model.card, lanes, hops), [model.new_state(1)] * lanes
        begin_s = time.perf_counter()
        model.process(blocks, states)
        took.append(time.perf_counter() - begin_s)

    took: list[float] = []
    return _best_us(step, took) / lanes


def _noise(card: ModelCard, lanes: int, hops: int) -> list[Block]:
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, (1, hops * card.hop)).astype(np.float32)
    return [sound] * lanes


def _best_us(step: Callable[[int], None], took: list[float] | None = None) -> float:
    """Microseconds of one step; `step` may itself say how long it took."""

    def once(count: int) -> float:
        begin_s = time.perf_counter()
        step(count)
        return took.pop() if took is not None else time.perf_counter() - begin_s

    once(1)
    count = 1
    while (spent_s := once(count)) < TRY_S / 4:
        count *= 4
    count = max(1, round(count * TRY_S / spent_s))
    return min(once(count) for _ in range(TRIES)) / count * 1e6
