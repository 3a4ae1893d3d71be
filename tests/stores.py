"""Stores for tests: a real S3 server in a process of its own, and a proxy that makes trouble.

moto's server speaks S3 over HTTP on loopback. The proxy stands in front of it,
counts what goes through, and fails requests as a test asks: throttled, late,
cut off in the middle of an answer or of an upload.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from raypipe.storage.address import forget_stores

START_S = 60.0

REFUSAL = (
    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>No.</Message></Error>'
)
CODES = {403: "AccessDenied", 500: "InternalError", 503: "SlowDown"}


@dataclass(frozen=True)
class Request:
    """What came through the proxy."""

    method: str
    path: str
    """With its query."""
    range: str
    size: int
    """Bytes that the client sent."""


@dataclass(frozen=True)
class Fault:
    """What to do to a request in place of passing it on."""

    status: int = 0
    """Answer so at once."""
    late_s: float = 0.0
    """Wait so long before passing it on."""
    cut_after: int = -1
    """Bytes of the answer's body after which the connection is cut."""
    drop_answer: bool = False
    """Pass it on, and cut the connection before the answer."""
    refuse_upload: bool = False
    """Cut the connection in the middle of what the client sends."""


Judge = Callable[[Request], "Fault | None"]


def first(times: int, fault: Fault, fits: Callable[[Request], bool] = lambda r: True) -> Judge:
    """The first so many requests that fit meet a fault."""
    left = [times]
    lock = threading.Lock()

    def judge(request: Request) -> Fault | None:
        with lock:
            if fits(request) and left[0] > 0:
                left[0] -= 1
                return fault
        return None

    return judge


def each(nth: int, fault: Fault, fits: Callable[[Request], bool] = lambda r: True) -> Judge:
    """Every n-th request that fits meets a fault."""
    count = [0]
    lock = threading.Lock()

    def judge(request: Request) -> Fault | None:
        with lock:
            count[0] += fits(request)
            return fault if fits(request) and count[0] % nth == 0 else None

    return judge


class Proxy:
    """Passes HTTP requests on to a server, or does not.

    Attributes
    ----------
    fault : Judge
        Is asked for each request.
    seen : list of Request
        What came.
    served : int
        Bytes of bodies that were sent to clients.
    """

    def __init__(self, port: int) -> None:
        self.fault: Judge = lambda request: None
        self.seen: list[Request] = []
        self.served = 0
        self.under_way = 0
        self.lock = threading.Lock()
        proxy = self

        class Handler(_Relay):
            owner = proxy
            target = port

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def forget(self) -> None:
        """No faults, nothing seen, nothing under way any more."""
        self.fault = lambda request: None
        until_s = time.monotonic() + 10
        while self.under_way and time.monotonic() < until_s:
            time.sleep(0.01)
        with self.lock:
            self.seen, self.served = [], 0

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Proxy
    target: int

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""

    def relay(self) -> None:
        with self.owner.lock:
            self.owner.under_way += 1
        try:
            self._relay()
        finally:
            with self.owner.lock:
                self.owner.under_way -= 1

    def _relay(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, self.headers.get("Range", ""), length)
        fault = self.owner.fault(request) or Fault()
        with self.owner.lock:
            self.owner.seen.append(request)
        if fault.refuse_upload:
            self.rfile.read(length // 2)
            self._cut()
            return
        body = self._body(length)
        time.sleep(fault.late_s)
        if fault.status:
            refusal = REFUSAL.format(CODES[fault.status]).encode()
            self._answer(fault.status, {"Content-Type": "application/xml"}, refusal, fault)
            return
        up = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
            up.request(self.command, self.path, body, headers)
            answer = up.getresponse()
            data = answer.read()
            if fault.drop_answer:
                self._cut()
                return
            self._answer(answer.status, dict(answer.getheaders()), data, fault)
        finally:
            up.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = relay

    def _body(self, length: int) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(length)
        raw = b""
        while True:  # passed on as it came: the server takes chunks, too
            line = self.rfile.readline()
            size = int(line, 16)
            raw += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return raw

    def _answer(self, status: int, headers: dict[str, str], data: bytes, fault: Fault) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = headers.get("Content-Length", headers.get("content-length", str(len(data))))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if 0 <= fault.cut_after < len(data):
            self.wfile.write(data[: fault.cut_after])
            self.wfile.flush()
            self._cut()
            return
        with self.owner.lock:
            self.owner.served += len(data)
        self.wfile.write(data)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class S3:
    """A bucket of a running S3 server, behind the proxy."""

    client: Any
    """boto3's, straight to the server."""
    proxy: Proxy
    bucket: str
    environment: dict[str, str] = field(default_factory=dict)
    """How a process finds it: through the proxy."""

    def put(self, key: str, data: bytes) -> str:
        """Make an object; gives its address."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)
        return f"s3://{self.bucket}/{key}"

    def get(self, key: str) -> bytes:
        """An object's bytes."""
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def objects(self, prefix: str = "") -> list[str]:
        """Keys of the bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def tree(self, prefix: str) -> dict[str, bytes]:
        """Outputs below a prefix by name, without raypipe's own objects."""
        return {
            key[len(prefix) :].lstrip("/"): self.get(key)
            for key in self.objects(prefix)
            if ".raypipe/" not in key
        }

    def uploads(self) -> list[str]:
        """Keys of uploads that nobody has finished."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return [each["Key"] for each in found.get("Uploads", ())]


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def moto_server() -> Iterator[int]:
    """moto's S3 server in a process of its own; gives its port."""
    port = free_port()
    environment = {**os.environ, "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(1 << 26)}
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        until_s = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert server.poll() is None, "moto's server has ended"
                assert time.monotonic() < until_s, "moto's server does not answer"
                time.sleep(0.1)
        yield port
    finally:
        server.kill()
        server.wait()


def environment_for(port: int) -> dict[str, str]:
    """How the AWS libraries find a server on loopback."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "a-key-for-tests",
        "AWS_SECRET_ACCESS_KEY": "a-secret-for-tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[int, Proxy]]:
    """A server for the whole session, and the proxy in front of it."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with moto_server() as port:
        proxy = Proxy(port)
        yield port, proxy
        proxy.close()


_buckets = iter(range(1_000_000))


@pytest.fixture
def s3(s3_server: tuple[int, Proxy], monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """A new bucket, found through the proxy by everything in this process."""
    import boto3

    port, proxy = s3_server
    proxy.forget()
    environment = environment_for(proxy.port)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    forget_stores()
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    bucket = f"bucket-{next(_buckets)}"
    client.create_bucket(Bucket=bucket)
    yield S3(client, proxy, bucket, environment)
    proxy.forget()
    forget_stores()
    client.close()
