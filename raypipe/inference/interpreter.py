"""One TFLite graph, allocated for a fixed number of rows.

Comes in: a model's path, its card, a width. Goes out: a `Graph` that takes
frames and state as arrays with the row on axis 0, steps, and gives the same.
Tensors are found by the names of the model's signature (or, where it has none,
by their own names), never by position. One thread: parallelism is between
workers, and the order of additions must not depend on a thread count.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard

Details = dict[str, dict[str, Any]]
"""What LiteRT says of each tensor (index, shape, dtype ...), by name."""


class TensorNames:
    """The inputs and outputs of a model, by name.

    Parameters
    ----------
    path : Path
        The ``.tflite``.

    Raises
    ------
    ModelError
        If LiteRT cannot load it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.interpreter = _open(path)
        signatures = self.interpreter.get_signature_list()
        if signatures:
            key = "serving_default" if "serving_default" in signatures else min(signatures)
            runner = self.interpreter.get_signature_runner(key)
            self.inputs: Details = runner.get_input_details()
            self.outputs: Details = runner.get_output_details()
        else:
            self.inputs = {d["name"]: d for d in self.interpreter.get_input_details()}
            self.outputs = {d["name"]: d for d in self.interpreter.get_output_details()}

    def input(self, name: str) -> dict[str, Any]:
        """Details of an input; `ModelError` where there is none of this name."""
        return self._find(self.inputs, name, "input")

    def output(self, name: str) -> dict[str, Any]:
        """Details of an output; `ModelError` where there is none of this name."""
        return self._find(self.outputs, name, "output")

    def _find(self, details: Details, name: str, kind: str) -> dict[str, Any]:
        if name not in details:
            there = ", ".join(sorted(details))
            raise ModelError(f"{self.path}: has no {kind} tensor '{name}'; it has {there}")
        return details[name]


class Graph:
    """A model's graph for exactly `width` rows.

    Parameters
    ----------
    path : Path
        The ``.tflite``.
    card : ModelCard
        Names its tensors.
    width : int
        Rows that step together.

    Raises
    ------
    ModelError
        If the model cannot be loaded, lacks a tensor of the card, has tensors of other
        shapes than the card says, or cannot be given `width` rows.
    """

    def __init__(self, path: Path, card: ModelCard, width: int) -> None:
        names = TensorNames(path)
        self.width, self.hop = width, card.hop
        self._path = path
        self._interpreter = names.interpreter
        frame, sound = names.input(card.tensors.input), names.output(card.tensors.output)
        state = {n: (names.input(n), names.output(o)) for n, o in card.tensors.state.items()}
        left = set(names.inputs) - {card.tensors.input, *state}
        if left:
            raise ModelError(f"{path}: the card says nothing of input '{min(left)}'")
        self._allocate(names.inputs)
        # Functions that give a view: LiteRT refuses to step while a view itself is held.
        self._frame = self._interpreter.tensor(frame["index"])
        self._sound = self._interpreter.tensor(sound["index"])
        self._state_in = {n: self._interpreter.tensor(d["index"]) for n, (d, _) in state.items()}
        self._travel = [
            (self._state_in[n], self._interpreter.tensor(d["index"])) for n, (_, d) in state.items()
        ]
        self._check_shapes(card)

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
            with _greeting_unheard():
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self._path}: cannot be given {self.width} lanes: {_first_line(error)}"
            ) from error

    def _check_shapes(self, card: ModelCard) -> None:
        self._invoke()
        wanted: list[tuple[str, tuple[int, ...], NDArray[Any]]] = [
            (card.tensors.input, (self.width, card.frame), self._frame()),
            (card.tensors.output, (self.width, card.hop), self._sound()),
        ]
        for (name, out), (into, given) in zip(
            card.tensors.state.items(), self._travel, strict=True
        ):
            wanted.append((f"{name}' and '{out}", into().shape, given()))
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

    def step(self, frames: NDArray[np.float32], sound: NDArray[np.float32], rows: int) -> None:
        """Step all frames; the state goes on from where it stands.

        Parameters
        ----------
        frames : array, shape (steps, rows, frame)
            What comes in.
        sound : array, shape (steps, rows, hop)
            Where to write what goes out.
        rows : int
            How many of the graph's rows are in use; the others are given zeros.
        """
        frame, out, travel, invoke = self._frame, self._sound, self._travel, self._invoke
        copy = np.copyto
        if rows < self.width:
            frame()[rows:] = 0
        for taken, given in zip(frames, sound, strict=True):
            copy(frame()[:rows], taken)
            invoke()
            copy(given, out()[:rows])
            for into, left in travel:
                copy(into(), left())

    def _invoke(self) -> None:
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self._path}: cannot step: {_first_line(error)}") from error


def _open(path: Path) -> Interpreter:
    try:
        return Interpreter(str(path), num_threads=1)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{path}: LiteRT cannot load it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


_greeted = threading.Event()


@contextmanager
def _greeting_unheard() -> Iterator[None]:
    """Keep LiteRT's one line about its delegate, written by C++, off the user's terminal."""
    if _greeted.is_set():
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # no stderr, nothing to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        _greeted.set()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
