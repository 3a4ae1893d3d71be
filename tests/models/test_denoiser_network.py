"""One step at a time, or all at once: the same gains; and the gradient made by hand."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from models.denoiser import network
from models.denoiser.gru import gru, gru_step

LANES, FRAMES = 2, 40


def magnitudes() -> np.ndarray:
    """Noise at levels from full scale to digital zero."""
    rng = np.random.default_rng(3)
    levels = np.repeat(10.0 ** rng.uniform(-6, 0, (LANES, FRAMES // 5)), 5, axis=1)
    levels[:, 10:15] = 0
    return (20 * levels[..., None] * rng.rayleigh(1, (LANES, FRAMES, network.BINS))).astype("f4")


def test_steps_give_what_a_sequence_gives() -> None:
    weights, heard = network.new_weights(1), magnitudes()
    together, last = network.sequence(weights, heard, network.new_state(LANES))
    state, masks = network.new_state(LANES), []
    for frame in range(FRAMES):
        mask, state = network.step(weights, heard[:, frame], state)
        masks.append(mask)
    np.testing.assert_allclose(together, np.stack(masks, 1), atol=2e-5)
    for name, values in last.items():
        assert values.shape == (LANES, *network.STATE[name])
        np.testing.assert_allclose(values, state[name], rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_sequence_in_two_parts_is_the_sequence() -> None:
    weights, heard = network.new_weights(1), magnitudes()
    together, _ = network.sequence(weights, heard, network.new_state(LANES))
    first, state = network.sequence(weights, heard[:, :15], network.new_state(LANES))
    second, _ = network.sequence(weights, heard[:, 15:], state)
    np.testing.assert_allclose(together, np.concatenate([first, second], 1), atol=2e-5)


def test_gains_are_gains_whatever_is_heard() -> None:
    weights = network.new_weights(2)
    for level in (0.0, 1e-9, 1.0, 1e4, 1e7):
        heard = np.full((1, 5, network.BINS), level, np.float32)
        mask, state = network.sequence(weights, heard, network.new_state(1))
        assert np.all((mask.numpy() >= network.LEAST - 1e-6) & (mask.numpy() <= 1))
        assert all(np.all(np.isfinite(values)) for values in state.values())


def test_what_is_all_noise_keeps_the_least_gain() -> None:
    weights, heard = network.new_weights(1), magnitudes()
    weights["leave.bias"] -= 100
    together, _ = network.sequence(weights, heard, network.new_state(LANES))
    alone, _ = network.step(weights, heard[:, 0], network.new_state(LANES))
    np.testing.assert_allclose(together, network.LEAST, rtol=1e-5)
    np.testing.assert_allclose(alone, network.LEAST, rtol=1e-5)


def test_bands_cover_all_bins_evenly() -> None:
    np.testing.assert_allclose(network.SPREAD.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(network.GATHER.sum(axis=0), 1, atol=1e-6)
    flat = network.gather(np.full((1, network.BINS), 3, np.float32))
    np.testing.assert_allclose(flat, np.full((1, network.BANDS), 3), atol=1e-5)


def test_the_network_costs_a_frame_at_most_a_million_products() -> None:
    wide = (network.BINS - network.SINGLE) * (network.MIDDLE + network.HIGH)
    kernels = [np.prod(shape) for shape in network.SHAPES.values() if len(shape) == 2]
    assert sum(kernels) + 2 * wide < 1_000_000


def test_the_gradient_is_the_one_that_tensorflow_finds() -> None:
    rng, units = np.random.default_rng(4), 5
    shapes = [(LANES, 7, 3 * units), (LANES, units), (units, 3 * units), (3 * units,)]
    values = [tf.constant(rng.normal(size=shape).astype("f4")) for shape in shapes]
    wanted = rng.normal(size=(LANES, 7, units)).astype("f4")

    def slow(entering, h, recurrent, bias):  # type: ignore[no-untyped-def]
        states = []
        for step in range(7):
            h = gru_step(entering[:, step], h, recurrent, bias)
            states.append(h)
        return tf.stack(states, 1)

    found = []
    for function in (gru, slow):
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = tf.reduce_sum(function(*values) * wanted)
        found.append(tape.gradient(loss, values))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
