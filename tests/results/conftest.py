"""An output folder that a run holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raypipe.storage import LocalHold, LocalPlace


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LocalPlace]:
    with LocalHold(str(tmp_path / "out")) as held:
        yield held
