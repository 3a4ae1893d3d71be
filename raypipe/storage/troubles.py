"""What a store's errors mean: every library has its own, raypipe needs six words.

Comes in: whatever s3fs, gcsfs, adlfs or aiohttp raised. Goes out: a `Trouble`,
and a few words for a person that never hold a key or a token. The libraries wrap
one error into another, so the innermost one that says something counts: a "file
not found" that was made of a 503 is a 503.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any


class Trouble(enum.Enum):
    """What can be done about it."""

    AGAIN = "again"
    """Throttled, busy or cut off: the same call may go well in a while."""
    GONE = "gone"
    """There is no such object."""
    NO_BUCKET = "no bucket"
    """Nor is there such a bucket."""
    DENIED = "denied"
    """These credentials may not do that here."""
    CREDENTIALS = "credentials"
    """There are none, or they are wrong or too old."""
    CONDITION = "condition"
    """It is not, or no longer, as the call wanted it to be."""
    NO_RANGE = "no range"
    """There are no such bytes in it."""
    OTHER = "other"
    """The store refuses for good."""


_BY_STATUS = {
    401: Trouble.CREDENTIALS, 403: Trouble.DENIED, 404: Trouble.GONE, 408: Trouble.AGAIN,
    409: Trouble.CONDITION, 410: Trouble.GONE, 412: Trouble.CONDITION,
    416: Trouble.NO_RANGE, 425: Trouble.AGAIN, 429: Trouble.AGAIN, 500: Trouble.AGAIN,
    502: Trouble.AGAIN, 503: Trouble.AGAIN, 504: Trouble.AGAIN,
}  # fmt: skip
_BY_CODE = {
    "NoSuchBucket": Trouble.NO_BUCKET,
    "NoSuchKey": Trouble.GONE,
    "NoSuchUpload": Trouble.GONE,
    "InvalidRange": Trouble.NO_RANGE,
    "AccessDenied": Trouble.DENIED,
    "InvalidAccessKeyId": Trouble.CREDENTIALS,
    "SignatureDoesNotMatch": Trouble.CREDENTIALS,
    "AuthorizationHeaderMalformed": Trouble.CREDENTIALS,
    "ExpiredToken": Trouble.CREDENTIALS,
    "InvalidToken": Trouble.CREDENTIALS,
    "TokenRefreshRequired": Trouble.CREDENTIALS,
    "RequestTimeTooSkewed": Trouble.CREDENTIALS,
    "SlowDown": Trouble.AGAIN,
    "ServiceUnavailable": Trouble.AGAIN,
    "InternalError": Trouble.AGAIN,
    "RequestTimeout": Trouble.AGAIN,
    "Throttling": Trouble.AGAIN,
    "XAmzContentSHA256Mismatch": Trouble.AGAIN,
    "IncompleteBody": Trouble.AGAIN,
    "BadDigest": Trouble.AGAIN,
    "PreconditionFailed": Trouble.CONDITION,
    "ConditionalRequestConflict": Trouble.CONDITION,
}
"""S3's own codes say more than the HTTP status."""

_CREDENTIALS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
     "TokenRetrievalError", "SSOTokenLoadError", "UnauthorizedSSOTokenError",
     "DefaultCredentialsError", "RefreshError", "ClientAuthenticationError"}
)  # fmt: skip
_NETWORK = {
    "EndpointConnectionError": "no connection to the endpoint",
    "ClientConnectorError": "no connection to the server",
    "ClientConnectorDNSError": "the server's name is unknown",
    "ConnectTimeoutError": "no connection in time",
    "ConnectionTimeoutError": "no connection in time",
    "ReadTimeoutError": "no answer in time",
    "AioReadTimeoutError": "no answer in time",
    "ServerTimeoutError": "no answer in time",
    "SocketTimeoutError": "no answer in time",
    "FSTimeoutError": "no answer in time",
    "TimeoutError": "no answer in time",
    "ConnectionClosedError": "the connection was closed",
    "HTTPClientError": "the connection broke",
    "ProxyConnectionError": "no connection to the proxy",
    "ResponseStreamingError": "the answer broke off",
    "IncompleteReadError": "the answer broke off",
    "IncompleteRead": "the answer broke off",
    "ClientPayloadError": "the answer broke off",
    "ShortAnswer": "the answer broke off",
    "ServerDisconnectedError": "the server closed the connection",
    "ClientOSError": "the connection broke",
    "ClientConnectionError": "the connection broke",
    "ConnectionResetError": "the connection was reset",
    "ConnectionAbortedError": "the connection was reset",
    "BrokenPipeError": "the connection was reset",
    "ConnectionRefusedError": "the connection was refused",
    "ResponseParserError": "the answer makes no sense",
    "ServiceRequestError": "no connection to the server",
    "ServiceResponseError": "the answer broke off",
    "TransportError": "the connection broke",
}
"""Errors by the names of their classes: the packages need not be there to be known."""

_REFUSALS = ("botocore", "aiobotocore", "aiohttp", "azure", "google", "gcsfs", "adlfs", "s3fs")


class ShortAnswer(OSError):
    """Fewer bytes came than the store had promised."""


def trouble_of(error: BaseException) -> Trouble | None:
    """What an error means; None where it is no store's, but a bug of somebody's."""
    known = False
    for each in _innermost_first(error):
        names = {cls.__name__ for cls in type(each).__mro__}
        code, status = _code_of(each), _status_of(each)
        if code in _BY_CODE:
            return _BY_CODE[code]
        if names & _CREDENTIALS:
            return Trouble.CREDENTIALS
        if status in _BY_STATUS:
            return _BY_STATUS[status]
        if names & _NETWORK.keys():
            return Trouble.AGAIN
        if isinstance(each, FileExistsError):
            return Trouble.CONDITION
        known = known or isinstance(each, OSError) or _is_a_librarys(each)
    if isinstance(error, FileNotFoundError):
        return Trouble.GONE
    if isinstance(error, PermissionError):
        return Trouble.DENIED
    return Trouble.OTHER if known else None


def words_of(error: BaseException) -> str:
    """What happened, without anything that a server or a library has put into its message."""
    vague = ""
    for each in _innermost_first(error):
        code, status = _code_of(each), _status_of(each)
        if code and code != str(status):
            return f"{code} (HTTP {status})" if status else code
        if status:
            return f"HTTP {status}"
        if type(each).__name__ == "TimeoutError":
            vague = _NETWORK["TimeoutError"]  # for what it waited, an outer error may know
            continue
        for cls in type(each).__mro__:
            if cls.__name__ in _NETWORK:
                return _NETWORK[cls.__name__]
    if vague:
        return vague
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def is_unreachable(error: BaseException) -> bool:
    """True where nobody answered at all: an address that is wrong looks like this, too."""
    return not any(_status_of(each) or _code_of(each) for each in _innermost_first(error))


def _innermost_first(error: BaseException) -> Iterator[BaseException]:
    chain = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) and inner not in chain:
        chain.append(inner)
    return reversed(chain)


def _code_of(error: BaseException) -> str:
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return ""


def _status_of(error: BaseException) -> int:
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return 0


def _is_a_librarys(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in _REFUSALS
