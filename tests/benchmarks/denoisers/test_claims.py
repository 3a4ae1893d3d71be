"""Claims hold, do not hold, or could not be measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.denoisers.claims import claims, markdown
from benchmarks.denoisers.mixing import CLEAN_DB, Pair
from benchmarks.denoisers.tables import Results

PAIRS = [
    Pair(f"{n}", Path("v"), Path(f"{n}"), "a", 0.0 if n < 30 else CLEAN_DB, 5, 0, 0)
    for n in range(40)
]


def results(**levels: float) -> Results:
    """Each peer's PESQ around a level, alike from pair to pair; SI-SDR ten times that."""
    wobble = np.random.default_rng(1).normal(scale=0.1, size=40)
    scores = {
        name: {"pesq_wb": list(level + wobble), "si_sdr_db": list(10 * (level + wobble))}
        for name, level in levels.items()
    }
    return Results(PAIRS, [], scores)


def held(found: Results) -> dict[str, bool | None]:
    return {claim.text: claim.holds for claim in claims(found, "ours")}


def test_a_clear_lead_holds_and_a_lead_within_the_intervals_does_not() -> None:
    found = held(results(ours=2.5, rnnoise=2.0, noisereduce=2.48, dtln=2.58))
    assert found["PESQ-WB above rnnoise's, intervals apart"] is True
    assert found["PESQ-WB above noisereduce's, intervals apart"] is False
    assert found["OVRL above rnnoise's, intervals apart"] is None
    assert found["PESQ-WB no more than 0.15 below dtln's"] is True
    assert found["SI-SDR, dB no more than 1 below dtln's"] is True


def test_whoever_is_behind_does_not_hold() -> None:
    found = held(results(ours=2.0, rnnoise=2.5, noisereduce=1.0, dtln=2.2))
    assert found["PESQ-WB above rnnoise's, intervals apart"] is False
    assert found["PESQ-WB no more than 0.15 below dtln's"] is False
    assert found["SI-SDR, dB no more than 1 below dtln's"] is False


def test_clean_speech_has_bounds_of_its_own() -> None:
    assert held(results(ours=4.2))["clean speech: PESQ-WB above 4"] is True
    assert held(results(ours=1.9))["clean speech: SI-SDR, dB above 20"] is False


def test_the_table_says_it_in_words() -> None:
    text = markdown(results(ours=2.5, rnnoise=2.0), "ours")
    assert "| PESQ-WB above rnnoise's, intervals apart | 2.4" in text
    assert "| holds |" in text and "| not measured |  |" in text
