"""The file that ``arnndn`` reads, and FFmpeg's filters as peers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.denoisers.arnndn import (
    LAYERS,
    missing_ffmpeg,
    network_text,
    rnnoise_filters,
    through_ffmpeg,
)
from benchmarks.denoisers.peers import AFFTDN_LATE, RNNOISE_LATE
from benchmarks.peers.processes import PeerFailed
from raypipe.quality.reference import delay
from tests.signals import bursts

Weights = dict[str, np.ndarray]


@pytest.fixture
def ffmpeg() -> None:
    if missing_ffmpeg():
        pytest.skip("FFmpeg is not installed")


def weights(bias: int = 0) -> Weights:
    """A network whose gains are the same whatever it hears: only the last biases count."""
    made: Weights = {}
    for name, inputs, units, _, recurrent in LAYERS:
        wide = 3 * units if recurrent else units
        made[f"{name}_weights"] = np.zeros(inputs * wide, np.int8)
        made[f"{name}_bias"] = np.zeros(wide, np.int8)
        if recurrent:
            made[f"{name}_recurrent_weights"] = np.zeros(units * wide, np.int8)
    made["denoise_output_bias"][:] = bias
    return made


def read_back(text: str) -> Weights:
    """The file as its layout says, read without the writer's help."""
    head, *lines = text.splitlines()
    assert head == "rnnoise-nu model file version 1"
    found: Weights = {}
    rows = iter(lines)
    for name in ("input_dense", "vad_gru", "noise_gru", "denoise_gru", "denoise_output",
                 "vad_output"):  # fmt: skip
        inputs, units, activation = (int(word) for word in next(rows).split())
        assert activation == (2 if "gru" in name else 0 if name == "input_dense" else 1)
        parts = ["weights", "recurrent_weights", "bias"] if "gru" in name else ["weights", "bias"]
        for part in parts:
            found[f"{name}_{part}"] = np.array(next(rows).split(), np.int64)
        assert len(found[f"{name}_weights"]) == inputs * units * (3 if "gru" in name else 1)
    assert not list(rows)
    return found


def test_what_is_written_reads_back() -> None:
    chance = np.random.default_rng(3)
    wanted = {n: chance.integers(-128, 128, len(a)).astype(np.int8) for n, a in weights().items()}
    found = read_back(network_text(wanted))
    assert found.keys() == wanted.keys()
    assert all((found[name] == wanted[name]).all() for name in wanted)


def test_weights_of_another_network_are_named() -> None:
    wrong = weights() | {"vad_gru_bias": np.zeros(71, np.int8)}
    with pytest.raises(ValueError, match="vad_gru_bias: found 71 weights, wanted 72"):
        network_text(wrong)


@pytest.mark.usefixtures("ffmpeg")
def test_ffmpeg_runs_the_network_and_its_output_is_aligned(tmp_path: Path) -> None:
    sound = bursts(60_000)[0]
    network = tmp_path / "net.rnnn"
    # A bias of 127 / 256 in all bands gives gains of 0.62 (a tanh or ReLU in its place 0.46 or
    # 0.50). Above 20 kHz nothing comes through, and the pitch filter takes a little.
    network.write_text(network_text(weights(127)))
    made = through(tmp_path, sound, rnnoise_filters(network), RNNOISE_LATE)
    assert delay([(made, sound)], 2000) == 0
    gain = (made @ sound) / (sound @ sound)
    assert gain == pytest.approx(1 / (1 + np.exp(-127 / 256)), abs=0.06)


@pytest.mark.usefixtures("ffmpeg")
def test_afftdn_is_aligned_too(tmp_path: Path) -> None:
    sound = bursts(60_000)[0]
    assert delay([(through(tmp_path, sound, "afftdn", AFFTDN_LATE), sound)], 4000) == 0


@pytest.mark.usefixtures("ffmpeg")
def test_what_ffmpeg_refuses_is_said(tmp_path: Path) -> None:
    with pytest.raises(PeerFailed, match=r"none\.rnnn"):
        through(tmp_path, bursts(4800)[0], rnnoise_filters(tmp_path / "none.rnnn"), 0)


def through(folder: Path, sound: np.ndarray, filters: str, late: int) -> np.ndarray:
    sf.write(folder / "in.wav", sound, 48_000, "FLOAT")
    through_ffmpeg(folder / "in.wav", folder / "out.wav", filters, late)
    made: np.ndarray = sf.read(folder / "out.wav")[0][: len(sound)]
    assert len(made) == len(sound)
    return made
