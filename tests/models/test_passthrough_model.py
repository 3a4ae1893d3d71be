"""The passthrough as a Keras model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.passthrough_model import FRAME, SAVED, build, save

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_model_gives_frames_back() -> None:
    pytest.importorskip("keras")
    frames = np.random.default_rng(0).uniform(-1, 1, (5, FRAME)).astype(np.float32)
    assert np.array_equal(build()(frames)["out"].numpy(), frames)


def test_saved_model_stands_where_it_was_put(tmp_path: Path) -> None:
    pytest.importorskip("keras")
    assert (save(tmp_path / "saved") / "saved_model.pb").is_file()


def test_it_is_saved_beside_its_source() -> None:
    assert SAVED.parents[1] == Path(sys.modules[build.__module__].__file__ or "").parent


def test_nothing_of_tensorflow_is_loaded_before_a_model_is_made() -> None:
    code = "import models.make_shipped, sys; print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
