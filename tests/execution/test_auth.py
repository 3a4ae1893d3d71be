"""Where Ray's token is found, and that nobody sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from raypipe.errors import UsageError
from raypipe.execution.auth import ASK, MODE, PATH, TEXT, Token, find_token

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
from raypipe.errors import UsageError
from raypipe.execution.auth import use_token
try:
    use_token(sys.argv[1])
except UsageError as error:
    print(error)
print(is_token_auth_enabled(), os.environ.get("RAY_AUTH_MODE"))
"""


@pytest.fixture
def head() -> Iterator[Callable[[str | None], str]]:
    """Starts a stand-in for a cluster's head that wants this token, or none; gives its address."""
    grpc = pytest.importorskip("grpc")
    started = []

    def start(wanted: str | None) -> str:
        class Service(grpc.GenericRpcHandler):  # type: ignore[misc]
            def service(self, call: Any) -> Any:
                shown = dict(call.invocation_metadata).get("authorization")

                def answer(request: bytes, context: Any) -> bytes:
                    if wanted is not None and shown != f"Bearer {wanted}":
                        context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
                    return b""

                return grpc.unary_unary_rpc_method_handler(answer) if call.method == ASK else None

        server = grpc.server(ThreadPoolExecutor(1), handlers=[Service()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        started.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in started:
        server.stop(None).wait()


def use(address: str, env: dict[str, str]) -> str:
    """What `use_token` says and does in a process of its own."""
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", USE_IT, address], capture_output=True, text=True, timeout=60,
        env=env | {"PYTHONPATH": root, "PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_mode_is_set_where_the_cluster_wants_a_token(
    home: dict[str, str], head: Callable[[str | None], str]
) -> None:
    locked = head("of-home")
    assert use(locked, home) == "True token"
    assert use(locked, home | {MODE: "disabled"}) == "False disabled", "the user's word"
    assert use(head(None), home) == "False None", "nobody asked"
    assert use("auto", home) == "False None", "Ray's own business"


def test_a_missing_and_a_wrong_token_are_told_apart(
    home: dict[str, str], head: Callable[[str | None], str], tmp_path: Path
) -> None:
    locked = head("other")
    said = use(locked, home).splitlines()
    assert said[0].startswith(f"the cluster at {locked} does not accept the token from ~/.ray/auth")
    assert "of-home" not in said[0]
    assert said[1] == "False None"
    said = use(locked, {"HOME": str(tmp_path / "nobody")}).splitlines()
    assert said[0].startswith(f"the cluster at {locked} wants a token, and none was found in RAY_A")
    assert said[1] == "False None"
