"""The chatter of C libraries stays off the terminal; Python's own words do not."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from raypipe.cli.quiet import c_libraries_silenced


@contextmanager
def real_stderr(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A ``sys.stderr`` on file descriptor 2, as it is outside of pytest."""
    with monkeypatch.context() as patch, open(2, "w", buffering=1, closefd=False) as stream:
        patch.setattr(sys, "stderr", stream)
        yield


def test_only_python_is_heard(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_stderr(monkeypatch):
        with c_libraries_silenced():
            os.write(2, b"chatter\n")
            print("words", file=sys.stderr)
        os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "words\nafterwards\n"


def test_everything_is_put_back_after_an_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with real_stderr(monkeypatch):
        before, open_files = sys.stderr, len(os.listdir("/proc/self/fd"))
        with pytest.raises(ZeroDivisionError), c_libraries_silenced():
            print("words \udcff", file=sys.stderr)
            print(1 // 0)
        assert sys.stderr is before
        assert len(os.listdir("/proc/self/fd")) == open_files
    assert capfd.readouterr().err == "words \\udcff\n"


def test_a_standard_error_that_is_no_file_is_left_alone(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = io.StringIO()
    monkeypatch.setattr(sys, "stderr", page)
    with c_libraries_silenced():
        os.write(2, b"chatter\n")
        print("words", file=sys.stderr)
    assert sys.stderr is page
    assert page.getvalue() == "words\n"
    assert capfd.readouterr().err == ""
