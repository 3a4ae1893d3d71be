"""Front ends against plain loops over frames; graphs here give back what they get, or turn a
spectrum back into its frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.front_ends import root_hann
from raypipe.inference.graph import frames_in_a_call
from raypipe.inference.lanes import GraphLanes
from raypipe.inference.zoo import ModelFile, verify
from tests.inference.models_for_tests import LANES, Pair, write_signatures

FRAME, HOP = 64, 16
BINS = FRAME // 2 + 1
Array = np.ndarray

MASK = Tensors("magnitude", "mask", {"h": "h_out"}, "mask")
FRAMES = Tensors("spectrum", "sound", {"g": "g_out"}, "frames")
COMMON = {"frame": FRAME, "hop": HOP, "latency": FRAME - HOP, "memory": "recurrent"}
STFT_MASK = ModelCard(name="one", front_end="stft-mask", tensors=MASK, **COMMON)  # type: ignore[arg-type]
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


@pytest.fixture(scope="module", params=["stft-mask", "dtln"])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> GraphLanes:
    card = STFT_MASK if request.param == "stft-mask" else DTLN
    path = tmp_path_factory.mktemp("front") / "model.tflite"
    write_signatures(path, pairs(card, 1) | pairs(card, 4))
    return GraphLanes(path, card, 64)


def plainly(card: ModelCard, sound: Array) -> Array:
    """What the mask |X| makes of a lane, frame after frame, in double precision."""
    window = root_hann(FRAME, HOP) if card.second is None else np.ones(FRAME)
    line = np.concatenate([np.zeros(FRAME - HOP), sound])
    out = np.zeros(len(line))
    for begin in range(0, len(sound), HOP):
        spectrum = np.fft.rfft(line[begin : begin + FRAME] * window)
        out[begin : begin + FRAME] += np.fft.irfft(spectrum * np.abs(spectrum), FRAME) * window
    return out[: len(sound)]


def noise(seed: int, channels: int, hops: int) -> Array:
    made = np.random.default_rng(seed).uniform(-1, 1, (channels, hops * HOP))
    return made.astype(np.float32)


def test_sound_is_that_of_a_plain_loop(loaded: GraphLanes) -> None:
    sound = noise(0, 3, 41)
    (out,), _ = loaded.process([sound], [loaded.new_state(3)])
    wanted = np.stack([plainly(loaded.card, lane) for lane in sound])
    assert np.max(np.abs(out - wanted)) < 1e-5 * np.max(np.abs(wanted))


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
    card = ModelCard(name="x", front_end="stft-mask", tensors=MASK, **COMMON | {"frame": 128})  # type: ignore[arg-type]
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
