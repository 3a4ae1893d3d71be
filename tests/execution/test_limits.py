"""Open files: as many as the system allows, asked for once and without complaint."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from raypipe.execution.limits import MANY_FILES, allow_many_files


@pytest.fixture
def few_files() -> Iterator[int]:
    """A soft limit as macOS has it; the hard one, which it gives."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 512:
        pytest.skip("this process may not open more files anyway")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_what_is_allowed(few_files: int) -> None:
    allow_many_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == few_files
    assert soft == (MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, MANY_FILES))


def test_a_limit_that_is_high_already_is_left(few_files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (few_files, few_files))
    allow_many_files()
    allow_many_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (few_files, few_files)


def test_a_system_that_refuses_is_no_matter(
    few_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    with monkeypatch.context() as patched:
        patched.setattr(resource, "setrlimit", refuse)
        allow_many_files()
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
