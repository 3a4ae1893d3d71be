"""The graph for inference computes what is trained, several frames in a call or one."""

from __future__ import annotations

import numpy as np
import pytest

from models.denoiser import network
from models.denoiser.definition import prepare, step_of
from models.frames import FRAMES_IN_A_CALL

LANES = 2


@pytest.mark.parametrize("frames", FRAMES_IN_A_CALL)
def test_the_graph_is_the_network(frames: int) -> None:
    pytest.importorskip("tensorflow")
    rng = np.random.default_rng(5)
    weights = network.new_weights(4)
    weights = {n: v + rng.normal(0, 0.05, v.shape).astype("f4") for n, v in weights.items()}
    heard = (20 * rng.rayleigh(1, (LANES, 2 * frames, network.BINS))).astype("f4")
    heard[0] *= np.float32(1e-3)
    wanted, last = network.sequence(weights, heard, network.new_state(LANES))
    step, state = step_of(prepare(weights), frames), network.new_state(LANES)
    masks = []
    for first in range(0, 2 * frames, frames):
        made = step(heard[:, first : first + frames], *(state[name] for name in network.STATE))
        masks.append(made["mask"])
        state = {name: made[f"{name}_out"] for name in network.STATE}
    np.testing.assert_allclose(np.concatenate(masks, axis=1), wanted, atol=2e-5)
    for name in network.STATE:
        np.testing.assert_allclose(state[name], last[name], rtol=1e-4, atol=1e-4, err_msg=name)
