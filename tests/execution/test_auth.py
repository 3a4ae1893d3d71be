"""Where Ray's token is found, and that nobody sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from raypipe.errors import UsageError
from raypipe.execution.auth import MODE, PATH, TEXT, Token, find_token

pytest.importorskip("ray")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment whose home holds a token."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("  of-home \n\n")
    return {"HOME": str(tmp_path)}


def test_the_variable_wins_over_the_file_it_could_name_and_that_over_home(
    home: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("of-file\n")
    assert find_token(home) == Token("of-home", "~/.ray/auth_token")
    assert find_token(home | {PATH: str(file)}) == Token("of-file", f"{PATH} ({file})")
    everything = home | {PATH: str(file), TEXT: " of-variable\n"}
    assert find_token(everything) == Token("of-variable", TEXT)


def test_empty_variables_are_as_good_as_none(home: dict[str, str]) -> None:
    found = find_token(home | {TEXT: "", PATH: ""})
    assert found is not None
    assert found.text == "of-home"


def test_without_a_token_there_is_none(tmp_path: Path) -> None:
    assert find_token({"HOME": str(tmp_path)}) is None
    assert find_token({}) is None


@pytest.mark.parametrize("content", [None, "", " \n", b"\xff\xfe"])
def test_a_path_without_a_token_is_not_passed_over(
    home: dict[str, str], tmp_path: Path, content: str | bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(
        UsageError, match=r"RAY_AUTH_TOKEN_PATH names .*token, which holds no token"
    ):
        find_token(home | {PATH: str(file)})


def test_it_can_be_printed_without_being_told() -> None:
    token = Token("very-secret", "RAY_AUTH_TOKEN")
    assert "very-secret" not in repr(token) + str(token) + f"{token}"
    assert token.header == {"Authorization": "Bearer very-secret"}


RAYS_OWN = """
from ray._raylet import AuthenticationTokenLoader
loader = AuthenticationTokenLoader.instance()
has = loader.has_token(ignore_auth_mode=True)
print(loader.get_raw_token(ignore_auth_mode=True) if has else None)
"""


@pytest.mark.parametrize("given", [{}, {TEXT: " a\n"}, {TEXT: "  "}, {TEXT: ""}, {PATH: "token"},
                                   {PATH: "token", TEXT: "a"}, {PATH: ""}])  # fmt: skip
def test_ray_itself_finds_the_same(
    home: dict[str, str], tmp_path: Path, given: dict[str, str]
) -> None:
    (tmp_path / "token").write_text("of-file\n")
    env = home | {name: value.replace("token", str(tmp_path / "token")) if name == PATH else value
                  for name, value in given.items()}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", RAYS_OWN], env=env, capture_output=True, text=True, timeout=60
    )
    found = find_token(env)
    assert done.stdout.strip() == str(found.text if found else None)


USE_IT = """
import os, sys
import ray  # it reads its settings now; the mode comes later
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from raypipe.execution.auth import use_token
token = use_token()
print(is_token_auth_enabled(), token.origin if token else None, os.environ.get("RAY_AUTH_MODE"))
"""


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        (None, "True ~/.ray/auth_token token"),
        ("token", "True ~/.ray/auth_token token"),
        ("disabled", "False None disabled"),
    ],
)
def test_the_mode_is_set_unless_the_user_has_set_it(
    home: dict[str, str], mode: str | None, says: str
) -> None:
    root = str(Path(__file__).resolve().parents[2])
    env = home | {"PYTHONPATH": root, "PATH": os.environ["PATH"]} | ({MODE: mode} if mode else {})
    done = subprocess.run(
        [sys.executable, "-c", USE_IT], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == (says, 0), done.stderr


def test_without_a_token_the_mode_stays_unset(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    env = {"HOME": str(tmp_path), "PYTHONPATH": root, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", USE_IT], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "False None None", done.stderr
