"""STOI: pystoi's own figure, in order of noise, and reasons where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from raypipe.quality.intelligibility import NOT_INSTALLED, stoi
from raypipe.quality.value import Missing
from tests.quality.speech import hiss, syllables


def test_less_noise_is_more_intelligible() -> None:
    pystoi = pytest.importorskip("pystoi")
    clean = syllables(3, 16_000)
    found = [stoi(clean + hiss(len(clean), db), clean, 16_000) for db in (-10, -25, -40)]
    assert found == sorted(found)
    assert 0 < found[0] < found[2] < 1
    noisy = clean + hiss(len(clean), -25)
    assert found[1] == pystoi.stoi(clean, noisy, 16_000)
    assert stoi(clean, clean, 16_000) == pytest.approx(1)
    assert stoi(noisy, clean, 16_000, extended=True) != found[1]


def test_too_little_speech_is_said_and_not_warned_of() -> None:
    pytest.importorskip("pystoi")
    for size in (0, 1, 100, 3000):
        found = stoi(
            hiss(size) if size else np.zeros(0), hiss(size) if size else np.zeros(0), 16_000
        )
        assert isinstance(found, Missing), size
    silent = np.zeros(16_000)
    assert stoi(silent, hiss(16_000), 16_000) == Missing("digital silence")
    assert stoi(hiss(16_000), silent, 16_000) == Missing("the reference is digital silence")


def test_without_pystoi_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pystoi", None)
    assert stoi(hiss(16_000), hiss(16_000), 16_000) == NOT_INSTALLED
    assert "pip install raypipe[score]" in NOT_INSTALLED.reason
