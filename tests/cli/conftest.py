"""The command as a person runs it: in this process, with what it printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile as sf

from raypipe.cli.entry import entry
from tests.signals import noise


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of the command."""

    code: int
    out: str
    err: str


Raypipe = Callable[..., Ran]


@pytest.fixture
def raypipe(capfd: pytest.CaptureFixture[str]) -> Raypipe:
    """``raypipe("enhance", IN, OUT)``; nothing that a user does may end in a traceback."""

    def run(*arguments: str | Path) -> Ran:
        capfd.readouterr()
        code = entry([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Ran(code, printed.out, printed.err)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three good files in a tree, and one that is no audio."""
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    sf.write(root / "a.wav", noise(8000).T, 16_000, "PCM_16")
    sf.write(root / "b.flac", noise(8000, 2).T, 16_000, "PCM_24")
    sf.write(root / "deep" / "c d.wav", noise(22_050).T, 44_100, "FLOAT")
    (root / "bad.wav").write_bytes(b"no audio at all")
    return root


def tree(root: Path) -> set[str]:
    """Names of the files below a folder, but for raypipe's own."""
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and ".raypipe" not in path.parts
    }
