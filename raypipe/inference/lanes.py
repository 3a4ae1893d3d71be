"""A model on lanes: blocks of many files step together, each as if it were alone.

Comes in: for each file a block of sound ``(channels, n * hop)`` and the state
that its last block left. Goes out: as much sound, and the next state. Blocks may
differ in length; a lane's result depends, to the bit, on nothing but its own
sound and state (`widths` says how that is kept).

How a call runs: lanes are sorted by length, longest first, and taken in rounds.
In a round the lanes that still have sound always stand in its first rows, so
when the shortest ends, the rest go on in fewer rows::

    row 0  ████████████████      stretch 1: 4 rows   stretch 2: 2 rows ...
    row 1  ████████████
    row 2  ██████
    row 3  ██████
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard
from raypipe.inference.front_ends import FRONT_ENDS
from raypipe.inference.widths import LADDER, Widths, blank_state
from raypipe.types import State

Block = NDArray[np.float32]
"""Sound of one file: ``(channels, n * hop)``."""


@runtime_checkable
class LaneModel(Protocol):
    """What every model looks like to the rooms that use it."""

    @property
    def card(self) -> ModelCard:
        """What is to be known of it."""

    @property
    def lanes(self) -> int:
        """The most lanes that step together; more are stepped in rounds."""

    def new_state(self, lanes: int) -> State:
        """State of so many lanes that have heard nothing yet."""

    def process(
        self, blocks: Sequence[Block], states: Sequence[State]
    ) -> tuple[list[Block], list[State]]:
        """Step every block; see `GraphLanes.process`."""


class GraphLanes:
    """A TFLite frame model on lanes.

    One call at a time: a second thread waits for the first.

    Parameters
    ----------
    path : Path
        The ``.tflite``.
    card : ModelCard
        Its card.
    lanes : int
        The most lanes that step together.

    Raises
    ------
    ModelError
        If the model cannot be loaded or is not what its card says.
    """

    def __init__(self, path: Path, card: ModelCard, lanes: int) -> None:
        if lanes < 1:
            raise ModelError(f"{path}: found {lanes} lanes, wanted at least 1")
        self.card = card
        self.lanes = lanes
        self._widths = Widths(path, card, lanes)
        self._front = FRONT_ENDS[card.front_end](card)
        self._state_shapes = {**self._widths.state_shapes, **self._front.state_shapes}
        self._busy = threading.Lock()

    def new_state(self, lanes: int) -> State:
        """State of so many lanes that have heard nothing yet: zeros, the lane on axis 0."""
        return blank_state(self._state_shapes, lanes)

    def process(
        self, blocks: Sequence[Block], states: Sequence[State]
    ) -> tuple[list[Block], list[State]]:
        """Step every block to its end.

        Parameters
        ----------
        blocks : sequence of array, shape (channels, n * hop), float32
            One for each file; `channels` and `n` may differ and be 0.
        states : sequence of State
            One for each block, its arrays' axis 0 as long as the block's.

        Returns
        -------
        blocks : list of array
            New arrays of the same shapes.
        states : list of State
            New arrays; what came in is not touched.

        Raises
        ------
        ModelError
            If a block or a state does not fit the model, or the graph cannot step.
        """
        self._check(blocks, states)
        sounds = _empty_like(blocks)
        ends = [{name: state[name].copy() for name in self._state_shapes} for state in states]
        lanes = [(b, c) for b, block in enumerate(blocks) for c in range(len(block))]
        lanes.sort(key=lambda lane: -blocks[lane[0]].shape[1])
        most = min(self.lanes, LADDER[-1])
        with self._busy:
            for start in range(0, len(lanes), most):
                self._round(lanes[start : start + most], blocks, sounds, ends)
        return sounds, ends

    def _check(self, blocks: Sequence[Block], states: Sequence[State]) -> None:
        hop, name = self.card.hop, self.card.name
        for block, state in zip(blocks, states, strict=True):
            if block.ndim != 2 or block.dtype != np.float32 or block.shape[1] % hop:
                raise ModelError(
                    f"model {name}: found a block of {block.dtype} {block.shape}, "
                    f"wanted float32 (channels, a multiple of {hop})"
                )
            for tensor, (shape, dtype) in self._state_shapes.items():
                found = state.get(tensor)
                if found is None or found.shape != (len(block), *shape) or found.dtype != dtype:
                    what = "none" if found is None else f"{found.dtype} {found.shape}"
                    raise ModelError(
                        f"model {name}: state '{tensor}': found {what}, "
                        f"wanted {dtype} {(len(block), *shape)}"
                    )

    def _round(
        self,
        lanes: Sequence[tuple[int, int]],
        blocks: Sequence[Block],
        sounds: Sequence[Block],
        ends: Sequence[State],
    ) -> None:
        """Step at most a batch of lanes; ``lanes`` are (block, channel), longest first."""
        hop = self.card.hop
        steps = [blocks[b].shape[1] // hop for b, _ in lanes]
        state = {name: np.stack([ends[b][name][c] for b, c in lanes]) for name in ends[lanes[0][0]]}
        ins = [blocks[b][c].reshape(-1, hop) for b, c in lanes]
        outs = [sounds[b][c].reshape(-1, hop) for b, c in lanes]
        for start, stop, active in stretches(steps):
            row = 0
            for stack, rows in self._widths.cut(active):
                mine = slice(row, row + rows)
                self._front.step(stack, ins[mine], outs[mine], state, row, start, stop)
                row += rows
        for name, rows_of in state.items():
            for (b, c), row_of in zip(lanes, rows_of, strict=True):
                ends[b][name][c] = row_of


def stretches(steps: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Cut a round where lanes end.

    Parameters
    ----------
    steps : sequence of int
        Steps that each lane has, longest first.

    Yields
    ------
    tuple of int
        First step, the step after the last, lanes that have sound in all of them.
    """
    start, active = 0, len(steps)
    while active:
        stop = steps[active - 1]
        if stop > start:
            yield start, stop, active
            start = stop
        while active and steps[active - 1] == stop:
            active -= 1


def _empty_like(blocks: Sequence[Block]) -> list[Block]:
    """New blocks in one stretch of memory, which the system then gives in large pages."""
    memory = np.empty(sum(block.size for block in blocks), np.float32)
    parts = np.split(memory, np.cumsum([block.size for block in blocks]))
    return [part.reshape(block.shape) for part, block in zip(parts, blocks, strict=False)]
