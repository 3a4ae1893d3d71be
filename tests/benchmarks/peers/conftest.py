"""DTLN's published pair and our own models of it, where the weights are; a small corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.corpus import make_speech
from benchmarks.peers.reference import find_pair
from raypipe.inference.pull import pull

LENGTHS_S = [0.7, 1.23456, 1.0, 0.031]
"""Odd ones among them; the last is shorter than a frame of DTLN."""


@pytest.fixture(scope="session")
def pair() -> Path:
    """Folder of the published pair."""
    found = find_pair(None)
    if found is None:
        pytest.skip("the weights of DTLN are not beside this checkout")
    return found


@pytest.fixture(scope="session")
def dtln(pair: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Paths of our models, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYPIPE_MODELS", str(tmp_path_factory.mktemp("models")))
        return {path.stem: str(path) for path in pull("dtln", pair)}


@pytest.fixture(scope="session")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A few files of speech-like sound at 16 kHz, alone in their folder."""
    return sorted(make_speech(tmp_path_factory.mktemp("corpus") / "in", LENGTHS_S).iterdir())
