"""The shipped denoiser against its own weights in numpy, double precision, frame after frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.denoiser import make, network
from models.frames import FRAMES_IN_A_CALL
from raypipe.inference.graph import Graph, frames_in_a_call
from raypipe.inference.spectral import root_hann
from raypipe.inference.zoo import find_model, load_lane_model, verify

VARIANTS = ("denoise-48k", "denoise-48k-int8")
FRAME, HOP, LATE = network.FRAME, network.HOP, network.FRAME
SAME_DB = 80
"""Float32 against double."""
SMALL_DB = 15
"""int8 weights against those that they were made of."""
Array = np.ndarray


def sound(lanes: int, hops: int) -> Array:
    """Gliding harmonics in syllables over noise, each lane at another level."""
    rng = np.random.default_rng(1)
    time_s = np.arange(hops * HOP) / network.RATE_HZ
    made = []
    for lane in range(lanes):
        glide = 120 + 60 * np.sin(2 * np.pi * 0.7 * time_s + lane)
        phase = 2 * np.pi * np.cumsum(glide) / network.RATE_HZ
        voice = sum(np.cos(n * phase) / n for n in range(1, 40)) * (np.sin(9 * time_s) > -0.3)
        made.append(10 ** (-lane / 2) * (0.1 * voice + 0.03 * rng.standard_normal(len(time_s))))
    return np.asarray(made, np.float32)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def in_double(weights: dict[str, Array], line: Array, lookahead: int = 1) -> Array:
    """What the network makes of a lane, from its description alone."""
    w = {name: values.astype(float) for name, values in weights.items()}
    single, speech, window = network.SINGLE, network.SPEECH_BANDS, root_hann(FRAME, HOP)
    heard = np.concatenate([np.zeros(FRAME - HOP), line.astype(float)])
    said, spectra = np.zeros(len(heard)), []
    past, sums = np.zeros(network.BANDS), np.zeros(network.BANDS + 1)
    states = {1: np.zeros(network.UNITS), 2: np.zeros(network.UNITS)}
    for begin in range(0, len(line), HOP):
        spectra.append(np.fft.rfft(heard[begin : begin + FRAME] * window))
        magnitude = np.abs(spectra[-1])
        bands = np.concatenate([magnitude[:single], magnitude[single:] @ network.GATHER])
        logs = np.log(bands + network.QUIET)
        weight = bands[:speech].mean() / (bands[:speech].mean() + network.HEARD)
        sums = network.KEEP * sums + np.concatenate([logs * weight, [weight]])
        levels = sums[:-1] / (sums[-1] + 1e-3)
        now = np.maximum((logs - levels[:speech].mean()) * network.SCALE, network.LOWEST)
        above = (levels[:speech].mean() - levels) * network.SCALE
        own = (now + above) * w["own.now"] + (past + above) * w["own.past"]
        x = np.maximum(np.concatenate([past, now]) @ w["enter.kernel"] + w["enter.bias"], 0)
        past = now
        for n, h in states.items():
            into = np.split(x @ w[f"gru_{n}.kernel"] + w[f"gru_{n}.bias"], 3)
            known = np.split(h @ w[f"gru_{n}.recurrent"] + w[f"gru_{n}.recurrent_bias"], 3)
            keep, reset = sigmoid(into[0] + known[0]), sigmoid(into[1] + known[1])
            states[n] = keep * h + (1 - keep) * np.tanh(into[2] + reset * known[2])
            x = x + states[n]
        opened = sigmoid(x @ w["leave.kernel"] + w["leave.bias"] + network.OWN * own)
        gains = np.maximum(opened, network.LEAST)
        mask = np.concatenate([gains[:single], gains[single:] @ network.SPREAD])
        if lookahead < len(spectra):
            masked = spectra[-1 - lookahead] * mask
            said[begin : begin + FRAME] += np.fft.irfft(masked, FRAME) * window
    return said[: len(line)]


def run(name: str, x: Array) -> Array:
    lanes = load_lane_model(find_model(name), 16)
    return lanes.process([x], [lanes.new_state(len(x))])[0][0]


def agreement_db(wanted: Array, found: Array) -> float:
    return float(10 * np.log10(np.sum(wanted**2) / np.sum((wanted - found) ** 2)))


def test_float32_computes_what_the_weights_say() -> None:
    x, weights = sound(3, 120), make.read_trained(make.WEIGHTS)
    found = run("denoise-48k", x)
    wanted = np.stack([in_double(weights, line) for line in x])
    assert agreement_db(wanted, found) > SAME_DB
    slipped = np.roll(in_double(weights, x[0], lookahead=0), HOP)
    assert agreement_db(wanted[0], slipped) < SAME_DB / 2, "gains for another frame"
    assert agreement_db(wanted[:, 1:], found[:, :-1]) < SAME_DB / 2, "one sample off"


def test_int8_is_near_float32() -> None:
    x = sound(3, 120)
    assert SMALL_DB < agreement_db(run("denoise-48k", x), run("denoise-48k-int8", x)) < SAME_DB


@pytest.mark.parametrize("name", VARIANTS)
def test_model_keeps_what_lanes_need(name: str) -> None:
    assert [check for check in verify(find_model(name)) if not check.ok] == []


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("lanes", [1, 14])
def test_several_frames_in_a_call_give_the_bits_of_single_ones(name: str, lanes: int) -> None:
    model = find_model(name)
    path = Path(model.path)
    assert frames_in_a_call(path, model.card) == FRAMES_IN_A_CALL
    most = FRAMES_IN_A_CALL[-1]
    x = np.random.default_rng(2).normal(0, 0.3, (lanes, 2 * most, network.BINS))
    given = []
    for frames in FRAMES_IN_A_CALL:
        graph = Graph(path, model.card, lanes, 0, frames)
        # Building it has stepped it once, and left a state.
        graph.put_state(network.new_state(lanes), 0, lanes)
        steps = []
        for start in range(0, 2 * most, frames):
            np.copyto(graph.taken(), np.abs(x[:, start : start + frames]))
            graph.invoke()
            steps.append(graph.given().copy())
            graph.carry_state()
        given.append(np.concatenate(steps, axis=1))
    assert given[0].tobytes() == given[1].tobytes()
    assert np.std(given[0]) > 0


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("frames", FRAMES_IN_A_CALL)
def test_xnnpack_takes_the_graph_as_one_piece(name: str, frames: int) -> None:
    model = find_model(name)
    graph = Graph(Path(model.path), model.card, 5, 0, frames)
    kinds = [node["op_name"] for node in graph._interpreter._get_ops_details()]
    assert kinds.count("DELEGATE") == 1, "LiteRT runs some operators itself, which is slow"


@pytest.mark.parametrize("name", VARIANTS)
def test_card_says_what_the_network_is_and_how_good(name: str) -> None:
    card = find_model(name).card
    assert card == make.card(name, make.quality()[name])
    assert (card.rate_hz, card.latency, card.lookahead) == (48_000, 1440, 1)
    assert {"licence", "training_data", "source"} <= {n for n in card.__slots__ if getattr(card, n)}
    assert {"pesq_wb", "si_sdr_db"} <= set(card.quality)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_shipped_files_are_those_that_the_weights_make() -> None:
    pytest.importorskip("tensorflow")
    weights = make.prepare(make.read_trained(make.WEIGHTS))
    for name, content in make.build(weights, make.quality()).items():
        assert Path(find_model(name).path).read_bytes() == content, name
