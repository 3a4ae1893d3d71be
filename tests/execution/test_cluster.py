"""Which Ray a run gets, and what it says where there is none."""

from __future__ import annotations

import signal
import socket
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from raypipe.errors import UsageError  # noqa: E402
from raypipe.execution.cluster import ray_session  # noqa: E402


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Calls of `ray.init`, which starts nothing here; an entry without arguments is a shutdown."""
    made: list[dict[str, Any]] = []
    for name in (
        "USAGE_STATS_ENABLED",
        "IGNORE_UNHANDLED_ERRORS",
        "ACCEL_ENV_VAR_OVERRIDE_ON_ZERO",
    ):
        monkeypatch.setenv(f"RAY_{name}", "1")
    monkeypatch.setattr("raypipe.execution.cluster.use_token", lambda address: None)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **given: made.append(given))
    monkeypatch.setattr(ray, "shutdown", lambda: made.append({}))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 5.0})
    return made


def test_without_an_address_a_ray_of_our_own_comes_and_goes(calls: list[dict[str, Any]]) -> None:
    with ray_session(None, 2) as ours:
        assert ours
        (begun,) = calls
        assert begun["address"] == "local", "never whatever a stale file names"
        assert begun["num_cpus"] >= 2
    assert calls[1:] == [{}]


def test_with_an_address_nothing_but_that_is_attached_to(calls: list[dict[str, Any]]) -> None:
    with ray_session("10.0.0.1:6379", 2) as ours:
        assert not ours
        assert [call["address"] for call in calls] == ["10.0.0.1:6379"]
        assert "num_cpus" not in calls[0]
    assert calls[1:] == [{}]


def test_a_ray_that_is_there_already_stays(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    with ray_session(None, 2):
        pass
    assert calls == []


@pytest.mark.parametrize("error", [ConnectionError("no answer\nmore"), ValueError("no answer")])
def test_an_address_without_a_ray_is_the_users_to_mend(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(**given: Any) -> None:
        raise error

    monkeypatch.setattr(ray, "init", refuse)
    wanted = r"^no Ray cluster can be reached at 10\.0\.0\.1:6379: no answer$"
    with pytest.raises(UsageError, match=wanted), ray_session("10.0.0.1:6379", 2):
        pass


def test_a_run_that_fails_gives_its_ray_back(calls: list[dict[str, Any]]) -> None:
    with pytest.raises(ZeroDivisionError), ray_session(None, 1):
        print(1 // 0)
    assert calls[1:] == [{}]


def test_our_own_answer_to_being_ended_stays(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_handler(**given: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def ours(number: int, frame: Any) -> None:
        pass

    monkeypatch.setattr(ray, "init", with_a_handler)
    before = signal.signal(signal.SIGTERM, ours)
    try:
        with ray_session(None, 1):
            assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, before)


def test_ray_client_is_not_for_runs(calls: list[dict[str, Any]]) -> None:
    wanted = r"^ray://10\.0\.0\.1:10001: is an address of Ray Client, .* or submit a job$"
    with pytest.raises(UsageError, match=wanted), ray_session("ray://10.0.0.1:10001", 2):
        pass
    assert calls == []


def test_inside_a_job_the_jobs_own_cluster_is_knocked_at(
    calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed.getsockname()[1]}")
        wanted = "^no Ray cluster can be reached at 127.0.0.1:[0-9]+: "
        with pytest.raises(UsageError, match=wanted), ray_session("auto", 2):
            pass
    assert calls == []
