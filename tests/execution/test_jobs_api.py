"""What is said of a server that is no Ray, an old one, or one that lets nobody in.

The servers here are small stand-ins: other versions of Ray cannot be had beside the installed one.
The real Jobs API is in `tests/end_to_end/test_submit.py`.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raypipe.errors import UsageError
from raypipe.execution.jobs_api import JobsApi, jobs_address

Answer = tuple[int, str]


@contextlib.contextmanager
def server(answer: Callable[[str, dict[str, str]], Answer]) -> Iterator[str]:
    """An HTTP server that answers with code and text, given path and headers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, text = answer(self.path, {k.lower(): v for k, v in self.headers.items()})
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without a token, and nothing of Ray's in the environment."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path


def version(text: str) -> str:
    return json.dumps({"version": "4", "ray_version": text, "session_name": "s"})


def test_an_old_ray_is_named_with_what_is_wanted() -> None:
    with server(lambda path, headers: (200, version("2.9.3"))) as url:
        wanted = rf"^{url} runs Ray 2\.9\.3; raypipe needs Ray 2\.60 or newer$"
        with pytest.raises(UsageError, match=wanted):
            JobsApi(url)


@pytest.mark.parametrize("text", ["2.60.0", "2.61.0", "3.0.0.dev0", "10.1"])
def test_a_ray_that_is_new_enough_is_taken(text: str) -> None:
    with server(lambda path, headers: (200, version(text))) as url:
        assert JobsApi(url).ray_version == text


@pytest.mark.parametrize(
    "answer",
    [(200, "<html>"), (200, "[]"), (200, "{}"), (404, "not found"), (200, '{"ray_version": "x"}')],
)
def test_what_is_no_ray_is_said_to_be_none(answer: Answer) -> None:
    with (
        server(lambda path, headers: answer) as url,
        pytest.raises(
            UsageError, match=rf"^{url} is not a Ray dashboard, which stands at port 8265"
        ),
    ):
        JobsApi(url)


def test_a_server_that_speaks_no_http_is_no_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:

        def speak() -> None:
            with contextlib.suppress(OSError):
                connection, _ = place.accept()
                connection.recv(1000)
                connection.sendall(b"\x00\x00\x12\x04 this is another protocol\n\n")
                connection.close()

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        with pytest.raises(UsageError, match=r"is not a Ray dashboard"):
            JobsApi(f"http://127.0.0.1:{place.getsockname()[1]}")
        thread.join()


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=rf"^no Ray dashboard can be reached at {url}: \w+"):
            JobsApi(url)


def test_a_name_without_a_machine() -> None:
    with pytest.raises(UsageError, match=r"no Ray dashboard can be reached at http://no\.invalid"):
        JobsApi("http://no.invalid:8265")


def locked(seen: list[str | None], right: str) -> Callable[[str, dict[str, str]], Answer]:
    """A server that wants a token, and what it was shown."""

    def answer(path: str, headers: dict[str, str]) -> Answer:
        seen.append(headers.get("authorization"))
        if seen[-1] is None:
            return 401, "Unauthorized: Missing authentication token"
        if seen[-1] != f"Bearer {right}":
            return 403, "Forbidden: Invalid authentication token"
        return 200, version("2.60.0")

    return answer


def test_the_token_is_shown_only_where_it_is_asked_for(shell: Path) -> None:
    (shell / ".ray").mkdir()
    (shell / ".ray" / "auth_token").write_text("right\n")
    seen: list[str | None] = []
    with server(locked(seen, "right")) as url:
        JobsApi(url)
    assert seen == [None, "Bearer right"]
    shown: list[str | None] = []

    def open_to_all(path: str, headers: dict[str, str]) -> Answer:
        shown.append(headers.get("authorization"))
        return 200, version("2.60.0")

    with server(open_to_all) as url:
        JobsApi(url)
    assert shown == [None]


def test_no_token_a_wrong_one_and_one_that_may_not_be_shown(
    shell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(locked([], "right")) as url:
        wanted = (
            rf"^{url} wants a token, and none was found in RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH, "
        )
        with pytest.raises(UsageError, match=wanted):
            JobsApi(url)
        monkeypatch.setenv("RAY_AUTH_TOKEN", "wr0ng")
        with pytest.raises(
            UsageError, match=r"does not accept the token from RAY_AUTH_TOK"
        ) as said:
            JobsApi(url)
        assert "wr0ng" not in str(said.value)
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        with pytest.raises(UsageError, match=r"wants a token, but RAY_AUTH_MODE is 'disabled'"):
            JobsApi(url)


def test_a_job_that_is_not_there_and_a_server_in_trouble() -> None:
    def answer(path: str, headers: dict[str, str]) -> Answer:
        if path == "/api/version":
            return 200, version("2.60.0")
        return (404, "Job x does not exist") if "none" in path else (400, "Traceback\nNo: way\n.")

    with server(answer) as url:
        api = JobsApi(url)
        with pytest.raises(UsageError, match=rf"^{url} has no job no/ne none$"):
            api.state("no/ne none")
        with pytest.raises(UsageError, match=rf"^{url} says 400, No: way$"):
            api.stop("other")


@pytest.mark.parametrize(
    ("given", "environment", "address"),
    [
        (None, {}, "http://127.0.0.1:8265"),
        ("http://head:8265/", {}, "http://head:8265"),
        ("head:8265", {"RAY_ADDRESS": "http://other:8265"}, "http://head:8265"),
        (None, {"RAY_ADDRESS": "http://other:8265"}, "http://other:8265"),
        (None, {"RAY_ADDRESS": "other:6379"}, "http://127.0.0.1:8265"),
        (None, {"RAY_ADDRESS": "http://a", "RAY_API_SERVER_ADDRESS": "https://b"}, "https://b"),
    ],
)
def test_the_address_is_the_one_given_then_rays_then_this_machines(
    given: str | None, environment: dict[str, str], address: str
) -> None:
    assert jobs_address(given, environment) == address


@pytest.mark.parametrize("given", ["auto", "ray://head:10001", "ftp://head", "http://"])
def test_what_is_no_address_of_a_dashboard(given: str) -> None:
    with pytest.raises(UsageError, match=r"wanted is the address of the cluster's dashboard"):
        jobs_address(given, {})


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match=r"--address must not hold a name or password") as said:
        jobs_address("http://me:s3cret@head:8265", {})
    assert "s3cret" not in str(said.value)
