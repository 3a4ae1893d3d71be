"""Ray's token: where it is found, and how this process is told to use it.

A Ray with token authentication answers nobody who does not show the token, and
since 2.60 local clusters have it on by themselves; yet a process shows it only
where ``RAY_AUTH_MODE`` is ``token``, which hardly a shell has set. So raypipe
looks in the three places in which Ray itself looks, in Ray's order, and sets
the mode in its own process: nothing on a command line, nothing in a log.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from raypipe.errors import UsageError
from raypipe.storage import show

MODE = "RAY_AUTH_MODE"
TEXT = "RAY_AUTH_TOKEN"
PATH = "RAY_AUTH_TOKEN_PATH"
HOME_PATH = "~/.ray/auth_token"

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


def use_token() -> Token | None:
    """Let Ray show the token from now on, in this process, if there is one.

    Where the user has set ``RAY_AUTH_MODE``, that stays as it is.

    Returns
    -------
    Token or None
        What will be shown.

    Raises
    ------
    UsageError
        See `find_token`.
    """
    mode = os.environ.get(MODE)
    if mode is not None and mode.lower() != "token":
        return None
    token = find_token()
    if token is None or mode is not None:
        return token
    from ray import _raylet

    if hasattr(_raylet, "AuthenticationTokenLoader"):  # Ray 2.52 and later
        os.environ[MODE] = "token"
        _raylet.Config.initialize("")  # Ray has read its settings when it was imported
    return token


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""
