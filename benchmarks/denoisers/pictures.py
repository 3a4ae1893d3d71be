"""Spectrograms side by side, as a PNG to be looked at.

Comes in: sounds by title. Goes out: one picture; needs matplotlib.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.denoisers.bands import Sound, spectrogram

FLOOR_DB, TOP_DB = -110.0, -20.0
"""Of the colours, against a full-scale sine's power in a bin."""


def draw(path: Path, panels: Mapping[str, tuple[Sound, int]]) -> None:
    """Write a picture with one spectrogram under the other.

    Parameters
    ----------
    path : Path
        Of the PNG.
    panels : mapping
        Sound ``(samples,)`` and its rate in Hz, by title.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    plt: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(11, 2.6 * len(panels)), squeeze=False, layout="constrained"
    )
    for axis, (title, (sound, rate_hz)) in zip(axes[:, 0], panels.items(), strict=True):
        frame = 2 * round(0.016 * rate_hz)
        if len(sound) < frame:
            continue
        power = spectrogram(sound, frame, frame // 4) / (frame / 4) ** 2
        image = axis.imshow(
            10 * np.log10(power.T + 1e-14), origin="lower", aspect="auto", cmap="magma",
            vmin=FLOOR_DB, vmax=TOP_DB, extent=(0, len(sound) / rate_hz, 0, rate_hz / 2000),
        )  # fmt: skip
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_ylabel("kHz")
        figure.colorbar(image, ax=axis, label="dB", pad=0.01)
    axes[-1, 0].set_xlabel("seconds")
    figure.savefig(path, dpi=80)
    plt.close(figure)
