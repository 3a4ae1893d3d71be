"""Getting a Ray: a local one of our own, the user's, or the one that is already there.

Nothing is left to Ray's guessing: without an address `ray.init` would attach to
whatever a stale address file names, and can hang.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RaySystemError, RpcError

from raypipe.errors import UsageError
from raypipe.execution.auth import use_token

CLIENT = "ray://"
"""Ray Client's kind of address."""

KNOCK_S = 5.0
"""Longest wait for a connection to a cluster."""

MEGABYTE = 1 << 20
STORE_BYTES_PER_WORKER = 512 * MEGABYTE
"""Two batches in flight, each about 60 MB in and out at 48 kHz, and as much again to spare."""


@contextmanager
def ray_session(
    address: str | None, workers: int, dashboard: Callable[[str], None] | None = None
) -> Iterator[bool]:
    """Be connected to Ray inside the ``with`` block; gives True where it is nobody else's.

    Parameters
    ----------
    address : str or None
        Cluster to attach to; None: a local Ray that lives as long as the block.
    workers : int
        CPUs of a local Ray.
    dashboard : callable, optional
        Is told where Ray's dashboard can be seen; a local Ray has one only for this, as it takes
        seconds to start.

    Raises
    ------
    UsageError
        If no Ray answers at `address`.
    """
    if ray.is_initialized():
        yield False
        return
    if address is not None and address.startswith(CLIENT):
        raise UsageError(
            f"{address}: is an address of Ray Client, through which no run can be driven; give a "
            "cluster's own address (HOST:6379, or auto) on one of its machines, or submit a job"
        )
    handler = signal.getsignal(signal.SIGTERM)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Answers that nobody waits for any more, once a run has ended early, are no news.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if address is None:
            session = ray.init(
                address="local",
                # Ray starts a process for each CPU beforehand: one more for the collector.
                num_cpus=workers + 1,
                include_dashboard=dashboard is not None,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=STORE_BYTES_PER_WORKER * min(workers, 8),
            )
        else:
            session = _attach(address)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own in its place
    if dashboard is not None and (url := getattr(session, "dashboard_url", None)):
        dashboard(url if "://" in url else f"http://{url}")
    try:
        yield address is None
    finally:
        ray.shutdown()


def _attach(address: str) -> Any:
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)  # as inside a job
    _knock(address)
    use_token(address)
    try:
        return ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RaySystemError, RpcError, ValueError, RuntimeError) as error:
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"no Ray cluster can be reached at {address}: {cause}") from error


def _knock(address: str) -> None:
    """See at once whether anybody listens; `ray.init` would try for minutes."""
    host, sign, port = address.rpartition(":")
    if not sign or not port.isdigit():
        return  # Ray knows where to look
    try:
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()
    except OSError as error:
        cause = error.strerror or str(error)
        raise UsageError(f"no Ray cluster can be reached at {address}: {cause}") from error
