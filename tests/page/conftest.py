"""Recordings, and a run over them."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile as sf

from tests.page.pages import run
from tests.signals import bursts, noise


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine good files of many kinds in a tree, and three that fail."""
    root = tmp_path_factory.mktemp("recordings")
    (root / "deep").mkdir()
    sf.write(root / "mono.wav", bursts(48_000).T, 16_000, "PCM_16")
    sf.write(root / "stereo.flac", bursts(96_000, 2).T, 48_000, "PCM_24")
    sf.write(root / "deep" / "phone.wav", bursts(16_000).T, 8_000, "ULAW")
    sf.write(root / "deep" / "long.wav", bursts(8_000 * 150).T, 8_000, "PCM_16")
    sf.write(root / "high.wav", bursts(192_000).T, 192_000, "PCM_16")
    sf.write(root / "many.wav", bursts(16_000, 6).T, 16_000, "PCM_16")
    sf.write(root / "one sample.wav", noise(1).T, 16_000, "PCM_16")
    sf.write(root / "silence.wav", 0 * noise(16_000).T, 16_000, "PCM_16")
    sf.write(root / "lossy.mp3", bursts(96_000).T, 44_100)
    (root / "empty.wav").write_bytes(b"")
    (root / "no sound.wav").write_bytes(b"no audio at all")
    (root / "short.wav").write_bytes((root / "mono.wav").read_bytes()[:60_000])
    return root


@pytest.fixture(scope="module")
def output(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a pass-through model makes of them: the same."""
    folder = tmp_path_factory.mktemp("output")
    run(recordings, folder)
    return folder
