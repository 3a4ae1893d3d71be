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

    def drop(self, frames: int) -> None:
        """Never again take so many frames in a call."""
        self.frames = tuple(n for n in self.frames if n != frames)

    def state_shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape without the row, and dtype, of each state tensor of all stages by name."""
        return {
            name: found
            for graphs in self._stages
            for name, found in graphs[1].state_shapes().items()
        }

    def run(
        self,
        stage: int,
        state: State,
        row: int,
        rows: int,
        steps: int,
        feed: Hand,
        drain: Hand,
        frames: Sequence[int] | None = None,
    ) -> None:
        """Step rows through one stage.

        Parameters
        ----------
        stage : int
            Which of the model's graphs.
        state : State
            Of all lanes; the rows' state of this stage is read and put back.
        row, rows : int
            First row in `state`, and how many; at most the width, the graph's others get zeros.
        steps : int
            How many.
        feed, drain : callable
            Fill the input before a call, read the output after it.
        frames : sequence of int, optional
            Numbers of frames in a call to use; by default all there are.
        """
        step = 0
        for count in sorted(frames or self.frames, reverse=True):
            calls = (steps - step) // count
            if not calls:
                continue
            graph = self._stages[stage][count]
            graph.put_state(state, row, rows)
            if rows < self.width:
                graph.taken()[rows:] = 0
            for _ in range(calls):
                feed(graph.taken()[:rows], step)
                graph.invoke()
                drain(graph.given()[:rows], step)
                graph.carry_state()
                step += count
            graph.get_state(state, row, rows)
