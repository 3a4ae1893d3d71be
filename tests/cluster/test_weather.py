"""The proxy hands on what it gets, and spoils what it is told to."""

from __future__ import annotations

import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.chaos.weather import Weather, passing

CONTENT = bytes(range(256)) * 1000


class Echo(BaseHTTPRequestHandler):
    """Gives `CONTENT`, or back what it was sent."""

    protocol_version = "HTTP/1.1"

    def _say(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._say(CONTENT)

    def do_PUT(self) -> None:
        self._say(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def weather() -> Iterator[Weather]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with Weather("127.0.0.1", ("127.0.0.1", server.server_address[1])) as made:
            yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def get(weather: Weather, content: bytes | None = None) -> bytes:
    method = "PUT" if content is not None else "GET"
    request = urllib.request.Request(weather.url + "/a", content, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("word", ["fine", "slow"])
def test_everything_gets_through(weather: Weather, word: str) -> None:
    weather.now = word
    assert get(weather) == CONTENT
    assert get(weather, CONTENT * 3) == CONTENT * 3


def test_an_overloaded_bucket_says_so(weather: Weather) -> None:
    with passing(weather, "503"), pytest.raises(urllib.error.HTTPError) as refused:
        get(weather)
    assert refused.value.code == 503
    assert b"SlowDown" in refused.value.read()
    refused.value.close()
    assert get(weather) == CONTENT
    assert weather.met == {"503": 1, "fine": 1}


def test_connections_break_before_and_within_the_answer(weather: Weather) -> None:
    with passing(weather, "broken"):
        for _ in range(2):
            with pytest.raises((OSError, http.client.HTTPException)):
                get(weather)
    assert weather.met == {"broken": 2}
