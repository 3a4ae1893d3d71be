"""Ray's token: where it is found, and how this process is told to use it.

A Ray with token authentication answers nobody who does not show the token, and
since 2.60 local clusters have it on by themselves; yet a process shows it only
where ``RAY_AUTH_MODE`` is ``token``, which hardly a shell has set. So raypipe
asks the cluster, looks in the three places in which Ray itself looks, in Ray's
order, and sets the mode in its own process: nothing on a command line, nothing in
a log. Where the cluster wants none, the mode stays as it is: a driver that wants
tokens does not hear the workers of a cluster without.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from raypipe.errors import UsageError
from raypipe.storage import show

MODE = "RAY_AUTH_MODE"
TEXT = "RAY_AUTH_TOKEN"
PATH = "RAY_AUTH_TOKEN_PATH"
HOME_PATH = "~/.ray/auth_token"

ASK = "/ray.rpc.NodeInfoGcsService/CheckAlive"
"""The smallest of the cluster's services; it wants the token like all others."""
ASK_S = 5.0

PLACES = f"{TEXT}, {PATH}, {HOME_PATH}"


@dataclass(frozen=True, slots=True)
class Token:
    """A secret with the place it was found in; only the place can be printed."""

    text: str = field(repr=False)
    """The secret itself."""
    origin: str
    """For messages: which of the three places it came from."""

    @property
    def header(self) -> dict[str, str]:
        """As the Jobs API wants to be shown it."""
        return {"Authorization": f"Bearer {self.text}"}


def find_token(environment: Mapping[str, str] | None = None) -> Token | None:
    """The token that Ray would use; None where there is none.

    Parameters
    ----------
    environment : mapping, optional
        The process's own by default.

    Raises
    ------
    UsageError
        If ``RAY_AUTH_TOKEN_PATH`` names a file without a token in it.
    """
    environment = os.environ if environment is None else environment
    if text := environment.get(TEXT):
        return Token(text.strip(), TEXT) if text.strip() else None
    if path := environment.get(PATH):
        text = _read(path)
        if not text:
            raise UsageError(f"{PATH} names {show(path)}, which holds no token that can be read")
        return Token(text, f"{PATH} ({show(path)})")
    home = environment.get("HOME")
    text = _read(os.path.join(home, ".ray", "auth_token")) if home else ""
    return Token(text, HOME_PATH) if text else None


def use_token(address: str) -> None:
    """Let Ray show its token from now on, in this process, if the cluster wants one.

    Where the user, or the cluster that a job runs in, has set ``RAY_AUTH_MODE``, all is left to
    Ray.

    Parameters
    ----------
    address : str
        Host and port of the cluster's own service, 6379 mostly; nothing is done about others.

    Raises
    ------
    UsageError
        If the cluster wants a token, and there is none, or not this one.
    """
    if MODE in os.environ or _lets_in(address, None):
        return
    token = find_token()
    if token is None:
        raise UsageError(f"the cluster at {address} wants a token, and none was found in {PLACES}")
    if not _lets_in(address, token):
        raise UsageError(
            f"the cluster at {address} does not accept the token from {token.origin}; "
            "wanted is the one that it was started with"
        )
    from ray import _raylet

    os.environ[MODE] = "token"
    # Ray has read its settings when it was imported.
    _raylet.Config.initialize("")  # type: ignore[attr-defined]


def _lets_in(address: str, token: Token | None) -> bool:
    """False if the cluster says that it wants a token, or another one."""
    if not re.fullmatch(r"[^/]+:\d+", address):
        return True  # "auto": Ray knows where to look, and what to do there
    import grpc  # type: ignore[import-untyped]  # what Ray's own processes speak

    shown = [(name.lower(), text) for name, text in token.header.items()] if token else []
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(ASK)(b"", timeout=ASK_S, metadata=shown)
        except grpc.RpcError as error:
            return bool(error.code() != grpc.StatusCode.UNAUTHENTICATED)
    return True


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""
