"""What all tests share: one Ray for the whole session, and a look at what tests leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.stores import s3, s3_server

__all__ = ["s3", "s3_server"]  # fixtures that all folders use

# Where nobody can look at once, the same examples every time; elsewhere, new ones each time. How
# long one takes says how busy the machine is, and nothing else.
settings.register_profile("ci", derandomize=True, print_blob=True, deadline=None)
settings.register_profile("desk", print_blob=True, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A local Ray with three CPUs; runs attach to it, so that tests do not pay its start."""
    ray = pytest.importorskip("ray")
    from raypipe.execution.cluster import ray_session

    with ray_session(None, 3):
        yield
    assert not ray.is_initialized()


@pytest.fixture(scope="session", autouse=True)
def nothing_is_kept_at_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Measurements and pulled models of the tests must neither use nor change the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session", autouse=True)
def machine_is_tested_with_a_model_that_changes_nothing() -> Iterator[None]:
    """Where a test names no model, it looks at everything else; also in processes that it starts.

    What users get without naming one is for the tests of the default to see: `default_model`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYPIPE_MODEL", "passthrough")
        yield


@pytest.fixture
def default_model(environment_stays_as_it_was: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model that a user gets who names none."""
    monkeypatch.delenv("RAYPIPE_MODEL")


@pytest.fixture(autouse=True)
def environment_stays_as_it_was() -> Iterator[None]:
    """A setting that leaks from one test into the next hides what the next one shows."""
    before = {k: v for k, v in os.environ.items() if k.startswith("RAYPIPE_")}
    yield
    assert {k: v for k, v in os.environ.items() if k.startswith("RAYPIPE_")} == before


@pytest.fixture
def odd() -> Path:
    """Strange and broken files from the test suites of audio libraries."""
    folder = SHARED / "odd"
    if not folder.is_dir():
        pytest.skip("the collection of odd files is not beside this checkout")
    return folder
