"""Ray's Jobs API: submit, look, stop; every refusal one sentence.

Comes in: the address of a cluster's dashboard. Goes out: a job's id, what became
of it, or a `UsageError` (nothing was done) or `ClusterError` (it was lost). The
packing and sending of a job is left to Ray's own client; looking and stopping
are plain HTTP with time limits, which that client does not have. The token is
shown only to a server that asks for one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raypipe.errors import ClusterError, RaypipeError, UsageError
from raypipe.execution.auth import MODE, PLACES, find_token
from raypipe.storage import show

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
ADDRESS_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
"""Where Ray's own commands look; the first wins. They let them win over ``--address``, too."""

OLDEST_RAY = (2, 60)
"""As in pyproject.toml: what runs on the cluster is raypipe."""

ANSWER_S = 20.0
"""Longest wait for one answer."""

CLIENT_LOGGERS = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    "ray._private.runtime_env.packaging",
)
"""They say on the terminal what raypipe says itself."""


@dataclass(frozen=True, slots=True)
class JobState:
    """What the cluster says of a job."""

    status: str
    """``PENDING``, ``RUNNING``, ``STOPPED``, ``SUCCEEDED`` or ``FAILED``."""
    exit_code: int | None
    """Of its entry point; None where that did not end, or never began."""
    message: str
    """The cluster's words for it."""
    command: str = ""
    """Of raypipe; nothing where it was not submitted by that."""

    @property
    def ended(self) -> bool:
        """True once nothing more will happen."""
        return self.status in ("STOPPED", "SUCCEEDED", "FAILED")


class Unreachable(ClusterError):
    """Nobody answers; while a job is followed, one may again."""


def jobs_address(given: str | None, environment: Mapping[str, str] | None = None) -> str:
    """The address of the Jobs API: as given, else from Ray's variables, else this machine's.

    Raises
    ------
    UsageError
        If it is no address of a dashboard.
    """
    environment = os.environ if environment is None else environment
    address, origin = given, "--address"
    for name in ADDRESS_VARIABLES:
        text = environment.get(name, "")
        # RAY_ADDRESS may also hold the address that ray.init wants.
        if address is None and (text.startswith("http") or (text and name == ADDRESS_VARIABLES[0])):
            address, origin = text, name
    address = address or DEFAULT_ADDRESS
    if "://" not in address:
        address = f"http://{address}"
    parts = urllib.parse.urlsplit(address)
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"{origin} must not hold a name or password; Ray's token is found by itself"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.hostname == "auto":
        raise UsageError(
            f"{origin} {show(address)}: wanted is the address of the cluster's dashboard, "
            "such as http://HEAD:8265"
        )
    return address.rstrip("/")


class JobsApi:
    """A cluster's Jobs API.

    Parameters
    ----------
    address : str
        As `jobs_address` gives it.

    Raises
    ------
    UsageError
        If nobody answers there, what answers is no Ray or one that is too old, or it wants a
        token that is missing or wrong.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._headers: dict[str, str] = {}
        try:
            self.ray_version = self._meet()
        except Unreachable as error:
            raise UsageError(str(error)) from error

    def submit(
        self,
        entrypoint: str,
        *,
        submission_id: str,
        runtime_env: dict[str, Any],
        metadata: dict[str, str],
    ) -> None:
        """Upload what the runtime environment needs, and start the job.

        Raises
        ------
        UsageError
            If the cluster refuses it.
        Unreachable
            If the connection broke; the job may have started.
        """
        with self._client() as client:
            client.submit_job(
                entrypoint=entrypoint,
                submission_id=submission_id,
                runtime_env=runtime_env,
                metadata=metadata,
            )

    def state(self, submission_id: str) -> JobState:
        """What the cluster says of a job; raises as `submit` does."""
        facts = self._ask("GET", _path(submission_id))
        return JobState(
            str(facts.get("status")),
            facts.get("driver_exit_code"),
            str(facts.get("message") or ""),
            str((facts.get("metadata") or {}).get("command", "")),
        )

    def stop(self, submission_id: str) -> bool:
        """Ask a job to end; False if it had ended already. Raises as `submit` does."""
        return bool(self._ask("POST", _path(submission_id) + "/stop").get("stopped"))

    @contextlib.contextmanager
    def _client(self) -> Iterator[JobSubmissionClient]:
        """Ray's own client, whose errors leave the ``with`` block as ours."""
        import requests
        from ray.exceptions import AuthenticationError

        try:
            yield self.client()
        except AuthenticationError as error:
            raise UsageError(self._refused(401)) from error
        except (requests.exceptions.RequestException, ConnectionError) as error:
            raise Unreachable(self._no_answer("the connection broke")) from error
        except (RuntimeError, ValueError) as error:
            raise UsageError(f"{self.address} refuses the job: {_last_line(error)}") from error

    def client(self) -> JobSubmissionClient:
        """Ray's own client for this address."""
        from ray.job_submission import JobSubmissionClient

        for name in CLIENT_LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        with _without(ADDRESS_VARIABLES):
            return JobSubmissionClient(self.address, headers=dict(self._headers))

    def _meet(self) -> str:
        """See who is there; the version of its Ray."""
        try:
            facts = self._ask("GET", "/api/version")
        except _TokenWanted as error:
            token = None if self._mode_is_off() else find_token()
            if token is None:
                raise UsageError(self._refused(401)) from error
            self._headers = token.header
            try:
                facts = self._ask("GET", "/api/version")
            except _TokenWanted as again:
                raise UsageError(
                    f"{self.address} does not accept the token from {token.origin}; "
                    "wanted is the one that the cluster was started with"
                ) from again
        version = str(facts.get("ray_version", ""))
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is None:
            raise UsageError(self._no_ray())
        if (int(numbers[1]), int(numbers[2])) < OLDEST_RAY:
            oldest = ".".join(map(str, OLDEST_RAY))
            raise UsageError(
                f"{self.address} runs Ray {show(version)}; raypipe needs Ray {oldest} or newer"
            )
        return version

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        """One request; the JSON object that comes back."""
        request = urllib.request.Request(  # noqa: S310 - `jobs_address` lets only http(s) pass
            self.address + path, method=method, headers=self._headers
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
                facts = json.load(answer)
        except urllib.error.HTTPError as error:
            raise self._http_error(error, path) from error
        except urllib.error.URLError as error:
            cause = getattr(error.reason, "strerror", None) or str(error.reason)
            raise Unreachable(self._no_answer(cause)) from error
        except http.client.HTTPException as error:
            raise UsageError(self._no_ray()) from error
        except ValueError as error:
            raise UsageError(self._no_ray()) from error
        except OSError as error:
            raise Unreachable(self._no_answer(error.strerror or str(error))) from error
        if not isinstance(facts, dict):
            raise UsageError(self._no_ray())
        return facts

    def _http_error(self, error: urllib.error.HTTPError, path: str) -> RaypipeError:
        with error:
            said = error.read(65536).decode("utf-8", "replace")
        if error.code in (401, 403):
            return _TokenWanted(self._refused(error.code))
        if error.code == 404 and path.startswith("/api/jobs/"):
            name = urllib.parse.unquote(path.split("/")[3])
            return UsageError(f"{self.address} has no job {show(name)}")
        if error.code == 404:
            return UsageError(self._no_ray())
        if error.code >= 500:
            return Unreachable(self._no_answer(f"it says {error.code}, {_last_line(said)}"))
        return UsageError(f"{self.address} says {error.code}, {_last_line(said)}")

    def _refused(self, code: int) -> str:
        if code == 403:
            return f"{self.address} does not accept the token"
        if self._mode_is_off():
            return f"{self.address} wants a token, but {MODE} is {os.environ[MODE]!r} in this shell"
        return f"{self.address} wants a token, and none was found in {PLACES}"

    def _mode_is_off(self) -> bool:
        return os.environ.get(MODE, "token").lower() != "token"

    def _no_answer(self, cause: str) -> str:
        return f"no Ray dashboard can be reached at {self.address}: {cause}"

    def _no_ray(self) -> str:
        return (
            f"{self.address} is not a Ray dashboard, which stands at port 8265 of the head node "
            "unless it was started otherwise"
        )


class _TokenWanted(UsageError):
    """401 or 403."""


def _path(submission_id: str) -> str:
    return "/api/jobs/" + urllib.parse.quote(submission_id, safe="")


@contextlib.contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    """Hide variables that Ray's client would let win over the address that it is given."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _last_line(said: object) -> str:
    """Of a traceback, the line that says what was wrong."""
    lines = [line for line in (line.strip(" .") for line in str(said).splitlines()) if line]
    return show(re.sub(r"^[\w.]+(Error|Exception): ", "", lines[-1])) if lines else "nothing more"
