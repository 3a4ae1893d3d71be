"""What a store's errors mean, how long a call is tried, and what is said of it."""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import Any

import pytest

from raypipe.errors import StorageError, UsageError
from raypipe.storage import retry
from raypipe.storage.retry import Retrier
from raypipe.storage.troubles import ShortAnswer, Trouble, trouble_of, words_of

SECRET = "AKIA-SECRET"


def client_error(code: str, status: int) -> Exception:
    exceptions = pytest.importorskip("botocore.exceptions")
    error: Exception = exceptions.ClientError(
        {"Error": {"Code": code, "Message": SECRET},
         "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject",
    )  # fmt: skip
    return error


def translated(code: str, status: int) -> Exception:
    """As s3fs raises it."""
    errors = pytest.importorskip("s3fs.errors")
    error: Exception = errors.translate_boto_error(client_error(code, status))
    return error


def web_error(status: int) -> Exception:
    aiohttp = pytest.importorskip("aiohttp")
    error: Exception = aiohttp.ClientResponseError(None, (), status=status, message=SECRET)
    return error


def google_error(status: int) -> Exception:
    retries = pytest.importorskip("gcsfs.retry")
    error: Exception = retries.HttpError({"code": status, "message": SECRET})
    return error


def azure_error(status: int) -> Exception:
    exceptions = pytest.importorskip("azure.core.exceptions")
    error: Exception = exceptions.HttpResponseError(SECRET)
    error.status_code = status  # type: ignore[attr-defined]
    return error


def not_found_made_of(inner: Exception) -> Exception:
    """fsspec's HTTP file system says so of everything."""
    error = FileNotFoundError(SECRET)
    error.__cause__ = inner
    return error


def botos(name: str, **fields: Any) -> Exception:
    exceptions = pytest.importorskip("botocore.exceptions")
    error: Exception = getattr(exceptions, name)(**fields)
    return error


def unconnected() -> Exception:
    """As aiobotocore raises it, from asyncio's own, which knows no more than that time is up."""
    error = botos("ConnectTimeoutError", endpoint_url=SECRET)
    error.__cause__ = asyncio.TimeoutError()
    return error


CASES = {
    "throttled": (lambda: translated("SlowDown", 503), Trouble.AGAIN, "SlowDown (HTTP 503)"),
    "busy": (lambda: translated("InternalError", 500), Trouble.AGAIN, "InternalError (HTTP 500)"),
    "too many": (lambda: client_error("TooMany", 429), Trouble.AGAIN, "TooMany (HTTP 429)"),
    "no object": (lambda: translated("NoSuchKey", 404), Trouble.GONE, "NoSuchKey (HTTP 404)"),
    "head": (lambda: translated("404", 404), Trouble.GONE, "HTTP 404"),
    "no bucket": (lambda: translated("NoSuchBucket", 404), Trouble.NO_BUCKET, "NoSuchBucket"),
    "denied": (lambda: translated("AccessDenied", 403), Trouble.DENIED, "AccessDenied"),
    "bad key": (lambda: translated("InvalidAccessKeyId", 403), Trouble.CREDENTIALS, "InvalidAcc"),
    "old token": (lambda: translated("ExpiredToken", 400), Trouble.CREDENTIALS, "ExpiredToken"),
    "taken": (lambda: translated("PreconditionFailed", 412), Trouble.CONDITION, "Precondition"),
    "refused": (lambda: translated("InvalidStorageClass", 400), Trouble.OTHER, "InvalidStorage"),
    "no keys": (lambda: botos("NoCredentialsError"), Trouble.CREDENTIALS, "NoCredentials"),
    "no server": (lambda: botos("EndpointConnectionError", endpoint_url=SECRET), Trouble.AGAIN,
                  "no connection to the endpoint"),
    "late": (lambda: botos("ReadTimeoutError", endpoint_url=SECRET), Trouble.AGAIN, "no answer"),
    "cut": (lambda: ShortAnswer(), Trouble.AGAIN, "the answer broke off"),
    "reset": (lambda: ConnectionResetError(), Trouble.AGAIN, "the connection was reset"),
    "no way": (lambda: unconnected(), Trouble.AGAIN, "no connection in time"),
    "timeout": (lambda: asyncio.TimeoutError(), Trouble.AGAIN, "no answer in time"),
    "web 503": (lambda: not_found_made_of(web_error(503)), Trouble.AGAIN, "HTTP 503"),
    "web 404": (lambda: not_found_made_of(web_error(404)), Trouble.GONE, "HTTP 404"),
    "web 403": (lambda: web_error(403), Trouble.DENIED, "HTTP 403"),
    "google 503": (lambda: google_error(503), Trouble.AGAIN, "HTTP 503"),
    "google 401": (lambda: google_error(401), Trouble.CREDENTIALS, "HTTP 401"),
    "azure 503": (lambda: azure_error(503), Trouble.AGAIN, "HTTP 503"),
    "azure 409": (lambda: azure_error(409), Trouble.CONDITION, "HTTP 409"),
    "gone": (lambda: FileNotFoundError("b/a"), Trouble.GONE, "FileNotFoundError"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_errors_of_every_library_are_understood_and_their_texts_kept_away(case: str) -> None:
    make, trouble, words = CASES[case]
    error = make()
    assert trouble_of(error) is trouble
    assert words_of(error).startswith(words)
    assert SECRET not in words_of(error)


def test_a_bug_is_no_trouble() -> None:
    for error in (TypeError("x"), AssertionError("x"), KeyError("x")):
        assert trouble_of(error) is None
        with pytest.raises(type(error)):
            Retrier()(lambda e=error: _raise(e), "s3://b/a", "read")  # type: ignore[misc]


def _raise(error: Exception) -> None:
    raise error


def failing(times: int, error: Exception) -> Any:
    left = [times]

    def work() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return "done"

    return work


def test_a_call_is_made_again_until_it_goes_well_and_said_so_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    tried = Retrier()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert tried(failing(4, translated("SlowDown", 503)), "s3://b/a", "read") == "done"
    assert [r.getMessage() for r in caplog.records] == [
        "s3://b: SlowDown (HTTP 503); trying again, for up to 60 s"
    ]


def test_it_is_not_made_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PATIENCE_S", 0.2)
    with pytest.raises(StorageError, match=r"^s3://b/a: cannot read: SlowDown \(HTTP 503\), for 0"):
        Retrier()(failing(10**6, translated("SlowDown", 503)), "s3://b/a", "read")


def test_nobody_waits_long_for_a_server_that_never_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "UNKNOWN_PATIENCE_S", 0.1)
    error = botos("EndpointConnectionError", endpoint_url="http://x")
    with pytest.raises(StorageError, match=r"no connection to the endpoint, for 0\.1 s"):
        Retrier()(failing(10**6, error), "s3://b/a", "read")
    known = Retrier()
    known(lambda: None, "s3://b/a", "read")
    assert known._patience_s(error) == retry.PATIENCE_S


def test_a_run_that_ends_does_not_wait_for_each_of_its_last_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "PATIENCE_S", 0.3)
    monkeypatch.setattr(retry, "GIVEN_UP_PATIENCE_S", 0.0)
    tried, error = Retrier(), translated("SlowDown", 503)
    for patience in ("0.3", "0"):
        with pytest.raises(StorageError, match=f"for {patience} s"):
            tried(failing(10**6, error), "s3://b/a", "read")
    tried(lambda: None, "s3://b/a", "read")
    assert tried._patience_s(error) == 0.3


@pytest.mark.parametrize(
    ("error", "wanted", "number"),
    [
        (lambda: translated("NoSuchKey", 404), FileNotFoundError, errno.ENOENT),
        (lambda: translated("AccessDenied", 403), PermissionError, errno.EACCES),
        (lambda: translated("PreconditionFailed", 412), FileExistsError, errno.EEXIST),
    ],
)
def test_what_is_one_objects_own_is_an_os_error(error: Any, wanted: Any, number: int) -> None:
    with pytest.raises(wanted) as found:
        Retrier()(failing(1, error()), "s3://b/a", "read")
    assert found.value.errno == number
    assert found.value.strerror


def test_a_patience_that_is_no_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("soon", "-1", "nan", "inf"):
        monkeypatch.setenv("RAYPIPE_STORAGE_PATIENCE_S", text)
        with pytest.raises(UsageError, match=f"found '{text}', wanted a time in seconds"):
            Retrier()
    monkeypatch.setenv("RAYPIPE_STORAGE_PATIENCE_S", "2.5")
    retrier = Retrier()
    retrier._answered = True
    assert retrier._patience_s(TimeoutError()) == 2.5
