"""One TFLite graph, allocated for a fixed number of rows.

Comes in: a model's path, its card, a width. Goes out: a `Graph` whose tensors can
be filled, stepped and read, all with the row on axis 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.interpreter import Details, TensorNames, first_line, greeting_unheard
from raypipe.inference.subgraph import signatures

View = Callable[[], NDArray[Any]]
"""Gives a tensor's memory as an array; the array must be let go before the next call."""


class Graph:
    """One graph of a model, for exactly `width` rows and `frames` frames in a call.

    Parameters
    ----------
    path : Path
        The ``.tflite``.
    card : ModelCard
        Names its tensors.
    width : int
        Rows that step together.
    stage : int
        Which of the card's graphs.
    frames : int
        Frames in a call; more than one wants a signature of its own, see `frames_in_a_call`.

    Raises
    ------
    ModelError
        If the model cannot be loaded, lacks a tensor of the card, has tensors of other
        shapes than the card says, or cannot be given `width` rows.
    """

    def __init__(
        self, path: Path, card: ModelCard, width: int, stage: int = 0, frames: int = 1
    ) -> None:
        tensors = card.graphs[stage]
        signature = tensors.signature if frames == 1 else f"{tensors.signature}_{frames}"
        names = TensorNames(path, signature)
        self.width, self.frames = width, frames
        self._path = path
        self._interpreter = names.interpreter
        taken, given = names.input(tensors.input), names.output(tensors.output)
        state = {n: (names.input(n), names.output(o)) for n, o in tensors.state.items()}
        left = set(names.inputs) - {tensors.input, *state}
        if left:
            raise ModelError(f"{path}: the card says nothing of input '{min(left)}'")
        self._allocate(names.inputs)
        # Functions that give a view: LiteRT refuses to step while a view itself is held.
        self.taken: View = self._interpreter.tensor(taken["index"])
        self.given: View = self._interpreter.tensor(given["index"])
        self._state_in = {n: self._interpreter.tensor(d["index"]) for n, (d, _) in state.items()}
        self._travel = [
            (self._state_in[n], self._interpreter.tensor(d["index"])) for n, (_, d) in state.items()
        ]
        self._check_shapes(tensors, *tensor_shapes(card, stage, frames))

    def _allocate(self, inputs: Details) -> None:
        for details in inputs.values():
            shape = [int(n) for n in details["shape"]]
            free = [int(n) for n in details["shape_signature"]][:1] == [-1]
            if not (free or shape[:1] == [self.width]):
                raise ModelError(
                    f"{self._path}: cannot be given {self.width} lanes: input "
                    f"'{details['name']}' has the fixed shape {shape}"
                )
        try:
            for details in inputs.values():
                shape = [self.width, *(int(n) for n in details["shape"][1:])]
                self._interpreter.resize_tensor_input(details["index"], shape)
            with greeting_unheard():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self._path}: cannot be given {self.width} lanes: {first_line(error)}"
            ) from error

    def _check_shapes(
        self, tensors: Tensors, taken: tuple[int, ...], given: tuple[int, ...]
    ) -> None:
        self.invoke()
        wanted: list[tuple[str, tuple[int, ...], NDArray[Any]]] = [
            (tensors.input, (self.width, *taken), self.taken()),
            (tensors.output, (self.width, *given), self.given()),
        ]
        for (name, out), (into, left) in zip(tensors.state.items(), self._travel, strict=True):
            wanted.append((f"{name}' and '{out}", into().shape, left()))
        for name, shape, tensor in wanted:
            if tensor.shape != shape:
                raise ModelError(
                    f"{self._path}: tensor '{name}': found shape {tensor.shape}, wanted {shape}"
                )
        for name, _, tensor in wanted[:2]:
            if tensor.dtype != np.float32:
                raise ModelError(
                    f"{self._path}: tensor '{name}': found {tensor.dtype}, wanted float32"
                )

    def state_shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape without the row, and dtype, of each state tensor by name."""
        views = {name: view() for name, view in self._state_in.items()}
        return {name: (view.shape[1:], view.dtype) for name, view in views.items()}

    def put_state(self, state: Mapping[str, NDArray[Any]], start: int, rows: int) -> None:
        """Take rows ``start`` to ``start + rows`` of a state in; further rows become zeros."""
        for name, view in self._state_in.items():
            tensor = view()
            tensor[:rows] = state[name][start : start + rows]
            tensor[rows:] = 0

    def get_state(self, state: Mapping[str, NDArray[Any]], start: int, rows: int) -> None:
        """Write the rows back to where `put_state` took them from."""
        for name, view in self._state_in.items():
            state[name][start : start + rows] = view()[:rows]

    def take_state_of(self, other: Graph) -> None:
        """Go on from where another graph of the same width stands."""
        for name, view in self._state_in.items():
            np.copyto(view(), other._state_in[name]())

    def clear_spare(self, rows: int) -> None:
        """Zeros into the input of the rows that are not in use."""
        if rows < self.width:
            self.taken()[rows:] = 0

    def carry_state(self) -> None:
        """Let the state go on from where the last call has left it."""
        for into, left in self._travel:
            np.copyto(into(), left())

    def invoke(self) -> None:
        """Step once: from what `taken` and the state hold to what `given` holds.

        Raises
        ------
        ModelError
            If the graph cannot step.
        """
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self._path}: cannot step: {first_line(error)}") from error


def tensor_shapes(
    card: ModelCard, stage: int, frames: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a graph takes and gives, without the row: see `ModelCard.front_end`."""
    if card.front_end == "waveform":
        return (card.frame,), (card.hop,)
    bins = card.frame // 2 + 1
    if stage:
        return (frames, 2 * bins), (frames, card.frame)
    return (frames, bins), (frames, bins)


def frames_in_a_call(path: Path, card: ModelCard) -> tuple[int, ...]:
    """Numbers of frames that every graph of a model can take at once, 1 among them; rising."""
    if card.front_end == "waveform" or not all(tensors.signature for tensors in card.graphs):
        return (1,)
    names = signatures(path.read_bytes(), str(path))
    found = {
        int(name.rpartition("_")[2])
        for name in names
        for tensors in card.graphs
        if re.fullmatch(re.escape(tensors.signature) + "_[1-9][0-9]*", name)
    }
    ours = [tensors.signature for tensors in card.graphs]
    return (1, *sorted(n for n in found - {1} if all(f"{name}_{n}" in names for name in ours)))
