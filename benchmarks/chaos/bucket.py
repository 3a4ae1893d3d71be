"""A bucket for the rounds: a real S3 server, the weather in front of it, and a look from outside.

The server (moto's) runs beside the nodes, on the maker's own machine; they reach it through a
`Weather` at the cluster's gateway. What is looked at here goes straight to the server.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.kill import wait_for

NAME = "chaos"
PORT = 9000
"""Of the weather, at the gateway."""
START_S = 60.0
OURS = re.compile(r"\.raypipe/(journal/[^/]+\.jsonl|report\.json)")
"""What a run that is over leaves beside its outputs."""


def environment(host: str) -> dict[str, str]:
    """How the AWS libraries find the bucket."""
    return {
        "AWS_ENDPOINT_URL": f"http://{host}:{PORT}",
        "AWS_ACCESS_KEY_ID": "a-key-for-tests",
        "AWS_SECRET_ACCESS_KEY": "a-secret-for-tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@contextmanager
def server() -> Iterator[int]:
    """An S3 server in a process of its own; gives its port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not wait_for(lambda: _answers(port), START_S):
            raise RuntimeError("moto's S3 server does not answer; pip install 'moto[server]'")
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Bucket:
    """The bucket, made anew, as seen from outside.

    Parameters
    ----------
    port : int
        Of the server.
    """

    def __init__(self, port: int) -> None:
        known = environment("127.0.0.1")
        boto3: Any = importlib.import_module("boto3")
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=known["AWS_DEFAULT_REGION"],
            aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        )
        self.client.create_bucket(Bucket=NAME)

    def put(self, folder: Path, prefix: str) -> str:
        """Put a folder's files there; gives their common address."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder)}"
                self.client.put_object(Bucket=NAME, Key=key, Body=path.read_bytes())
        return f"s3://{NAME}/{prefix}"

    def output(self, prefix: str) -> BucketOutput:
        """Where a round's files are to appear."""
        return BucketOutput(self.client, prefix)


class BucketOutput:
    """A prefix in the bucket, from outside; see `benchmarks.chaos.looks.Output`."""

    every_s = 0.2

    def __init__(self, client: Any, prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self.address = f"s3://{NAME}/{prefix}"

    def _objects(self) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=NAME, Prefix=f"{self._prefix}/"):
            yield from page.get("Contents", ())

    def _name(self, found: Mapping[str, Any]) -> str:
        return str(found["Key"]).removeprefix(f"{self._prefix}/")

    def _bytes(self, name: str) -> bytes:
        answer = self._client.get_object(Bucket=NAME, Key=f"{self._prefix}/{name}")
        return bytes(answer["Body"].read())

    def look(self) -> dict[str, object]:
        """What is published: relative name, and what changes when an object is written again."""
        found = ((self._name(o), (o["LastModified"], o["ETag"])) for o in self._objects())
        return {name: identity for name, identity in found if not name.startswith(".raypipe/")}

    def digest(self, name: str) -> str:
        """Sha256 of a published object."""
        return hashlib.sha256(self._bytes(name)).hexdigest()

    def report(self) -> dict[str, Any] | None:
        """The last run's own report."""
        try:
            return dict(json.loads(self._bytes(".raypipe/report.json")))
        except self._client.exceptions.NoSuchKey:
            return None

    def unfinished(self) -> list[str]:
        """Objects and uploads that should not be there any more once no run is at work."""
        hidden = (n for n in map(self._name, self._objects()) if n.startswith(".raypipe/"))
        left = [name for name in hidden if not OURS.fullmatch(name)]
        uploads = self._client.list_multipart_uploads(Bucket=NAME).get("Uploads", ())
        return left + [f"upload of {upload['Key']}" for upload in uploads]
