"""S3 and what speaks like it: listing by pages, conditional writes, uploads in parts.

Beside the calls that every store has: the first read of an object also says what
it is, later ones see that it is still the same, a big file goes up in parts that
are tried again one by one, and parts that nobody will complete are taken back.
"""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

from fsspec.asyn import sync

from raypipe.errors import StorageError
from raypipe.storage.paths import show
from raypipe.storage.store import Found, Store, found_in, size_of, whole

PART_BYTES = 8 << 20
"""Size of a part; S3 wants at least 5 MiB. Twice as much is where parts begin."""

MOST_PARTS = 10_000
"""S3's limit."""

PARTS_AT_A_TIME = 4

DELETED_AT_A_TIME = 1000
"""S3's limit for one call."""


class S3Store(Store):
    """Objects of S3, by `call_s3`, the way to S3's own calls that s3fs offers.

    Parameters
    ----------
    fs : s3fs.S3FileSystem
        Used by many threads at once.
    """

    def __init__(self, fs: Any) -> None:
        super().__init__(fs)
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def walk(self, address: str) -> Iterator[Found]:
        """Every object below a folder, a page of a thousand in memory at a time."""
        bucket, key = self._split(address)
        prefix = f"{key}/" if key else ""
        more: dict[str, str] = {}
        while True:
            page = self._call(
                "list_objects_v2", address, "list", Bucket=bucket, Prefix=prefix, **more
            )
            for entry in page.get("Contents", ()):
                if not entry["Key"].endswith("/"):  # a marker, as consoles make them of folders
                    info = entry | {"size": entry["Size"]}
                    yield found_in(f"s3://{bucket}/{entry['Key']}", info)
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def stat(self, address: str) -> Found | None:
        """What S3 says of one object; None where there is none."""
        bucket, key = self._split(address)
        if not key:
            return None
        try:
            head = self._call("head_object", address, "look at", Bucket=bucket, Key=key)
        except FileNotFoundError:
            return None
        return found_in(address, head | {"size": head["ContentLength"]})

    def open(self, address: str, size: int) -> tuple[bytes, Found]:
        """The first bytes and what S3 says of the object, in one request."""
        try:
            return self.tried(lambda: self._get(address, 0, size, ""), address, "read")
        except OSError as error:
            found = self.stat(address) if error.errno == errno.ERANGE else None
            if found is None or found.size:
                raise
            return b"", found  # no range lies in an empty object, so S3 refuses any

    def _read(self, found: Found, start: int, stop: int) -> bytes:
        return whole(self._get(found.address, start, stop, found.etag)[0], stop - start)

    def _get(self, address: str, start: int, stop: int, etag: str) -> tuple[bytes, Found]:
        bucket, key = self._split(address)
        same = {"IfMatch": f'"{etag}"'} if etag else {}
        answer = self.fs.call_s3(
            "get_object", Bucket=bucket, Key=key, Range=f"bytes={start}-{stop - 1}", **same
        )
        body = answer["Body"]
        try:
            data: bytes = sync(self.fs.loop, body.read)
        finally:
            body.close()
        size = int(str(answer.get("ContentRange", f"/{len(data)}")).rpartition("/")[2])
        return whole(data, min(stop, size) - start), found_in(address, answer | {"size": size})

    def read_all(self, address: str) -> bytes:
        """An object's bytes, in one request."""
        bucket, key = self._split(address)

        def get() -> bytes:
            answer = self.fs.call_s3("get_object", Bucket=bucket, Key=key)
            try:
                data: bytes = sync(self.fs.loop, answer["Body"].read)
            finally:
                answer["Body"].close()
            return whole(data, answer["ContentLength"])

        return self.tried(get, address, "read")

    def put(self, address: str, data: bytes, *, new: bool = False, instead_of: str = "") -> Found:
        """Let a small object appear, if need be on a condition that S3 itself keeps."""
        bucket, key = self._split(address)
        condition = {"IfNoneMatch": "*"} if new else {}
        if instead_of:
            condition = {"IfMatch": f'"{instead_of}"'}
        answer = self._call(
            "put_object", address, "write", Bucket=bucket, Key=key, Body=data, **condition
        )
        return found_in(address, answer | {"size": len(data)})

    def upload(self, path: str, address: str, stop: threading.Event) -> Found:
        """Let a file of this machine appear: in one request, or in parts where it is big."""
        size = size_of(path)
        if size < 2 * PART_BYTES:
            with open(path, "rb") as file:
                return self.put(address, file.read())
        bucket, key = self._split(address)
        begun = self._call("create_multipart_upload", address, "publish", Bucket=bucket, Key=key)
        target = {"Bucket": bucket, "Key": key, "UploadId": begun["UploadId"]}
        try:
            send = partial(self._send, path, address, target, _part_bytes(size), stop)
            numbers = range(1, -(-size // _part_bytes(size)) + 1)
            parts = list(self._pool().map(send, numbers))
            answer = self._complete(address, target, parts, size)
        except BaseException:
            self._abort(address, target)
            raise
        return answer

    def _send(
        self, path: str, address: str, target: dict[str, str], part: int,
        stop: threading.Event, number: int,
    ) -> dict[str, Any]:  # fmt: skip
        if stop.is_set():
            raise InterruptedError(f"{show(address)}: its upload was stopped")
        with open(path, "rb") as file:
            file.seek((number - 1) * part)
            data = file.read(part)
        sent = self._call("upload_part", address, "publish", **target, PartNumber=number, Body=data)
        return {"PartNumber": number, "ETag": sent["ETag"]}

    def _complete(
        self, address: str, target: dict[str, str], parts: list[dict[str, Any]], size: int
    ) -> Found:
        try:
            answer = self._call(
                "complete_multipart_upload", address, "publish", **target,
                MultipartUpload={"Parts": parts},
            )  # fmt: skip
        except FileNotFoundError:  # done already, by a try whose answer was lost
            found = self.stat(address)
            if found is None or found.size != size:
                raise
            return found
        return found_in(address, answer | {"size": size})

    def _abort(self, address: str, target: dict[str, str]) -> None:
        try:
            self._call("abort_multipart_upload", address, "take back", **target)
        except (OSError, StorageError):
            return  # the next run sweeps it

    def expected_etag(self, path: str) -> str:
        """MD5 of the file, or of its parts' MD5s: what S3 answers unless keys of its own encrypt.

        References
        ----------
        Amazon S3 API Reference, Object: ETag.
        """
        size = size_of(path)
        with open(path, "rb") as file:
            if size < 2 * PART_BYTES:
                return hashlib.md5(file.read(), usedforsecurity=False).hexdigest()
            part = _part_bytes(size)
            sums = [
                hashlib.md5(block, usedforsecurity=False).digest()
                for block in iter(partial(file.read, part), b"")
            ]
        return f"{hashlib.md5(b''.join(sums), usedforsecurity=False).hexdigest()}-{len(sums)}"

    def remove(self, addresses: Iterable[str]) -> None:
        """Remove objects, a thousand with one call."""
        left = iter(addresses)
        while some := list(islice(left, DELETED_AT_A_TIME)):
            if len(some) == 1:
                bucket, key = self._split(some[0])
                self._call("delete_object", some[0], "remove", Bucket=bucket, Key=key)
                continue
            keys = [{"Key": self._split(address)[1]} for address in some]
            answer = self._call(
                "delete_objects", some[0], "remove", Bucket=self._split(some[0])[0],
                Delete={"Objects": keys, "Quiet": True},
            )  # fmt: skip
            for refused in answer.get("Errors", ()):
                raise StorageError(
                    f"{show(some[0])}: cannot remove {show(refused.get('Key', ''))}: "
                    f"{refused.get('Code', 'refused')}"
                )

    def abort_uploads(self, address: str, is_ours: Callable[[str], bool]) -> int:
        """End uploads below an address that nobody will finish; gives their number.

        Parameters
        ----------
        address : str
            Folder.
        is_ours : callable
            Is asked with the name of each, relative to the folder.
        """
        bucket, key = self._split(address)
        prefix = f"{key}/" if key else ""
        ended = 0
        more: dict[str, str] = {}
        while True:
            try:
                page = self._call(
                    "list_multipart_uploads", address, "list", Bucket=bucket, Prefix=prefix, **more
                )
            except PermissionError:  # a right of its own, that not everybody who writes has
                return ended
            for upload in page.get("Uploads", ()):
                if is_ours(upload["Key"][len(prefix) :]):
                    target = {"Bucket": bucket, "Key": upload["Key"]}
                    self._abort(address, target | {"UploadId": upload["UploadId"]})
                    ended += 1
            if not page.get("IsTruncated"):
                return ended
            more = {
                "KeyMarker": page["NextKeyMarker"],
                "UploadIdMarker": page["NextUploadIdMarker"],
            }

    def _call(self, method: str, address: str, doing: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.tried(
            lambda: self.fs.call_s3(method, **arguments), address, doing
        )
        return answer

    def _split(self, address: str) -> tuple[str, str]:
        bucket, key, _ = self.fs.split_path(address)
        return bucket, key.rstrip("/")

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(PARTS_AT_A_TIME, "upload")
            return self._threads


def _part_bytes(size: int) -> int:
    return max(PART_BYTES, -(-size // MOST_PARTS))
