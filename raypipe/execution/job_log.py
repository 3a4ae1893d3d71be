"""Following a job: its log as it comes, without a gap or a line twice, and its end.

The log comes over a WebSocket, which ends with the job, but also with a proxy's
patience or a lost network. Each new connection begins the log anew; what was
passed on already is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from raypipe.errors import ClusterError
from raypipe.execution.jobs_api import JobsApi, JobState, Unreachable

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

QUIET_S = 60.0
"""A connection that has said nothing for so long is given up: it may be dead, and the log of a
run has a line every ten seconds."""

PATIENCE_S = 300.0
"""A cluster that cannot be reached for so long is lost."""

LONGEST_PAUSE_S = 10.0


def follow(api: JobsApi, submission_id: str, write: Callable[[str], None]) -> JobState:
    """Pass on a job's log until it ends.

    Parameters
    ----------
    api : JobsApi
        The cluster.
    submission_id : str
        The job.
    write : callable
        Gets each new piece of the log; ends with the end of a line, mostly.

    Returns
    -------
    JobState
        How it ended.

    Raises
    ------
    UsageError
        If there is no such job, or the cluster does not let us in any more.
    ClusterError
        If the cluster cannot be reached for `PATIENCE_S`; the job may go on.
    """
    log = SeamlessLog(write)
    pause_s = 1.0
    heard_s = time.monotonic()
    had_ended = False
    while True:
        try:
            whole = _tail(api, submission_id, log)
            state = api.state(submission_id)
        except Unreachable as error:
            if time.monotonic() - heard_s > PATIENCE_S:
                raise ClusterError(f"{error}; the job may still run") from error
        else:
            if state.ended and (whole or had_ended):
                return state
            had_ended = state.ended  # once more, for what the broken connection did not bring
            heard_s = time.monotonic()
            pause_s = 1.0
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


class SeamlessLog:
    """Passes on a log that begins anew at each connection, nothing of it twice.

    Parameters
    ----------
    write : callable
        Gets what is new.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._passed_on = 0
        self._position = 0

    def begin(self) -> None:
        """A new connection: the log begins anew."""
        self._position = 0

    def take(self, text: str) -> None:
        """The next piece of this connection."""
        new = text[max(0, self._passed_on - self._position) :]
        self._position += len(text)
        if new:
            self._passed_on += len(new)
            self._write(new)


def _tail(api: JobsApi, submission_id: str, log: SeamlessLog) -> bool:
    """Follow one connection to its end; True if the server ended it in order."""
    import aiohttp

    try:
        return asyncio.run(_tail_client(api.client(), submission_id, log))
    except (aiohttp.ClientError, RuntimeError, OSError):
        return False  # `JobsApi.state` says what it is


async def _tail_client(client: JobSubmissionClient, submission_id: str, log: SeamlessLog) -> bool:
    log.begin()
    pieces = client.tail_job_logs(submission_id)
    try:
        while True:
            log.take(await asyncio.wait_for(anext(pieces), QUIET_S))
    except StopAsyncIteration:
        return True
    except asyncio.TimeoutError:
        return False
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]
