"""What the tables say of scores that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.denoisers.mixing import CLEAN_DB, Pair
from benchmarks.denoisers.peers import Peer
from benchmarks.denoisers.tables import Results, as_json, clean, markdown, noisy


def peer(name: str, missing: str = "") -> Peer:
    return Peer(name, 16_000, lambda source, out: None, "1", missing)


@pytest.fixture
def results() -> Results:
    pairs = [
        Pair(f"{n}", Path("v"), Path(f"{n % 4}"), "ab"[n % 2], (0.0, 10.0)[n // 2 % 2], 5, 0, 0)
        for n in range(8)
    ] + [Pair("clean", Path("v"), Path("0"), "a", CLEAN_DB, 5, 0, 0)]
    rising = [1.0 + n / 10 for n in range(9)]
    scores = {
        "ours": {"pesq_wb": rising, "si_sdr_db": [10.0] * 9},
        "theirs": {"pesq_wb": [one - 0.5 for one in rising], "si_sdr_db": [np.nan] + [7.0] * 8},
    }
    peers = [peer("ours"), peer("theirs"), peer("lost", "not installed (lost)")]
    return Results(pairs, peers, scores, {"ours": 2.0})


def test_clean_pairs_are_not_in_the_averages(results: Results) -> None:
    found = results.over("ours", "pesq_wb", noisy)
    assert found is not None
    assert (found.mean, found.count) == (pytest.approx(1.35), 8)
    assert results.over("ours", "pesq_wb", clean).mean == pytest.approx(1.8)  # type: ignore[union-attr]


def test_differences_are_taken_pair_by_pair(results: Results) -> None:
    found = results.over("ours", "pesq_wb", noisy, minus="theirs")
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    missing_one = results.over("ours", "si_sdr_db", noisy, minus="theirs")
    assert missing_one is not None
    assert (missing_one.mean, missing_one.count) == (3.0, 7)


def test_the_tables_have_everyone_and_what_is_missing(results: Results) -> None:
    text = markdown(results, "ours")
    assert "### 8 noisy pairs" in text
    assert "| lost | not installed (lost) |" in text
    assert "| 2.00 | 500 |" in text
    assert "| theirs | +0.50 [+0.50, +0.50] | not measured | +3.0 [+3.0, +3.0] |" in text
    assert "### Clean speech: 1 pairs with 40 dB SNR" in text
    assert "| +0 dB | 1.25 | 0.75 |" in text
    assert "| b | 1.40 | 0.90 |" in text


def test_json_has_every_interval_and_score(results: Results) -> None:
    facts = as_json(results, "ours")
    means, minus = facts["means"], facts["ours_minus"]
    assert isinstance(means, dict) and isinstance(minus, dict)
    assert set(means) == {"all", "clean", "snr +0", "snr +10", "noise a", "noise b"}
    assert minus["all"]["theirs"]["pesq_wb"] == pytest.approx([0.5, 0.5, 0.5])
    assert "lost" not in means["all"]


def test_without_our_model_there_is_a_table_and_no_difference(results: Results) -> None:
    text = markdown(results, "absent")
    assert "### 8 noisy pairs" in text
    assert "minus the others" not in text
