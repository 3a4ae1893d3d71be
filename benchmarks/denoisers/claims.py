"""What is wanted of our denoiser, and whether the figures bear it out.

Comes in: results. Goes out: for each claim what was found, and whether it holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.denoisers.tables import MEASURES, Results, clean, noisy

OUTDONE = ("rnnoise", "noisereduce")
"""Whose intervals ours must lie above."""
OUTDONE_ON = ("pesq_wb", "si_sdr_db", "dnsmos_ovrl")
NEAR = "dtln"
NEAR_BY = {"pesq_wb": 0.15, "si_sdr_db": 1.0}
"""By so much ours may lie below."""
CLEAN_LEAST = {"pesq_wb": 4.0, "si_sdr_db": 20.0}
"""Of clean speech, in the mean."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One of them."""

    text: str
    found: str
    holds: bool | None
    """None where it could not be measured."""


def claims(results: Results, ours: str) -> Iterator[Claim]:
    """All of them, in the order in which they are wanted."""
    for peer in OUTDONE:
        for measure in OUTDONE_ON:
            yield _above(results, ours, peer, measure)
    for measure, by in NEAR_BY.items():
        name, digits = MEASURES[measure]
        found = results.over(ours, measure, noisy, NEAR)
        text = f"{name} no more than {by:g} below {NEAR}'s"
        if found is None:
            yield Claim(text, "not measured", None)
        else:
            yield Claim(text, f"{found.mean:+.{digits}f}", found.mean >= -by)
    for measure, least in CLEAN_LEAST.items():
        name, digits = MEASURES[measure]
        mean, lowest = results.over(ours, measure, clean), results.lowest(ours, measure, clean)
        text = f"clean speech: {name} above {least:g}"
        if mean is None or math.isnan(lowest):
            yield Claim(text, "not measured", None)
        else:
            found_text = f"{mean.mean:.{digits}f}, lowest {lowest:.{digits}f}"
            yield Claim(text, found_text, mean.mean > least)


def markdown(results: Results, ours: str) -> str:
    """The claims as a table."""
    lines = [f"### What is wanted of {ours}\n", "| wanted | found | |", "|---|---:|---|"]
    words = {True: "holds", False: "does not hold", None: ""}
    lines += [f"| {one.text} | {one.found} | {words[one.holds]} |" for one in claims(results, ours)]
    return "\n".join(lines)


def _above(results: Results, ours: str, peer: str, measure: str) -> Claim:
    name, digits = MEASURES[measure]
    text = f"{name} above {peer}'s, intervals apart"
    one, other = results.over(ours, measure, noisy), results.over(peer, measure, noisy)
    if one is None or other is None:
        return Claim(text, "not measured", None)
    edges = f"{one.low:.{digits}f} against {other.high:.{digits}f}"
    return Claim(text, edges, one.apart_from(other) and one.mean > other.mean)
