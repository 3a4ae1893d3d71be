"""One run at a time, over a real S3 server: refused, taken over, never held by two."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from raypipe.errors import OutputBusy
from raypipe.storage import bucket as bucket_module
from raypipe.storage import lease as lease_module
from raypipe.storage.address import store_of
from raypipe.storage.bucket_hold import BucketHold
from raypipe.storage.lease import Lease, read_lease, this_process
from tests.stores import S3, Fault, first

ELSEWHERE = {"run": "another", "host": "elsewhere", "pid": 7, "process": "", "since": "2026-01-01"}


@pytest.fixture
def root(s3: S3) -> str:
    return f"s3://{s3.bucket}/out"


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "lease"]


def lease_at(root: str, run: str, ttl_s: float = 60.0, beat_s: float = 10.0) -> Lease:
    return Lease(store_of(root), root, f"{root}/.raypipe/lease.json", run, ttl_s, beat_s)


def left_by(s3: S3, **facts: object) -> None:
    s3.put("out/.raypipe/lease.json", json.dumps(ELSEWHERE | facts).encode())


def test_a_second_run_is_refused_until_the_first_has_ended(
    s3: S3, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "LOOK_S", 0.0)
    with BucketHold(root) as place:
        assert place.still_ours()
        with (
            pytest.raises(OutputBusy, match=rf"out: another run .*process {os.getpid()} on .*, s"),
            BucketHold(root),
        ):
            pass
    assert s3.objects() == []
    with BucketHold(root) as again:
        assert again.still_ours()
        assert again.run != place.run
        assert not place.still_ours()


def test_of_many_runs_that_start_at_once_one_gets_it(s3: S3, root: str) -> None:
    leases = [lease_at(root, f"run-{number}") for number in range(8)]
    got: list[Lease] = []

    def take(lease: Lease) -> None:
        try:
            lease.take()
            got.append(lease)
        except OutputBusy:
            pass

    threads = [threading.Thread(target=take, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    got[0].release()
    assert s3.objects() == []


def test_a_holder_that_is_heard_of_keeps_it_beyond_its_time(s3: S3, root: str) -> None:
    holder = lease_at(root, "one", ttl_s=5.0, beat_s=0.2)
    holder.take()
    time.sleep(6.5)
    with pytest.raises(OutputBusy, match=r"last heard of [0-4] s ago"):
        lease_at(root, "two").take()
    holder.release()


def test_a_holder_that_is_silent_loses_it_after_its_time(s3: S3, root: str) -> None:
    left_by(s3, ttl_s=600)
    with pytest.raises(OutputBusy, match="process 7 on elsewhere, since 2026-01-01"):
        lease_at(root, "two").take()
    left_by(s3, ttl_s=1)
    time.sleep(2.2)
    heir = lease_at(root, "two")
    heir.take()
    found = read_lease(store_of(root), f"{root}/.raypipe/lease.json")
    assert found is not None
    assert found.run == "two"
    heir.release()
    assert s3.objects() == []


def test_of_two_heirs_one_gets_it(s3: S3, root: str) -> None:
    left_by(s3, ttl_s=0.1)
    time.sleep(2.1)
    got, refused = [], []

    def take(run: str) -> None:
        heir = lease_at(root, run)
        try:
            heir.take()
            got.append(heir)
        except OutputBusy as error:
            refused.append(error)

    threads = [threading.Thread(target=take, args=(f"heir-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 5)
    got[0].release()


def test_a_holder_that_died_on_this_machine_is_not_waited_for(s3: S3, root: str) -> None:
    script = "from raypipe.storage.lease import this_process; print(this_process())"
    dead = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    if not this_process():
        pytest.skip("this system does not tell processes apart")
    left_by(s3, process=dead.stdout.strip())
    heir = lease_at(root, "two")
    heir.take()
    heir.release()
    left_by(s3, process=this_process())
    with pytest.raises(OutputBusy):
        heir.take()


def test_a_lease_that_says_nothing_is_waited_out(s3: S3, root: str) -> None:
    for text in (b"", b"[]", b"{}", b"\xff\xfe", b'{"ttl_s": null}'):
        s3.put("out/.raypipe/lease.json", text)
        with pytest.raises(OutputBusy, match="hold ends in"):
            lease_at(root, "two").take()


def test_a_holder_does_not_take_back_what_it_has_lost(
    s3: S3, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "LOOK_S", 0.0)
    monkeypatch.setattr(lease_module.Lease, "__init__", _quick)
    with BucketHold(root) as place:
        left_by(s3)
        time.sleep(0.5)
        assert not place.still_ours()
    assert json.loads(s3.get("out/.raypipe/lease.json"))["run"] == "another"
    s3.client.delete_object(Bucket=s3.bucket, Key="out/.raypipe/lease.json")
    assert not place.still_ours()


_plain = Lease.__init__


def _quick(self: Lease, *given: object, **named: object) -> None:
    _plain(self, *given, **named)  # type: ignore[arg-type]
    self._beat_s = 0.1


def test_answers_that_are_lost_do_not_lose_the_lease(s3: S3, root: str) -> None:
    s3.proxy.fault = first(1, Fault(drop_answer=True), lambda r: r.method == "PUT")
    holder = lease_at(root, "one", beat_s=0.2)
    holder.take()
    until_s = time.monotonic() + 60
    while json.loads(s3.get("out/.raypipe/lease.json"))["beats"] < 8:
        assert time.monotonic() < until_s
        s3.proxy.fault = first(1, Fault(drop_answer=True), lambda r: r.method == "PUT")
        time.sleep(0.5)
    holder.release()
    assert s3.objects() == []
