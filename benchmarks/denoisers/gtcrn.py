"""GTCRN as its authors' streaming example runs it: a graph for ONNX Runtime, frame by frame.

Comes in: the path of ``gtcrn_simple.onnx``, then sound at 16 kHz. Goes out: as much sound,
aligned: the STFT is centred, with the ends mirrored.

Reference: X. Rong et al., "GTCRN: a speech enhancement model requiring ultralow computational
resources", ICASSP 2024; https://github.com/Xiaobin-Rong/gtcrn.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
FRAME, HOP = 512, 256
WINDOW = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME))


def missing_onnxruntime() -> str:
    """Says so where ONNX Runtime is not installed; else nothing."""
    there = importlib.util.find_spec("onnxruntime") is not None
    return "" if there else "not installed (onnxruntime)"


class Gtcrn:
    """The streaming graph on one thread."""

    def __init__(self, path: Path) -> None:
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: Any = runtime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._state_shapes = {
            one.name: one.shape for one in self._session.get_inputs() if one.name != "mix"
        }

    def __call__(self, sound: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Denoise one channel; shape ``(samples,)`` in and out, at 16 kHz."""
        if rate_hz != RATE_HZ:
            raise ValueError(f"found {rate_hz} Hz, wanted {RATE_HZ} Hz")
        spectra = to_spectra(sound)
        state = {name: np.zeros(shape, np.float32) for name, shape in self._state_shapes.items()}
        for number, spectrum in enumerate(spectra):
            fed = np.stack([spectrum.real, spectrum.imag], -1).astype(np.float32)
            made, *states = self._session.run(None, state | {"mix": fed[None, :, None]})
            state = dict(zip(state, states, strict=True))
            spectra[number] = made[0, :, 0, 0] + 1j * made[0, :, 0, 1]
        return to_sound(spectra, len(sound))


def to_spectra(sound: NDArray[np.float32]) -> NDArray[np.complex128]:
    """Centred STFT, ``(frames, bins)``; the ends are mirrored."""
    hops = -(-len(sound) // HOP)
    padded = np.pad(sound.astype(np.float64), (HOP, HOP + hops * HOP - len(sound)), "reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    spectra: NDArray[np.complex128] = np.fft.rfft(frames * WINDOW)
    return spectra


def to_sound(spectra: NDArray[np.complex128], length: int) -> NDArray[np.float32]:
    """Its inverse by overlap-add; the window's square adds up to one."""
    frames = np.fft.irfft(spectra) * WINDOW
    out = np.zeros((len(frames) + 1) * HOP)
    for number, frame in enumerate(frames):
        out[number * HOP : number * HOP + FRAME] += frame
    return out[HOP : HOP + length].astype(np.float32)
