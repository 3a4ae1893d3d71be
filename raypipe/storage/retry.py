"""Calls to a store that are made again while it is throttled, busy or cut off.

The libraries' own retries are switched off where that is possible, so that they
do not multiply with these. What is raised in the end is one of four: an
`OSError` that speaks of the one object (gone, denied, changed), and a
`StorageError` for everything that is not the object's fault.
"""

from __future__ import annotations

import errno
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from raypipe.errors import StorageError, UsageError
from raypipe.storage.paths import show
from raypipe.storage.troubles import Trouble, is_unreachable, trouble_of, words_of

Answer = TypeVar("Answer")

PATIENCE_S = 60.0
"""A call is tried for so long: throttling and restarts of a store's front are over by then."""

PATIENCE_VARIABLE = "RAYPIPE_STORAGE_PATIENCE_S"
"""Says otherwise."""

UNKNOWN_PATIENCE_S = 15.0
"""The same where nobody has ever answered there: most likely the address is wrong."""

GIVEN_UP_PATIENCE_S = 3.0
"""The same once a call was given up and none went well since: a run that ends waits no more."""

FIRST_WAIT_S = 0.2
"""Longest wait before the second try; doubles from there, and is chosen at random below that."""

LONGEST_WAIT_S = 8.0

QUIET_S = 60.0
"""Time between two lines about troubles with the same store."""

_log = logging.getLogger("raypipe.storage")


class Retrier:
    """Tries calls to one store; many threads may use it at once.

    Raises
    ------
    UsageError
        If `PATIENCE_VARIABLE` is set to what is no time.
    """

    def __init__(self) -> None:
        self._asked_s = _asked_patience_s()
        self._answered = self._given_up = False
        self._quiet_until_s = 0.0
        self._lock = threading.Lock()

    def __call__(self, work: Callable[[], Answer], address: str, doing: str) -> Answer:
        """Do it until it is done.

        Parameters
        ----------
        work : callable
            The call; may be made several times.
        address : str
            What it is about.
        doing : str
            The verb for an error's sentence.

        Raises
        ------
        FileNotFoundError, PermissionError
            If this one object is not there, or is kept from us.
        FileExistsError
            If it is not, or no longer, as the call wanted it to be.
        StorageError
            Otherwise.
        """
        begin_s = time.monotonic()
        wait_s = FIRST_WAIT_S
        while True:
            try:
                answer = work()
            except Exception as error:
                trouble = trouble_of(error)
                if trouble is None:
                    raise
                if trouble is not Trouble.AGAIN:
                    self._answered = True
                    raise _as_said(trouble, error, address, doing) from error
                patience_s = self._patience_s(error)
                pause_s = random.uniform(0, wait_s)  # noqa: S311 - no secret
                if time.monotonic() + pause_s > begin_s + patience_s:
                    self._given_up = True
                    raise StorageError(
                        f"{show(address)}: cannot {doing}: {words_of(error)}, for {patience_s:g} s"
                    ) from error
                self._say(error, address, patience_s)
            else:
                self._answered, self._given_up = True, False
                return answer
            time.sleep(pause_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _patience_s(self, error: Exception) -> float:
        longest_s = PATIENCE_S if self._asked_s is None else self._asked_s
        if self._given_up:
            return min(longest_s, GIVEN_UP_PATIENCE_S)
        unknown = not self._answered and is_unreachable(error)
        return min(longest_s, UNKNOWN_PATIENCE_S) if unknown else longest_s

    def _say(self, error: Exception, address: str, patience_s: float) -> None:
        with self._lock:
            now_s = time.monotonic()
            if now_s < self._quiet_until_s:
                return
            self._quiet_until_s = now_s + QUIET_S
        bucket = "/".join(show(address).split("/")[:3])
        _log.warning("%s: %s; trying again, for up to %g s", bucket, words_of(error), patience_s)


def _asked_patience_s() -> float | None:
    """What the environment says; None where it says nothing."""
    text = os.environ.get(PATIENCE_VARIABLE)
    if not text:
        return None
    try:
        asked_s = float(text)
    except ValueError:
        asked_s = -1.0
    if not 0 <= asked_s < float("inf"):
        raise UsageError(f"{PATIENCE_VARIABLE}: found '{text}', wanted a time in seconds")
    return asked_s


def _as_said(trouble: Trouble, error: Exception, address: str, doing: str) -> Exception:
    if trouble is Trouble.GONE:
        return FileNotFoundError(errno.ENOENT, "no such object")
    if trouble is Trouble.DENIED:
        return PermissionError(errno.EACCES, "access denied")
    if trouble is Trouble.CONDITION:
        return FileExistsError(errno.EEXIST, "it was changed meanwhile")
    if trouble is Trouble.NO_RANGE:
        return OSError(errno.ERANGE, "there are no such bytes in it")
    what = words_of(error)
    if trouble is Trouble.NO_BUCKET:
        return StorageError(f"{show(address)}: cannot {doing}: there is no such bucket")
    if trouble is Trouble.CREDENTIALS:
        return StorageError(
            f"{show(address)}: cannot {doing}: credentials are missing, wrong or too old: {what}"
        )
    return StorageError(f"{show(address)}: cannot {doing}: {what}")
