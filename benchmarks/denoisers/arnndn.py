"""FFmpeg's filters as peers: ``arnndn``, which runs RNNoise's network, and ``afftdn``.

Comes in: RNNoise's weights as int8 arrays by name, or nothing. Goes out: files from files, one
FFmpeg a file, its delay taken off. ``arnndn`` reads a network from a text file::

    rnnoise-nu model file version 1
    42 24 0                      inputs, units, activation (0 tanh, 1 sigmoid, 2 ReLU)
    12 -3 ...                    weights, then recurrent weights (GRU only), then biases
    ...

with six such layers in a fixed order. ``arnndn`` takes the spectrum of samples with full scale
at 1, where RNNoise takes that of 16 bit steps divided by the length of the FFT. So the network
hears everything 30.7 dB too soft, unless it is louder by 32768 / 960 on the way in.

References
----------
J.-M. Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement",
MMSP 2018; https://github.com/xiph/rnnoise, version 0.1.1. The file's layout is that of G. Richards'
rnnoise-nu; https://ffmpeg.org/ffmpeg-filters.html#arnndn.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarks.peers.processes import PeerFailed

TANH, SIGMOID, RELU = 0, 1, 2
LAYERS = (
    ("input_dense", 42, 24, TANH, False),
    ("vad_gru", 24, 24, RELU, True),
    ("noise_gru", 90, 48, RELU, True),
    ("denoise_gru", 114, 96, RELU, True),
    ("denoise_output", 96, 22, SIGMOID, False),
    ("vad_output", 24, 1, SIGMOID, False),
)
"""Name, inputs, units, activation, and whether it is a GRU, in the file's order."""

LOUDER = 32_768 / 960
"""What the samples must be multiplied by for the network to hear what it was trained on."""

LIMIT_S = 120.0


def network_text(weights: Mapping[str, NDArray[Any]]) -> str:
    """RNNoise's weights as the file that ``arnndn`` reads.

    Parameters
    ----------
    weights : mapping
        Arrays as ``rnn_data.c`` has them: ``input_dense_weights``, ``vad_gru_recurrent_weights``,
        ``vad_output_bias`` and so on, each flat, int8.

    Raises
    ------
    ValueError
        If an array has another length than its layer wants.
    """
    lines = ["rnnoise-nu model file version 1"]
    for name, inputs, units, activation, recurrent in LAYERS:
        wide = 3 * units if recurrent else units
        lines.append(f"{inputs} {units} {activation}")
        lines.append(_line(weights, f"{name}_weights", inputs * wide))
        if recurrent:
            lines.append(_line(weights, f"{name}_recurrent_weights", units * wide))
        lines.append(_line(weights, f"{name}_bias", wide))
    return "\n".join(lines) + "\n"


def _line(weights: Mapping[str, NDArray[Any]], name: str, wanted: int) -> str:
    values = weights[name].ravel()
    if len(values) != wanted:
        raise ValueError(f"{name}: found {len(values)} weights, wanted {wanted}")
    return " ".join(str(int(value)) for value in values)


def missing_ffmpeg() -> str:
    """Says so where there is no FFmpeg; else nothing."""
    return "" if shutil.which("ffmpeg") else "not installed (ffmpeg)"


def through_ffmpeg(source: Path, output: Path, filters: str, late: int) -> None:
    """Put one file through FFmpeg's filters; the output is float WAV, aligned and as long.

    Parameters
    ----------
    source, output : Path
        A file, and what is to be made of it.
    filters : str
        As behind ``-af``; names in it must not need quoting.
    late : int
        Samples by which they delay.

    Raises
    ------
    PeerFailed
        If FFmpeg refuses.
    """
    # Frames that are not full are dropped by some filters: the padding is a second longer.
    graph = f"apad=pad_len={late + 48_000},{filters},atrim=start_sample={late}"
    command = [
        "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-filter_threads", "1",
        "-threads", "1", "-y", "-i", str(source), "-af", graph, "-c:a", "pcm_f32le",
        "-threads", "1", str(output),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, text=True, stderr=subprocess.PIPE, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise PeerFailed(f"ffmpeg took more than {LIMIT_S:g} s") from None
    if done.returncode:
        raise PeerFailed(done.stderr.strip().partition("\n")[0] or f"exit {done.returncode}")


def rnnoise_filters(network: Path, gain: float = LOUDER) -> str:
    """``arnndn`` with this network, at the level that RNNoise itself would give it."""
    return (
        f"aresample=48000,volume={gain!r}:precision=float,arnndn=m={network},"
        f"volume={1 / gain!r}:precision=float"
    )
