"""The colour map of the spectrograms: as many steps as a byte has, each as far as the next.

It runs from near black over violet and orange to a pale yellow, in OKLab: the
lightness rises evenly, the hue turns evenly, and the chroma is as strong as the
screen's gamut leaves room for, so that equal steps in decibels look equal, also in grey.

References
----------
B. Ottosson, A perceptual color space for image processing (2020),
https://bottosson.github.io/posts/oklab/
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STEPS = 256

LIGHTNESS = (0.10, 0.96)
"""Of OKLab, 0 to 1: first and last colour."""
HUE_DEGREES = (285.0, 465.0)
"""Violet, then by way of red and orange to yellow (105 degrees)."""
CHROMA = 0.17
"""In the middle; at both ends it falls to what a dark and a pale colour can have."""

# OKLab to cone responses (cube roots), these to linear sRGB: Ottosson's figures.
_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@lru_cache(maxsize=1)
def colour_map() -> NDArray[np.uint8]:
    """The colours.

    Returns
    -------
    ndarray of uint8
        Shape ``(STEPS, 3)``: red, green, blue as sRGB has them.
    """
    along = np.linspace(0.0, 1.0, STEPS)
    lightness = LIGHTNESS[0] + along * (LIGHTNESS[1] - LIGHTNESS[0])
    hue = np.radians(HUE_DEGREES[0] + along * (HUE_DEGREES[1] - HUE_DEGREES[0]))
    chroma = CHROMA * np.sin(np.pi * (0.06 + 0.84 * along)) ** 0.8
    for _ in range(60):  # inwards until each colour can be shown
        linear = _linear_rgb(lightness, chroma, hue)
        outside = ((linear < 0) | (linear > 1)).any(axis=1)
        if not outside.any():
            break
        chroma = np.where(outside, chroma * 0.96, chroma)
    linear = np.clip(_linear_rgb(lightness, chroma, hue), 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(coded * 255).astype(np.uint8)


def _linear_rgb(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.float64]:
    lab = np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
    rgb: NDArray[np.float64] = ((lab @ _TO_CONES.T) ** 3) @ _TO_RGB.T
    return rgb
