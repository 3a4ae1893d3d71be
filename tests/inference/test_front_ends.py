"""Front ends against plain loops over frames; graphs here give back what they get, or turn a
spectrum back into its frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.graph import frames_in_a_call
from raypipe.inference.lanes import GraphLanes
from raypipe.inference.spectral import Spectral, root_hann
from raypipe.inference.stack import Hand
from raypipe.inference.zoo import ModelFile, verify
from tests.inference.models_for_tests import LANES, Pair, write_signatures

FRAME, HOP = 64, 16
BINS = FRAME // 2 + 1
Array = np.ndarray

MASK = Tensors("magnitude", "mask", {"h": "h_out"}, "mask")
FRAMES = Tensors("spectrum", "sound", {"g": "g_out"}, "frames")
COMMON = {"frame": FRAME, "hop": HOP, "latency": FRAME - HOP, "memory": "recurrent"}
STFT_MASK = ModelCard(name="one", front_end="stft-mask", tensors=MASK, **COMMON)  # type: ignore[arg-type]
LATER = replace(STFT_MASK, lookahead=2, latency=FRAME - HOP + 2 * HOP)
DTLN = ModelCard(name="two", front_end="dtln", tensors=MASK, second=FRAMES, **COMMON)  # type: ignore[arg-type]


def inverse_fft() -> Array:
    """The matrix that turns real and imaginary parts, by turns, into a frame."""
    parts = [np.fft.irfft(unit * np.eye(BINS), FRAME) for unit in (1, 1j)]
    return np.ascontiguousarray(np.stack(parts, 1).reshape(2 * BINS, FRAME).T, np.float32)


def pairs(card: ModelCard, frames: int) -> dict[str, list[Pair]]:
    end = "" if frames == 1 else f"_{frames}"
    found: dict[str, list[Pair]] = {
        f"mask{end}": [("magnitude", "mask", (LANES, frames, BINS)), ("h", "h_out", (LANES, 3))]
    }
    if card.second is not None:
        found[f"frames{end}"] = [
            ("spectrum", "sound", (LANES, frames, 2 * BINS), inverse_fft()),
            ("g", "g_out", (LANES, 5)),
        ]  # fmt: skip
    return found


CARDS = {"stft-mask": STFT_MASK, "lookahead": LATER, "dtln": DTLN}


@pytest.fixture(scope="module", params=CARDS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GraphLanes:
    card = CARDS[request.param]
    path = tmp_path_factory.mktemp("front") / "model.tflite"
    write_signatures(path, pairs(card, 1) | pairs(card, 4))
    return GraphLanes(path, card, 64)


def plainly(card: ModelCard, sound: Array, lookahead: int | None = None) -> Array:
    """What the mask |X| makes of a lane, frame after frame, in double precision.

    The mask is that of the frame `lookahead` steps later, and comes so much later.
    """
    window = root_hann(FRAME, HOP) if card.second is None else np.ones(FRAME)
    line = np.concatenate([np.zeros(FRAME - HOP), sound])
    out = np.zeros(len(line))
    spectra: list[Array] = []
    for begin in range(0, len(sound), HOP):
        spectra.append(np.fft.rfft(line[begin : begin + FRAME] * window))
        late = card.lookahead if lookahead is None else lookahead
        if late < len(spectra):
            masked = spectra[-1 - late] * np.abs(spectra[-1])
            out[begin : begin + FRAME] += np.fft.irfft(masked, FRAME) * window
    return out[: len(sound)]


def noise(seed: int, channels: int, hops: int) -> Array:
    made = np.random.default_rng(seed).uniform(-1, 1, (channels, hops * HOP))
    return made.astype(np.float32)


def test_sound_is_that_of_a_plain_loop(loaded: GraphLanes) -> None:
    sound = noise(0, 3, 41)
    (out,), _ = loaded.process([sound], [loaded.new_state(3)])
    wanted = np.stack([plainly(loaded.card, lane) for lane in sound])
    assert np.max(np.abs(out - wanted)) < 1e-5 * np.max(np.abs(wanted))


def ones_everywhere(card: ModelCard, sound: Array, cut: int) -> Array:
    """What a front end makes of sound in two calls with a mask of ones, no graph behind it."""

    def run(stage: int, steps: int, feed: Hand, drain: Hand) -> None:
        drain(np.ones((len(sound), steps, BINS), np.float32), 0)

    stack: Any = SimpleNamespace(run=run, put_state=lambda *_: None, get_state=lambda *_: None)
    front, steps = Spectral(card), sound.shape[1] // HOP
    state = {n: np.zeros((len(sound), *s), d) for n, (s, d) in front.state_shapes.items()}
    out = np.empty_like(sound)
    ins, outs = ([lane.reshape(-1, HOP) for lane in lanes] for lanes in (sound, out))
    for start, stop in ((0, cut), (cut, steps)):
        front.step(stack, ins, outs, state, 0, start, stop)
    return out


@pytest.mark.parametrize("lookahead", [0, 1, 2, 5])
def test_mask_of_ones_is_a_delay_of_the_latency(lookahead: int) -> None:
    late = FRAME - HOP + lookahead * HOP
    card = replace(STFT_MASK, lookahead=lookahead, latency=late)
    sound = noise(7, 3, 50)
    whole = ones_everywhere(card, sound, 50)
    assert np.max(np.abs(whole[:, late:] - sound[:, :-late])) < 1e-6
    assert np.max(np.abs(whole[:, :late])) < 1e-6
    for slip in (-1, 1):
        assert np.max(np.abs(np.roll(whole, slip, 1)[:, late + 1 :] - sound[:, 1:-late])) > 0.1
    for cut in (0, 1, lookahead, 17, 49):
        assert ones_everywhere(card, sound, cut).tobytes() == whole.tobytes()


def test_mask_is_for_the_frame_that_the_card_says() -> None:
    """The reference with another lookahead, late by as much, is another sound."""
    sound = noise(8, 1, 41)[0]
    right = plainly(LATER, sound)
    for other in (1, 3):
        wrong = plainly(LATER, sound, other)
        shift = (other - LATER.lookahead) * HOP
        near = np.roll(wrong, -shift)[4 * FRAME : -FRAME] - right[4 * FRAME : -FRAME]
        assert np.max(np.abs(near)) > 0.1 * np.max(np.abs(right))


@settings(max_examples=25, deadline=None, print_blob=True)
@given(st.lists(st.integers(0, 70), min_size=1, max_size=4), st.integers(0, 40), st.integers(1, 3))
def test_no_cut_and_no_company_changes_a_bit(
    loaded: GraphLanes, cuts: list[int], others: int, channels: int
) -> None:
    sound = noise(1, channels, sum(cuts))
    (whole,), (end,) = loaded.process([sound], [loaded.new_state(channels)])
    company = [noise(2 + n, 1, 7 * n % 90) for n in range(others)]
    begin, state, parts = 0, loaded.new_state(channels), []
    for hops in cuts:
        part = sound[:, begin * HOP : (begin + hops) * HOP]
        outs, states = loaded.process(
            [*company, part], [*(loaded.new_state(1) for _ in company), state]
        )
        parts.append(outs[-1])
        state, begin = states[-1], begin + hops
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()
    assert all(state[name].tobytes() == end[name].tobytes() for name in end)


def test_root_hann_gives_the_input_back() -> None:
    square = root_hann(FRAME, HOP).astype(float) ** 2
    assert np.allclose(square.reshape(-1, HOP).sum(axis=0), 1, atol=1e-6)


def test_frames_in_a_call_are_those_that_all_graphs_have(tmp_path: Path) -> None:
    signatures = pairs(DTLN, 1) | pairs(DTLN, 4) | {"mask_8": pairs(DTLN, 8)["mask_8"]}
    path = write_signatures(tmp_path / "m.tflite", signatures)
    assert frames_in_a_call(path, DTLN) == (1, 4)


def test_missing_signature_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    path = write_signatures(tmp_path / "m.tflite", pairs(STFT_MASK, 1))
    with pytest.raises(ModelError, match=r"m\.tflite: has no signature 'frames'; it has mask"):
        GraphLanes(path, DTLN, 4)


def test_graph_of_other_frames_is_refused(tmp_path: Path) -> None:
    path = write_signatures(tmp_path / "m.tflite", pairs(STFT_MASK, 1))
    card = replace(STFT_MASK, name="x", frame=128, latency=128 - HOP)
    with pytest.raises(ModelError, match=r"found shape \(16, 1, 33\), wanted \(16, 1, 65\)"):
        GraphLanes(path, card, 4)


def test_mask_without_memory_keeps_what_models_promise(tmp_path: Path) -> None:
    card = ModelCard(
        name="x", front_end="stft-mask", frame=FRAME, hop=HOP, latency=FRAME - HOP,
        memory="finite", context=FRAME - HOP, tensors=Tensors("magnitude", "mask", {}, "mask"),
    )  # fmt: skip
    path = write_signatures(tmp_path / "m.tflite", {"mask": pairs(STFT_MASK, 1)["mask"][:1]})
    checks = verify(ModelFile(str(path), card, ""))
    assert [check for check in checks if not check.ok] == []
