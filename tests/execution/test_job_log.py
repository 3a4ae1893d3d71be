"""A log that is followed over connections that break."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from raypipe.errors import ClusterError
from raypipe.execution import job_log
from raypipe.execution.job_log import SeamlessLog, follow
from raypipe.execution.jobs_api import JobState, Unreachable

LOG = "first\nsecond\nthird\nfourth\n"
DONE = JobState("SUCCEEDED", 0, "")
RUNNING = JobState("RUNNING", None, "")


def test_nothing_is_said_twice_and_nothing_left_out() -> None:
    said: list[str] = []
    log = SeamlessLog(said.append)
    for pieces in ([LOG[:6], LOG[6:9]], [LOG[:3]], [LOG[:13]], [LOG]):
        log.begin()
        for piece in pieces:
            log.take(piece)
    assert "".join(said) == LOG
    assert all(said)


class Cluster:
    """Stands for `JobsApi`: what each connection brings, and what is answered in between."""

    def __init__(
        self, connections: list[tuple[str, Exception | None]], states: list[JobState | Exception]
    ) -> None:
        self._connections = iter(connections)
        self._states = iter(states)

    def client(self) -> Cluster:
        """Ray's own client."""
        return self

    async def tail_job_logs(self, name: str) -> AsyncIterator[str]:
        """One connection, in pieces of four signs."""
        text, error = next(self._connections)
        for start in range(0, len(text), 4):
            yield text[start : start + 4]
        if error is not None:
            raise error

    def state(self, name: str) -> JobState:
        """The next answer."""
        state = next(self._states)
        if isinstance(state, Exception):
            raise state
        return state


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Pauses that were made, without making them; the clock goes on with them."""
    made: list[float] = []
    clock = SimpleNamespace(sleep=made.append, monotonic=lambda: sum(made))
    monkeypatch.setattr(job_log, "time", clock)
    yield made


def followed(cluster: Any, write: Callable[[str], None]) -> JobState:
    return follow(cluster, "job", write)


def test_a_broken_connection_is_made_anew(pauses: list[float]) -> None:
    said: list[str] = []
    broken = RuntimeError("WebSocket connection closed unexpectedly with close code 1006")
    cluster = Cluster(
        [(LOG[:9], broken), (LOG[:7], None), ("", broken), (LOG, None)],
        [RUNNING, RUNNING, Unreachable("gone"), DONE],
    )
    assert followed(cluster, said.append) == DONE
    assert "".join(said) == LOG
    assert len(pauses) == 3


def test_what_a_broken_connection_kept_back_is_fetched_after_the_end(pauses: list[float]) -> None:
    said: list[str] = []
    cluster = Cluster([(LOG[:9], OSError("reset")), (LOG, None)], [DONE, DONE])
    assert followed(cluster, said.append) == DONE
    assert "".join(said) == LOG


def test_an_ended_job_whose_log_is_lost_is_not_followed_for_ever(pauses: list[float]) -> None:
    broken = OSError("reset")
    cluster = Cluster([("", broken), ("", broken)], [DONE, DONE])
    assert followed(cluster, lambda text: None) == DONE


def test_a_lost_cluster_is_given_up(pauses: list[float]) -> None:
    gone = Unreachable("no Ray dashboard can be reached at http://head:8265: timed out")
    cluster = Cluster([("", OSError("gone"))] * 100, [RUNNING, *[gone] * 99])
    with pytest.raises(ClusterError, match=r"http://head:8265: timed out; the job may still run$"):
        followed(cluster, lambda text: None)
    assert job_log.PATIENCE_S < sum(pauses) < job_log.PATIENCE_S + 3 * job_log.LONGEST_PAUSE_S


def test_a_connection_that_says_nothing_is_given_up(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    class Silent(Cluster):
        async def tail_job_logs(self, name: str) -> AsyncIterator[str]:
            text, error = next(self._connections)
            if error is not None:
                await asyncio.sleep(60)
            yield text

    monkeypatch.setattr(job_log, "QUIET_S", 0.05)
    said: list[str] = []
    silence = OSError("stands for silence")
    assert followed(Silent([("", silence), (LOG, None)], [RUNNING, DONE]), said.append) == DONE
    assert "".join(said) == LOG
