"""Ctrl-C and SIGTERM, on a real process at a real terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from raypipe.cli.interrupts import INTERRUPTED, interrupts_heard
from raypipe.inference.lanes import Block, LaneModel
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.types import State
from tests.cli.conftest import Raypipe, tree
from tests.signals import noise

ROOT = Path(__file__).resolve().parents[2]
FILES = 12
SHOW_CURSOR = "\x1b[?25h"


@pytest.fixture
def long_job(tmp_path: Path) -> Path:
    """Files that take some seconds with the slow model of this module."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(FILES):
        sf.write(folder / f"{number:02}.wav", noise(16_000, seed=number).T, 16_000, "FLOAT")
    return folder


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *arguments: str | Path) -> None:
        ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from raypipe.cli import main; main()", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"},
            stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        )  # fmt: skip
        os.close(theirs)
        self._ours = ours
        self.text = ""

    def read_until(self, words: str, limit_s: float = 20) -> None:
        """Read on until these words have come."""
        end_s = time.monotonic() + limit_s
        while words not in self.text:
            assert time.monotonic() < end_s, f"{words!r} did not come: {self.text!r}"
            self.text += os.read(self._ours, 4096).decode()

    def read_all(self) -> int:
        """Read to the end; the exit code."""
        with contextlib.suppress(OSError):  # a terminal whose last user has left
            while data := os.read(self._ours, 4096):
                self.text += data.decode()
        os.close(self._ours)
        return self.process.wait(20)

    def kill(self) -> None:
        """End it, if it still runs."""
        self.process.kill()
        self.process.wait(20)


@pytest.fixture
def slow_run(long_job: Path, tmp_path: Path) -> Iterator[Terminal]:
    """A run that has done its first file and has more than a second to go."""
    terminal = Terminal(
        "enhance", long_job, tmp_path / "out", "-m", "python:tests.cli.test_interrupts:slow",
        "--executor", "inline", "--lanes", "1", "--segment", "1",
    )  # fmt: skip
    try:
        terminal.read_until("1 file")
        yield terminal
    finally:
        terminal.kill()


def slow(lanes: int) -> LaneModel:
    """The passthrough, a third of a second for each call."""
    model = load_lane_model(find_model("passthrough"), lanes)
    process = model.process

    def slowly(blocks: Sequence[Block], states: Sequence[State]) -> tuple[list[Block], list[State]]:
        time.sleep(0.3)
        return process(blocks, states)

    model.process = slowly  # type: ignore[method-assign]
    return model


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_in_order_and_the_next_run_goes_on(
    slow_run: Terminal, raypipe: Raypipe, long_job: Path, tmp_path: Path, number: int
) -> None:
    slow_run.process.send_signal(number)
    assert slow_run.read_all() == INTERRUPTED
    assert "raypipe: stopping; Ctrl-C again stops at once" in slow_run.text
    assert "so far: " in slow_run.text
    last = slow_run.text.replace("\r", "").splitlines()[-1]
    assert last == "raypipe: interrupted; run the same command again to go on"
    assert "Traceback" not in slow_run.text
    assert slow_run.text.rfind(SHOW_CURSOR) > slow_run.text.rfind("\x1b[?25l")
    out = tmp_path / "out"
    assert 0 < len(tree(out)) < FILES
    assert not list((out / ".raypipe" / "tmp").iterdir())
    for name in tree(out):
        assert np.array_equal(sf.read(out / name)[0], sf.read(long_job / name)[0])
    ran = raypipe("enhance", long_job, out, "--fresh", "-q")
    assert ran.code == 0
    assert len(tree(out)) == FILES


def test_the_second_signal_ends_it_at_once(slow_run: Terminal, tmp_path: Path) -> None:
    slow_run.process.send_signal(signal.SIGINT)
    slow_run.read_until("stopping")
    slow_run.process.send_signal(signal.SIGINT)
    assert slow_run.read_all() in (-signal.SIGINT, INTERRUPTED)
    assert "Traceback" not in slow_run.text
    assert slow_run.text.rfind(SHOW_CURSOR) > slow_run.text.rfind("\x1b[?25l")


def test_the_bar_shows_audio_speed_and_what_is_left(slow_run: Terminal) -> None:
    slow_run.read_until("x real time")
    slow_run.read_until("s left")
    slow_run.read_until(" of ")
    slow_run.read_until("━")


def test_signal_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupts_heard():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
