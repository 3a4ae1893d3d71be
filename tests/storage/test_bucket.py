"""Publishing into a bucket: whole or not at all, and nothing left, wherever a process dies."""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raypipe.errors import StorageError
from raypipe.results.collector import Collector, CollectorJob
from raypipe.results.journal import Journal, JournalWriter, published_by
from raypipe.storage import bucket as bucket_module
from raypipe.storage import bucket_publisher as publisher_module
from raypipe.storage import retry
from raypipe.storage.address import store_of
from raypipe.storage.bucket import BucketPlace
from raypipe.storage.bucket_hold import BucketHold
from raypipe.storage.s3 import PART_BYTES, S3Store
from raypipe.storage.scratch import PREFIX, Scratch
from raypipe.types import Published
from tests.results.made import audio_file, done, pieces_of, target
from tests.results.test_collector import Killed, dies
from tests.signals import noise
from tests.stores import S3, Fault, each, first

FINGERPRINT = "f" * 32
BIG = 2 * PART_BYTES + PART_BYTES // 3


@pytest.fixture
def root(s3: S3) -> str:
    return f"s3://{s3.bucket}/out"


@pytest.fixture
def place(root: str) -> Iterator[BucketPlace]:
    with BucketHold(root) as held:
        yield held


@pytest.fixture(autouse=True)
def nothing_stays_on_this_machine(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Other runs on this machine have folders of their own in its usual place."""
    folder = str(tmp_path_factory.mktemp("temporary"))
    monkeypatch.setattr(tempfile, "tempdir", folder)
    yield
    assert not [name for name in os.listdir(folder) if name.startswith(PREFIX)]


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(noise(BIG // 4).tobytes() + b"end")
    return path


def upload(s3: S3, path: Path, stop: threading.Event | None = None) -> str:
    address = f"s3://{s3.bucket}/big"
    return store_of(address).upload(str(path), address, stop or threading.Event()).etag


@pytest.mark.parametrize(
    "fault",
    [
        None,
        each(3, Fault(status=503)),
        each(2, Fault(refuse_upload=True), lambda r: r.size > 10_000),
        first(2, Fault(drop_answer=True), lambda r: r.method == "PUT"),
        first(1, Fault(drop_answer=True), lambda r: r.method == "POST" and "uploadId" in r.path),
    ],
)
def test_a_big_file_goes_up_in_parts_and_appears_once(s3: S3, big: Path, fault: Any) -> None:
    if fault is not None:
        s3.proxy.fault = fault
    etag = upload(s3, big)
    assert hashlib.sha256(s3.get("big")).digest() == hashlib.sha256(big.read_bytes()).digest()
    assert etag.endswith("-3")
    assert etag == store_of("s3://x").expected_etag(str(big))
    assert s3.uploads() == []


def test_a_small_file_goes_up_at_once(s3: S3, tmp_path: Path) -> None:
    for size in (0, 1, 1000):
        (tmp_path / "small").write_bytes(bytes(size))
        assert upload(s3, tmp_path / "small") == store_of("s3://x").expected_etag(
            str(tmp_path / "small")
        )
        assert s3.get("big") == bytes(size)
    assert {request.method for request in s3.proxy.seen} == {"PUT"}


def test_an_upload_that_fails_or_is_stopped_is_taken_back(
    s3: S3, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "PATIENCE_S", 0.5)
    s3.proxy.fault = first(10**6, Fault(status=503), lambda r: "partNumber=2" in r.path)
    with pytest.raises(StorageError, match="cannot publish: SlowDown"):
        upload(s3, big)
    assert s3.uploads() == []
    s3.proxy.forget()
    stop = threading.Event()
    stop.set()
    with pytest.raises(InterruptedError):
        upload(s3, big, stop)
    assert s3.uploads() == []
    assert s3.objects() == []


def test_uploads_that_nobody_will_finish_are_ended_and_other_peoples_are_not(
    s3: S3, root: str
) -> None:
    with BucketHold(root) as place:
        writer = JournalWriter(place, "w", FINGERPRINT)
        writer.publishing([(done(audio_file("a.wav")), {"sound": ("a.wav", 3, "~x")})])
        s3.client.create_multipart_upload(Bucket=s3.bucket, Key="out/a.wav")
        s3.client.create_multipart_upload(Bucket=s3.bucket, Key="out/.raypipe/report.json")
        s3.client.create_multipart_upload(Bucket=s3.bucket, Key="out/somebody's.wav")
        s3.client.create_multipart_upload(Bucket=s3.bucket, Key="outside/a.wav")
        assert len(s3.uploads()) == 4
    assert sorted(s3.uploads()) == ["out/somebody's.wav", "outside/a.wav"]
    s3.client.create_multipart_upload(Bucket=s3.bucket, Key="out/a.wav")
    with BucketHold(root):
        assert sorted(s3.uploads()) == ["out/somebody's.wav", "outside/a.wav"]


def collector_at(place: BucketPlace) -> Collector:
    return Collector(CollectorJob(place, FINGERPRINT, "count", True), 0, "w")


def pieces(names: list[str], first_ticket: int = 1) -> list[Any]:
    return [
        piece
        for number, name in enumerate(names)
        for piece in pieces_of(
            first_ticket + number, audio_file(name), noise(3000, 1, seed=number), (), target()
        )
    ]


def fresh(place: BucketPlace) -> BucketPlace:
    """The same, as a process that starts now sees it."""
    copy: BucketPlace = pickle.loads(pickle.dumps(place))
    return copy


STEPS: dict[str, tuple[Any, str, int, bool, int]] = {
    "before it is announced": (JournalWriter, "publishing", 1, False, 0),
    "after it was announced": (JournalWriter, "publishing", 1, True, 0),
    "before the second appears": (S3Store, "upload", 2, False, 1),
    "after the second appeared": (S3Store, "upload", 2, True, 2),
    "after all appeared": (S3Store, "upload", 3, True, 3),
    "before it is said to be done": (JournalWriter, "done", 1, False, 3),
    "after it was said to be done": (JournalWriter, "done", 1, True, 3),
}


@pytest.mark.parametrize("step", STEPS)
def test_what_stands_in_place_is_done_wherever_the_process_died(
    s3: S3, place: BucketPlace, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    where, name, times, after, appeared = STEPS[step]
    names = ["a.wav", "b.wav", "sub/c.wav"]
    monkeypatch.setattr(publisher_module, "UPLOADS_AT_A_TIME", 1)
    first_one = collector_at(place)
    with monkeypatch.context() as patched:
        patched.setattr(where, name, dies(times, after)(getattr(where, name)))
        with pytest.raises(Killed):
            first_one.take(pieces(names), ())
    first_one.close()
    stand = sorted(s3.tree("out"))
    assert stand[:appeared] == names[:appeared]
    assert len(stand) == appeared or where is S3Store, "an upload that is under way goes on"
    journal = Journal(fresh(place))
    found = [n for n in names if journal.finds(audio_file(n), FINGERPRINT)]
    assert found == stand
    assert list(published_by(place, [audio_file(n) for n in names], FINGERPRINT)) == found
    second = collector_at(place)
    answers = second.take(pieces([n for n in names if n not in found], 9), ())
    second.close()
    assert all(isinstance(answer, Published) for answer in answers)
    journal = Journal(fresh(place))
    assert all(journal.finds(audio_file(n), FINGERPRINT) for n in names)
    assert all(journal.maker(audio_file(n)) == f"/in/{n}" for n in names)


def test_an_output_that_was_replaced_is_nobodys(s3: S3, place: BucketPlace) -> None:
    collector = collector_at(place)
    collector.take(pieces(["a.wav", "b.wav"]), ())
    collector.close()
    same_size = len(s3.get("out/a.wav"))
    s3.put("out/a.wav", bytes(same_size))
    s3.client.delete_object(Bucket=s3.bucket, Key="out/b.wav")
    journal = Journal(fresh(place))
    assert journal.maker(audio_file("a.wav")) is None
    assert not journal.finds(audio_file("b.wav"), FINGERPRINT)


def test_an_orphan_does_not_publish(
    s3: S3, place: BucketPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "LOOK_S", 0.0)
    collector = collector_at(place)
    s3.put("out/.raypipe/lease.json", b'{"run": "another"}')
    with pytest.raises(StorageError, match="was taken over by another run"):
        collector.take(pieces(["a.wav"]), ())
    collector.close()
    assert s3.tree("out") == {}


def test_outputs_are_listed_where_they_are_many(
    s3: S3, place: BucketPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "MOST_LOOKS", 3)
    for number in range(10):
        s3.put(f"out/{number}.wav", bytes(number))
    looked = fresh(place)
    s3.proxy.forget()
    assert [looked.stands(f"{n}.wav", n, None) for n in range(11)] == [True] * 10 + [False]
    assert len([r for r in s3.proxy.seen if r.method == "HEAD"]) == 3
    s3.put("out/3.wav", bytes(99))
    assert looked.stands("3.wav", 3, None)
    assert not looked.stands("3.wav", 3, None, fresh=True)


def tell(place: BucketPlace, count: int) -> list[str]:
    """As many parts as files, as a long run with short batches leaves them."""
    names = [f"{number}.wav" for number in range(count)]
    writer = JournalWriter(place, "w", FINGERPRINT)
    for name in names:
        one = done(audio_file(name))
        writer.publishing([(one, {"sound": (name, 1, "~guessed")})])
        writer.done([one], {name: {"sound": (name, 1, "true")}})
    return names


def test_many_parts_are_merged_at_the_start_of_a_run(
    s3: S3, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "MOST_PARTS", 20)
    with BucketHold(root) as place:
        names = tell(place, 30)
    before = s3.objects("out/.raypipe/journal")
    assert len(before) == 60
    monkeypatch.setattr(BucketPlace, "stands", lambda self, *rest, **more: True)

    def refuse(self: S3Store, addresses: Any) -> None:
        raise StorageError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(S3Store, "remove", refuse)
        with pytest.raises(StorageError, match="killed"), BucketHold(root):
            pass
    assert len(s3.objects("out/.raypipe/journal")) == 61, "nothing is lost in between"
    s3.client.delete_object(Bucket=s3.bucket, Key="out/.raypipe/lease.json")
    journal = Journal(BucketPlace(root, ""))
    assert all(journal.finds(audio_file(name), FINGERPRINT) for name in names)
    with BucketHold(root) as place:
        after = s3.objects("out/.raypipe/journal")
        assert len(after) == 2
        journal = Journal(place)
        assert all(journal.finds(audio_file(name), FINGERPRINT) for name in names)
    with BucketHold(root):
        assert s3.objects("out/.raypipe/journal") == after


def test_a_name_never_leaves_the_output(root: str) -> None:
    place = BucketPlace(root, "run")
    assert place.final("a/b.wav") == f"{root}/a/b.wav"
    for name in ("../a.wav", "/a.wav", "a/../../b.wav", "a//b.wav", "."):
        with pytest.raises(StorageError, match="would lie outside"):
            place.final(name)


def test_what_a_killed_process_left_on_this_machine_is_swept() -> None:
    dead = Path(tempfile.mkdtemp(prefix=PREFIX))
    (dead / "lock").touch()
    alive = Scratch()
    Path(alive.path("a")).touch()
    assert not dead.exists()
    other = Scratch()
    other.path("b")
    assert os.path.exists(alive.path("a"))
    alive.close()
    other.close()


Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


def test_etags_are_part_of_an_inputs_identity(place: BucketPlace) -> None:
    writer = JournalWriter(place, "w", FINGERPRINT)
    told = replace(audio_file("a.wav"), path="s3://b/a.wav", etag="1", mtime_ns=5)
    writer.publishing([(done(told), {"sound": ("a.wav", 1, "x")})])
    from raypipe.results.journal import key_of

    assert key_of(told) == key_of(replace(told, mtime_ns=6))
    assert key_of(told) != key_of(replace(told, etag="2"))
