"""DTLN as its authors' script runs it: their pair of graphs, one file, one frame at a time.

Comes in: a folder with ``model_1.tflite`` and ``model_2.tflite``. Goes out: a function from
sound to sound. The one difference from the script: it gives its output 384 samples late and
swallows as many at the end; here zeros follow the sound, and the delay is cut off.

Reference: N. L. Westhausen and B. T. Meyer, "Dual-signal transformation LSTM network for
real-time noise suppression", Interspeech 2020; https://github.com/breizhn/DTLN.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.corpus import RATE_HZ, noisy_speech
from raypipe.inference.interpreter import greeting_unheard

FRAME, HOP = 512, 128
LATE = FRAME - HOP
"""Samples by which the loop's output lags."""

FLOAT, QUANTISED = "model", "model_quant"
"""How the names of the two published pairs begin."""

BESIDE = Path(__file__).resolve().parents[3] / "shared/models/dtln"


class Reference:
    """The loop.

    Parameters
    ----------
    folder : Path
        Where the pair lies.
    pair : str
        `FLOAT` or `QUANTISED`.
    """

    def __init__(self, folder: Path, pair: str = FLOAT) -> None:
        self._mask = _Half(folder / f"{pair}_1.tflite")
        self._frame = _Half(folder / f"{pair}_2.tflite")

    def __call__(self, sound: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        """Denoise one file.

        Parameters
        ----------
        sound : array, shape (samples,), float32
            One channel.
        rate_hz : int
            Must be 16,000.

        Returns
        -------
        array, shape (samples,), float32
            Aligned with the input.

        Raises
        ------
        ValueError
            At another rate.
        """
        if rate_hz != RATE_HZ:
            raise ValueError(f"found {rate_hz} Hz, wanted {RATE_HZ} Hz")
        hops = -(-(len(sound) + LATE) // HOP)
        padded = np.zeros(hops * HOP, np.float32)
        padded[: len(sound)] = sound
        out = np.zeros_like(padded)
        heard, said = np.zeros(FRAME, np.float32), np.zeros(FRAME, np.float32)
        self._mask.forget()
        self._frame.forget()
        for start in range(0, len(padded), HOP):
            heard[:-HOP] = heard[HOP:]
            heard[-HOP:] = padded[start : start + HOP]
            spectrum = np.fft.rfft(heard)
            magnitude, phase = np.abs(spectrum), np.angle(spectrum)
            mask = self._mask(magnitude)
            masked = np.fft.irfft(magnitude * np.squeeze(mask) * np.exp(1j * phase))
            said[:-HOP] = said[HOP:]
            said[-HOP:] = 0
            said += np.squeeze(self._frame(masked))
            out[start : start + HOP] = said[:HOP]
        return out[LATE : LATE + len(sound)]


class _Half:
    """One graph of the pair, with its state carried from call to call by hand."""

    def __init__(self, path: Path) -> None:
        self._graph = Interpreter(str(path), num_threads=1)
        with greeting_unheard():
            self._graph.allocate_tensors()
        taken = _by_rank(self._graph.get_input_details())
        given = _by_rank(self._graph.get_output_details())
        # A signal is (1, 1, size), the state (1, layers, units, 2).
        self._signal_in, self._state_in = taken[3]["index"], taken[4]["index"]
        self._signal_out, self._state_out = given[3]["index"], given[4]["index"]
        self._state_shape = taken[4]["shape"]
        self.forget()

    def forget(self) -> None:
        """Begin another file."""
        self._state = np.zeros(self._state_shape, np.float32)

    def __call__(self, signal: NDArray[Any]) -> NDArray[np.float32]:
        """Step once."""
        self._graph.set_tensor(self._state_in, self._state)
        self._graph.set_tensor(self._signal_in, signal.reshape(1, 1, -1).astype(np.float32))
        self._graph.invoke()
        out: NDArray[np.float32] = self._graph.get_tensor(self._signal_out)
        self._state = self._graph.get_tensor(self._state_out)
        return out


def _by_rank(details: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {len(one["shape"]): one for one in details}


def reference_kernel(folder: Path, pair: str, seconds: float) -> tuple[float, float]:
    """Seconds of sound, and of CPU time for them, of the loop on sound in memory."""
    denoise = Reference(folder, pair)
    denoise(noisy_speech(RATE_HZ)[0], RATE_HZ)
    sound = noisy_speech(round(seconds * RATE_HZ))[0]
    begin_s = time.process_time()
    denoise(sound, RATE_HZ)
    return seconds, time.process_time() - begin_s


def find_pair(folder: Path | None) -> Path | None:
    """The folder, or the one beside the checkout, if the published pair is there."""
    folder = folder or BESIDE
    return folder if all((folder / f"{FLOAT}_{n}.tflite").is_file() for n in (1, 2)) else None
