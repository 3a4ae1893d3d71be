"""Measures of a sound against a reference, all of them, as one value; and the decimals that all
measures are told with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from raypipe.quality.dnsmos import DnsmosScores
from raypipe.quality.measures import Measures
from raypipe.quality.value import Missing, Value

HIGHEST_DB = 100.0
"""Ratios are held between this and its negative: a copy, whose ratio is infinite, reads 100."""

DECIMALS = {"share": 6, "runs": 0, "hz": 0, "samples": 0, "stoi": 4, "wb": 3, "sig": 3, "bak": 3,
            "ovrl": 3, "p808": 3, "s": 6}  # fmt: skip
"""By the last part of a measure's name; others have `USUAL_DECIMALS`."""

USUAL_DECIMALS = 2


@dataclass(frozen=True, slots=True)
class AgainstReference:
    """What one sound is compared to another; None where there is nothing to say, with the reason in
    `missing`."""

    si_sdr_db: float | None = None
    """Scale-invariant signal-to-distortion ratio, held between -100 and 100."""
    reference_snr_db: float | None = None
    """Power of the reference against that of the difference, held between -100 and 100."""
    level_difference_db: float | None = None
    """Level above that of the reference."""
    delay_samples: int | None = None
    """Samples by which it comes later than the reference, at its own rate."""
    stoi: float | None = None
    """Intelligibility, 0 to 1."""
    pesq_wb: float | None = None
    """Wide-band PESQ, 1 to 4.64."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a field is None, by its name."""


def held(value: Value) -> Value:
    """A ratio in dB, held at `HIGHEST_DB`."""
    if isinstance(value, Missing):
        return value
    return max(-HIGHEST_DB, min(HIGHEST_DB, value))


def mean(values: Sequence[Value]) -> Value:
    """Mean over excerpts, of those that have a number; the first reason where none has."""
    numbers = [value for value in values if not isinstance(value, Missing)]
    if numbers:
        return math.fsum(numbers) / len(numbers)
    return next((value for value in values), Missing("it holds no samples"))


def rounded(name: str, value: float) -> float:
    """A measure with the decimals that mean something, a whole number where there are none."""
    decimals = decimals_of(name)
    return round(value, decimals) + 0.0 if decimals else round(value)  # no -0.0


def decimals_of(name: str) -> int:
    """Decimals that a measure is told with."""
    return DECIMALS.get(name.rpartition("_")[2], USUAL_DECIMALS)


SETS = (Measures, AgainstReference, DnsmosScores)
"""Where measures are told of, in the order in which they are shown."""


def names_in(kind: type) -> list[str]:
    """Names of the measures in one of `SETS`."""
    return [name for name in kind.__dataclass_fields__ if name != "missing"]  # type: ignore[attr-defined]
