"""One step of training, and all that must be kept to go on as if nothing had happened.

Comes in: batches. Goes out: losses, and weights averaged over the last steps, which are better
than the weights themselves. The optimiser is AdamW: I. Loshchilov, F. Hutter, Decoupled weight
decay regularization, ICLR 2019.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.denoiser import network
from models.denoiser.losses import NAMES, losses
from models.denoiser.mixing import Batch

FIRST, SECOND = 0.9, 0.98
"""Of the optimiser's running means of gradients and their squares."""
DECAY = 0.05
"""Of the kernels, times the rate."""
MOST = 1.0
"""Norm to which gradients are cut."""
AVERAGED = 0.999
"""Share that the averaged weights keep per step; in the beginning less."""
CARRIED = 0.5
"""How often a lane goes on with the state that the piece before has left."""
BESIDE = 2
"""Groups of lanes that are computed at once."""
PARTS = 3
"""Of a piece, a second each: the weights move after each, the state goes on. Three times the
moves for the same work."""


class Trainer:
    """The weights on their way.

    Parameters
    ----------
    seed : int
        Of the first weights and of which states are carried.
    lanes : int
        Pieces in a batch.
    """

    def __init__(self, seed: int, lanes: int) -> None:
        import tensorflow as tf

        first = network.new_weights(seed)
        zeros = {name: np.zeros_like(values) for name, values in first.items()}
        kept = {"weights": first, "averaged": first, "mean": zeros, "square": zeros}
        kept["state"] = network.new_state(lanes)
        self._kept = {
            kind: {name: tf.Variable(values, name=name) for name, values in some.items()}
            for kind, some in kept.items()
        }
        self.steps_done = 0
        self.seed, self.lanes = seed, lanes
        # XLA is twice as quick at all that is done bin by bin, but what it makes of the loops
        # over time gives other sums (TensorFlow 2.21, on a CPU).
        self._run = tf.function(self._step, autograph=False)
        self._losses = tf.function(losses, jit_compile=True, autograph=False)
        self._move = tf.function(self._moved, jit_compile=True, autograph=False)

    @property
    def averaged(self) -> dict[str, NDArray[np.float32]]:
        """The weights to be used."""
        return {name: values.numpy() for name, values in self._kept["averaged"].items()}

    def step(self, batch: Batch, rate: float) -> dict[str, float]:
        """Learn from a batch, part by part in time; give its mean losses."""
        import tensorflow as tf

        rng = np.random.default_rng([self.seed, self.steps_done])
        carried = (rng.random((self.lanes, 1)) < CARRIED).astype(np.float32)
        self.steps_done += 1
        found = []
        for part in range(PARTS):
            moves = PARTS * (self.steps_done - 1) + part + 1
            numbers = np.array([rate, moves, min(AVERAGED, moves / (moves + 20))], np.float32)
            given = {name: tf.convert_to_tensor(part_of(batch[name], part)) for name in batch}
            found.append(self._run(given, tf.constant(carried), tf.constant(numbers)).numpy())
            carried[:] = 1
        return dict(zip(NAMES, np.mean(found, axis=0).tolist(), strict=True))

    def save(self, path: Path, **more: float) -> None:
        """Write everything, whole or not at all."""
        arrays = {
            f"{kind}/{name}": values.numpy()
            for kind, some in self._kept.items()
            for name, values in some.items()
        }
        write(path, {**arrays, "steps_done": np.array(self.steps_done), **_arrays(more)})

    def restore(self, path: Path) -> dict[str, float]:
        """Go on from what `save` wrote; gives the further numbers that it was given."""
        with np.load(path) as saved:
            for kind, some in self._kept.items():
                for name, values in some.items():
                    values.assign(saved[f"{kind}/{name}"])
            self.steps_done = int(saved["steps_done"])
            return {name: float(saved[name]) for name in saved.files if "/" not in name}

    def _step(self, batch: dict[str, Any], carried: Any, numbers: Any) -> Any:
        import tensorflow as tf

        weights, state = self._kept["weights"], self._kept["state"]
        start = {name: values * carried for name, values in state.items()}
        with tf.GradientTape() as tape:
            gains, last = self._sequence(weights, batch["bands"], start)
            found = {n: tf.reduce_mean(values) for n, values in self._losses(gains, batch).items()}
        self._move(tape.gradient(found["total"], list(weights.values())), numbers)
        for name, values in last.items():
            state[name].assign(values)
        return tf.stack([found[name] for name in NAMES])

    def _sequence(self, weights: Any, bands: Any, start: dict[str, Any]) -> tuple[Any, Any]:
        """The network on some lanes beside the others: loops over time take one core each."""
        import tensorflow as tf

        size = -(-self.lanes // BESIDE)
        gains, last = [], []
        for lane in range(0, self.lanes, size):
            state = {name: values[lane : lane + size] for name, values in start.items()}
            found = network.band_sequence(weights, bands[lane : lane + size], state)
            gains.append(found[0])
            last.append(found[1])
        return tf.concat(gains, 0), {n: tf.concat([some[n] for some in last], 0) for n in start}

    def _moved(self, gradients: list[Any], numbers: Any) -> None:
        """The weights, a step along the gradients."""
        import tensorflow as tf

        rate, count, averaged = numbers[0], numbers[1], numbers[2]
        weights = self._kept["weights"]
        norm = tf.linalg.global_norm(gradients)
        cut = tf.where(tf.math.is_finite(norm), MOST / tf.maximum(norm, MOST), 0.0)
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            gradient = tf.where(tf.math.is_finite(gradient), gradient * cut, 0.0)
            mean = self._blend("mean", name, gradient, FIRST) / (1 - FIRST**count)
            square = self._blend("square", name, gradient * gradient, SECOND)
            move = mean / (tf.sqrt(square / (1 - SECOND**count)) + 1e-8)
            if len(network.SHAPES[name]) == 2:
                move += DECAY * weight
            weight.assign_sub(rate * move)
            self._blend("averaged", name, weight, averaged)

    def _blend(self, kind: str, name: str, value: Any, share: Any) -> Any:
        variable = self._kept[kind][name]
        return variable.assign(share * variable + (1 - share) * value)


def part_of(values: NDArray[np.float32], part: int) -> NDArray[np.float32]:
    """A part in time of an array of a batch; what has no time is the same in all."""
    if values.ndim == 1:
        return values
    frames = values.shape[1] // PARTS
    return values[:, part * frames : (part + 1) * frames]


def write(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """An ``.npz`` that appears whole."""
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    os.replace(unfinished, path)


def _arrays(numbers: dict[str, float]) -> dict[str, NDArray[Any]]:
    return {name: np.array(value) for name, value in numbers.items()}
