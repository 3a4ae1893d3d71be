"""Numbers as people read them."""

from __future__ import annotations

import pytest

from raypipe.cli.words import clock, counted, gigabytes


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "0:10"), (59.4, "0:59"),
        (59.6, "1:00"), (61, "1:01"), (3599.6, "1:00:00"), (360_000, "100:00:00"),
    ],
)  # fmt: skip
def test_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 kB"), (5400, "5 kB"), (3_400_000, "3.4 MB"), (1_250_000_000_000, "1250.0 GB")],
)
def test_bytes(size: int, text: str) -> None:
    assert gigabytes(size) == text


def test_counts() -> None:
    assert [counted(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
