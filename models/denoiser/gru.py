"""A gated recurrent unit: one step, and many steps with a gradient that is quick on a CPU.

Comes in: products of the input with the weights, the state before. Goes out: the states. The
gradient for the recurrent weights is one product over all steps; TensorFlow's own, step by step,
takes several times as long.

Reference: K. Cho et al., Learning phrase representations using RNN encoder-decoder for
statistical machine translation, EMNLP 2014; the reset gate acts behind the product, as in cuDNN.
"""

from __future__ import annotations

from typing import Any

Tensor = Any


def gru_step(entering: Tensor, h: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
    """One step.

    Parameters
    ----------
    entering : tensor, shape (lanes, 3 * units), float32
        ``x @ kernel + bias``; gates stand as keep, reset, fresh.
    h : tensor, shape (lanes, units), float32
        The state before.
    recurrent : tensor, shape (units, 3 * units)
    bias : tensor, shape (3 * units,)

    Returns
    -------
    tensor, shape (lanes, units)
        The state after.
    """
    import tensorflow as tf

    enter_keep, enter_reset, enter_fresh = tf.split(entering, 3, axis=-1)
    known = tf.matmul(h, recurrent) + bias
    known_keep, known_reset, known_fresh = tf.split(known, 3, axis=-1)
    keep = tf.sigmoid(enter_keep + known_keep)
    reset = tf.sigmoid(enter_reset + known_reset)
    fresh = tf.tanh(enter_fresh + reset * known_fresh)
    return fresh + keep * (h - fresh)


def gru(entering: Tensor, h: Tensor, recurrent: Tensor, bias: Tensor) -> Tensor:
    """Many steps: `entering` has shape (lanes, steps, 3 * units), the states (lanes, steps, units).

    `steps` must be known when the graph is made.
    """
    import tensorflow as tf

    units = recurrent.shape[0]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(entering: Tensor, h: Tensor, recurrent: Tensor, bias: Tensor) -> Any:
        given = tf.transpose(entering, [1, 0, 2])
        steps = given.shape[0]

        def forward(t: Tensor, h: Tensor, all_h: Tensor, all_gates: Tensor) -> Any:
            known = tf.matmul(h, recurrent) + bias
            gates = tf.sigmoid(given[t, :, : 2 * units] + known[:, : 2 * units])
            keep, reset = gates[:, :units], gates[:, units:]
            fresh = tf.tanh(given[t, :, 2 * units :] + reset * known[:, 2 * units :])
            kept = tf.concat([gates, fresh, known[:, 2 * units :]], axis=1)
            h = fresh + keep * (h - fresh)
            return t + 1, h, all_h.write(t, h), all_gates.write(t, kept)

        arrays = [tf.TensorArray(tf.float32, steps) for _ in range(2)]
        _, _, all_h, all_gates = tf.while_loop(
            lambda t, *_: t < steps, forward, (0, h, *arrays), maximum_iterations=steps
        )
        states, saved = all_h.stack(), all_gates.stack()
        before = tf.concat([h[None], states[:-1]], axis=0)

        def gradient(wanted: Tensor) -> tuple[Tensor, ...]:
            wanted = tf.transpose(wanted, [1, 0, 2])
            back = tf.transpose(recurrent)

            def backward(t: Tensor, late: Tensor, entered: Tensor, known: Tensor) -> Any:
                late = late + wanted[t]
                keep, reset = saved[t, :, :units], saved[t, :, units : 2 * units]
                fresh, inner = saved[t, :, 2 * units : 3 * units], saved[t, :, 3 * units :]
                to_fresh = late * (1 - keep) * (1 - fresh * fresh)
                to_keep = late * (before[t] - fresh) * keep * (1 - keep)
                to_reset = to_fresh * inner * reset * (1 - reset)
                gates = tf.concat([to_keep, to_reset, to_fresh * reset], axis=1)
                early = late * keep + tf.matmul(gates, back)
                into = tf.concat([to_keep, to_reset, to_fresh], axis=1)
                return t - 1, early, entered.write(t, into), known.write(t, gates)

            arrays = [tf.TensorArray(tf.float32, steps) for _ in range(2)]
            _, first, entered, known = tf.while_loop(
                lambda t, *_: t >= 0,
                backward,
                (steps - 1, tf.zeros_like(h), *arrays),
                maximum_iterations=steps,
            )
            gates = tf.reshape(known.stack(), [-1, 3 * units])
            over = tf.reshape(before, [-1, units])
            return (
                tf.transpose(entered.stack(), [1, 0, 2]),
                first,
                tf.matmul(over, gates, transpose_a=True),
                tf.reduce_sum(gates, axis=0),
            )

        return tf.transpose(states, [1, 0, 2]), gradient

    return run(entering, h, recurrent, bias)
