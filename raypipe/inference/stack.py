"""All graphs of a model at one width: each stage, and each number of frames in a call.

Comes in: steps of some rows, handed over and taken back a call at a time, and their
state. Goes out: the state after the last step. As many frames as there are go into
each call; what is left goes one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.inference.card import ModelCard
from raypipe.inference.graph import Graph
from raypipe.types import State

Hand = Callable[[NDArray[Any], int], None]
"""Fills or reads a tensor's rows in use; the number is the step that the call begins with."""


class Stack:
    """Graphs that step the same rows.

    Parameters
    ----------
    path : Path
        The ``.tflite``.
    card : ModelCard
        Its card.
    width : int
        Rows that step together.
    frames : sequence of int
        Numbers of frames in a call, 1 among them.

    Raises
    ------
    ModelError
        If the model cannot be loaded or is not what its card says.
    """

    def __init__(self, path: Path, card: ModelCard, width: int, frames: Sequence[int]) -> None:
        self.width = width
        self.frames = tuple(sorted(frames))
        self._stages = tuple(
            {n: Graph(path, card, width, stage, n) for n in self.frames}
            for stage in range(len(card.graphs))
        )
        self._holder = [1] * len(self._stages)
        self._rows = width

    def one_frame_only(self) -> None:
        """Never again take several frames in a call."""
        self.frames = (1,)

    def state_shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape without the row, and dtype, of each state tensor of all stages by name."""
        return {
            name: found
            for graphs in self._stages
            for name, found in graphs[1].state_shapes().items()
        }

    def put_state(self, state: State, row: int, rows: int) -> None:
        """Take the state of rows in, before `run`.

        Parameters
        ----------
        state : State
            Of all lanes.
        row, rows : int
            First row in `state`, and how many; at most the width, the graphs get zeros beside.
        """
        self._rows = rows
        for stage, graphs in enumerate(self._stages):
            self._holder[stage] = self.frames[-1]
            for graph in graphs.values():
                graph.clear_spare(rows)
            graphs[self.frames[-1]].put_state(state, row, rows)

    def get_state(self, state: State, row: int, rows: int) -> None:
        """Write the state back to where `put_state` took it from."""
        for stage, graphs in enumerate(self._stages):
            graphs[self._holder[stage]].get_state(state, row, rows)

    def run(self, stage: int, steps: int, feed: Hand, drain: Hand) -> None:
        """Step the rows through one stage.

        Parameters
        ----------
        stage : int
            Which of the model's graphs.
        steps : int
            How many.
        feed, drain : callable
            Fill the input before a call, read the output after it.
        """
        step = 0
        for count in reversed(self.frames):
            calls = (steps - step) // count
            if not calls:
                continue
            graph = self._held_by(stage, count)
            for _ in range(calls):
                feed(graph.taken()[: self._rows], step)
                graph.invoke()
                drain(graph.given()[: self._rows], step)
                graph.carry_state()
                step += count

    def _held_by(self, stage: int, count: int) -> Graph:
        """The graph of so many frames, with the state where another had it."""
        graphs, holder = self._stages[stage], self._holder[stage]
        if holder != count:
            graphs[count].take_state_of(graphs[holder])
            self._holder[stage] = count
        return graphs[count]
