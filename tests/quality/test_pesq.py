"""PESQ: the package's own figure, and reasons where there is none."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from raypipe.quality.pesq import NOT_INSTALLED, pesq_wb
from raypipe.quality.value import Missing
from tests.quality.speech import hiss, syllables


def test_less_noise_is_better_and_none_is_the_best_there_is() -> None:
    package = pytest.importorskip("pesq")
    clean = syllables(4, 16_000).astype(np.float32)
    noisy = [clean + hiss(len(clean), db).astype(np.float32) for db in (-20, -35, -55)]
    found = [pesq_wb(sound, clean) for sound in noisy]
    assert found == sorted(found)
    assert found[1] == package.pesq(16_000, clean, noisy[1], "wb")
    assert pesq_wb(clean, clean) == pytest.approx(4.644, abs=0.001)


def test_where_there_is_none_it_says_why() -> None:
    pytest.importorskip("pesq")
    second = hiss(16_000)
    reasons = {
        "PESQ needs 0.25 s of sound": pesq_wb(second[:3000], second[:3000]),
        "digital silence": pesq_wb(0 * second, second),
        "the reference is digital silence": pesq_wb(second, 0 * second),
        "PESQ takes no more than 60 s at once": pesq_wb(hiss(61 * 16_000), hiss(61 * 16_000)),
    }
    for reason, found in reasons.items():
        assert found == Missing(reason)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pesq", None)
    assert pesq_wb(hiss(16_000), hiss(16_000)) == NOT_INSTALLED
    assert "pip install raypipe[score]" in NOT_INSTALLED.reason
