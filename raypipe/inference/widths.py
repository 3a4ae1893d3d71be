"""How many rows step together, so that no row's result depends on how many they are.

Comes in: a model and a number of lanes. Goes out: graphs of a few widths that
give each row the same bits, and a cut of any number of lanes into such widths.

The rule. A kernel may sum in another order for one row (matrix times vector)
than for many, and may treat what does not fill a vector register in a scalar
tail that rounds differently. In a graph of `REFERENCE` rows neither happens:
the rows are many, and every tensor's size is a multiple of 16 floats, the
widest register there is. So that width is trusted. Each other width of `LADDER`
is probed once, when it is first wanted: it is used only if all of its rows give
the very bits that the reference gives, over steps of noise at several levels.
With LiteRT 2.3 and XNNPACK on x86-64 all widths agree, for float32 and for int8
weights; where one does not, lanes are padded up to a width that does. A graph
whose lane dimension is fixed at 1 steps each lane alone. Graphs that take several
frames in a call are held to the same rule, and used where few rows leave a core's
registers idle.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard
from raypipe.inference.graph import frames_in_a_call, tensor_shapes
from raypipe.inference.interpreter import TensorNames
from raypipe.inference.stack import Stack
from raypipe.types import State

LADDER = (1, 5, 7, 10, 14, 35, 70)
"""Widths to choose from: few, as each holds its own packed copy of the weights. XNNPACK's AVX-512
kernels take 7 rows at a time with float32 and 5 with int8 weights; what is left of a tile is wasted
(64 rows of float32 cost as much as 70)."""
REFERENCE = 16
CALL_COST = 3
"""What a step costs beside its rows, in rows: measured on graphs of 0.02 to 6 MB, 2 to 6."""
WIDEST_WITH_FRAMES = 14
"""Beyond it rows fill the kernels, and several frames in a call only cost cache."""
PROBE_STEPS = 6
PROBE_LEVELS = (1.0, 0.1, 1e-3)
"""Peaks of the probe's rows, full scale down to -60 dB."""


class Widths:
    """The graphs of one model.

    Parameters
    ----------
    path : Path
        The ``.tflite``.
    card : ModelCard
        Its card.
    lanes : int
        The most rows that are ever wanted in a step.

    Raises
    ------
    ModelError
        If the model cannot be loaded or is not what its card says.
    """

    def __init__(self, path: Path, card: ModelCard, lanes: int) -> None:
        self._path, self._card = path, card
        self._stacks: dict[int, Stack] = {}
        self._trusted: dict[int, bool] = {}
        self._fixed = not _has_free_lanes(path, card)
        most = next((width for width in LADDER if width >= lanes), LADDER[-1])
        self._ladder = [w for w in LADDER if w <= most] if not self._fixed else [1]
        self._frames = frames_in_a_call(path, card)
        first = self.stack(1 if self._fixed else REFERENCE)
        self.state_shapes = first.state_shapes()
        if not self._fixed:
            self._check_rows(first)

    def cut(self, lanes: int) -> tuple[tuple[Stack, int], ...]:
        """Stacks for so many lanes, and the rows of each that are in use, cheapest together."""
        while True:
            widths = cut_into(lanes, tuple(self._ladder))
            wrong = next((w for w in dict.fromkeys(widths) if not self._is_trusted(w)), None)
            if wrong is None:
                break
            self._ladder = sorted({*self._ladder, REFERENCE} - {wrong})
            self._stacks.pop(wrong)
        parts = []
        for width in widths:
            parts.append((self.stack(width), min(width, lanes)))
            lanes -= width
        return tuple(parts)

    def trusted(self) -> tuple[int, ...]:
        """The widths that may be used, of those that were wanted so far."""
        return tuple(w for w in self._ladder if w in self._stacks and self._is_trusted(w))

    def stack(self, width: int) -> Stack:
        """The graphs of this width, trusted or not."""
        if width not in self._stacks:
            frames = self._frames if width <= WIDEST_WITH_FRAMES else (1,)
            self._stacks[width] = Stack(self._path, self._card, width, frames)
        return self._stacks[width]

    def _is_trusted(self, width: int) -> bool:
        if self._fixed and len(self.stack(width).frames) == 1:
            return True
        if width == REFERENCE:
            return True
        if width not in self._trusted:
            self._trusted[width] = self._gives_the_bits(self.stack(width))
        return self._trusted[width]

    def _gives_the_bits(self, stack: Stack) -> bool:
        """See that a stack answers as the reference does, without what does not if need be."""
        steps = PROBE_STEPS + max(stack.frames)
        reference = self.stack(1 if self._fixed else REFERENCE)
        wanted = self._answers(reference, stack.width, steps)
        if len(stack.frames) > 1 and not _same_bits(
            self._answers(stack, stack.width, steps), wanted
        ):
            stack.one_frame_only()
        return _same_bits(
            self._answers(stack, stack.width, PROBE_STEPS), self._answers(reference, stack.width)
        )

    def _check_rows(self, stack: Stack) -> None:
        """The same row gives the same wherever it stands and whoever its neighbours are."""
        rows = np.arange(REFERENCE)
        straight = self._answers(stack, REFERENCE)
        turned = self._answers(stack, REFERENCE, order=np.roll(rows, 5))
        alone = self._answers(stack, REFERENCE, order=np.zeros_like(rows))
        if not (
            _same_bits(straight[np.roll(rows, 5)], turned)
            and _same_bits(straight[np.zeros_like(rows)], alone)
        ):
            raise ModelError(
                f"{self._path}: a lane's result depends on its neighbours in the batch; "
                "wanted a graph that treats each row of its first dimension alone"
            )

    def _answers(
        self,
        stack: Stack,
        rows: int,
        steps: int = PROBE_STEPS,
        order: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """What the probe's rows give, flat: sound and last state of each graph, row by row."""
        return np.hstack(
            [
                _answers(stack, stage, tensor_shapes(self._card, stage, 1)[0], rows, steps, order)
                for stage in range(len(self._card.graphs))
            ]
        )


@cache
def cut_into(lanes: int, ladder: tuple[int, ...]) -> tuple[int, ...]:
    """Widths that hold so many lanes at the least cost; the widest first.

    Parameters
    ----------
    lanes : int
        At least 0.
    ladder : tuple of int
        Widths to choose from.
    """
    if lanes <= 0:
        return ()
    cuts = [(width, *cut_into(lanes - width, ladder)) for width in ladder]
    best = min(cuts, key=lambda cut: (sum(cut) + CALL_COST * len(cut), cut))
    return tuple(sorted(best, reverse=True))


def _has_free_lanes(path: Path, card: ModelCard) -> bool:
    names = [TensorNames(path, tensors.signature) for tensors in card.graphs]
    inputs = [details for found in names for details in found.inputs.values()]
    return all([int(n) for n in d["shape_signature"]][:1] == [-1] for d in inputs)


def _answers(
    stack: Stack,
    stage: int,
    shape: tuple[int, ...],
    rows: int,
    steps: int,
    order: NDArray[np.int64] | None,
) -> NDArray[np.float32]:
    probe = probe_frames(rows, int(np.prod(shape)), steps)
    if order is not None:
        probe = probe[:, order]
    answers = []
    for start in range(0, rows, stack.width):
        part = probe[:, start : start + stack.width]
        used = part.shape[1]
        state = blank_state(stack.state_shapes(), used)
        given: list[NDArray[np.float32]] = []

        def feed(tensor: NDArray[Any], step: int, part: NDArray[np.float32] = part) -> None:
            taken = part[step : step + frames_of(tensor)].swapaxes(0, 1)
            tensor[...] = taken.reshape(tensor.shape)

        def drain(
            tensor: NDArray[Any], step: int, given: list[NDArray[np.float32]] = given
        ) -> None:
            given.append(tensor.reshape(len(tensor), -1).copy())

        stack.put_state(state, 0, used)
        stack.run(stage, steps, feed, drain)
        stack.get_state(state, 0, used)
        ends = [a.astype(np.float32).reshape(used, -1) for a in state.values()]
        answers.append(np.hstack([*given, *ends]))
    return np.concatenate(answers)


def frames_of(tensor: NDArray[Any]) -> int:
    """Frames that a graph's tensor holds: ``(rows, frames, size)``, or one, ``(rows, size)``."""
    return int(tensor.shape[1]) if tensor.ndim == 3 else 1


def probe_frames(rows: int, frame: int, steps: int = PROBE_STEPS) -> NDArray[np.float32]:
    """Seeded noise at several levels: ``(steps, rows, frame)``; a row is the same in any number."""
    made = np.empty((steps, rows, frame), np.float32)
    for row in range(rows):
        noise = np.random.default_rng(row).uniform(-1, 1, (steps, frame))
        made[:, row] = noise * PROBE_LEVELS[row % len(PROBE_LEVELS)]
    return made


def blank_state(
    shapes: dict[str, tuple[tuple[int, ...], np.dtype[np.generic]]], rows: int
) -> State:
    """Zeros for so many rows."""
    return {name: np.zeros((rows, *shape), dtype) for name, (shape, dtype) in shapes.items()}


def _same_bits(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()
