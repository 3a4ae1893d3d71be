"""Runs into a bucket that are killed, stopped or met by another one: nothing lost, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from raypipe.errors import OutputBusy
from tests.end_to_end.test_buckets import (
    COMMAND,
    fill,
    inputs,
    left_over,
    run,
    sound_file,
    tree,
    wanted,
    write,
)
from tests.stores import S3, Fault, each

__all__ = ["wanted"]


def start(s3: S3, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
    """A run of the command line, in a process of its own."""
    environment = {**os.environ, **s3.environment, **more}
    return subprocess.Popen(
        [*COMMAND, "enhance", *arguments, "--model", "recurrent", "--segment", "0.5"],
        env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for_outputs(s3: S3, count: int, process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + 60
    while len([k for k in s3.objects("out") if ".raypipe" not in k]) < count:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < until_s
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_killed_is_gone_on_with(
    s3: S3, tmp_path: Path, number: signal.Signals
) -> None:
    files = inputs(24)
    source, output = fill(s3, files), f"s3://{s3.bucket}/out"
    s3.proxy.fault = each(1, Fault(late_s=0.05), lambda r: r.method == "PUT")
    process = start(s3, source, output, "--executor", "inline", "--lanes", "2", "--quiet")
    wait_for_outputs(s3, 3, process)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 130), said
    if number == signal.SIGINT:
        assert left_over(s3) == s3.uploads() == []
    s3.proxy.forget()
    before = set(s3.tree("out"))
    assert 3 <= len(before) < 24
    report = run(source, output)
    totals = report.totals
    assert (totals.files, totals.failed, totals.done + totals.skipped) == (24, 0, 24)
    assert totals.skipped >= len(before) - 1
    run(write(tmp_path / "in", files), tmp_path / "out")
    assert s3.tree("out") == tree(tmp_path / "out")
    assert left_over(s3) == s3.uploads() == []


def test_a_second_run_is_refused_and_told_who_writes_there(s3: S3) -> None:
    source, output = fill(s3, inputs(24)), f"s3://{s3.bucket}/out"
    s3.proxy.fault = each(1, Fault(late_s=0.1), lambda r: r.method == "PUT")
    process = start(s3, source, output, "--executor", "inline", "--lanes", "2", "--quiet")
    try:
        wait_for_outputs(s3, 1, process)
        with pytest.raises(OutputBusy, match=rf"process {process.pid} on .*last heard of"):
            run(source, output)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert run(source, output).totals.failed == 0


@pytest.mark.ray
@pytest.mark.slow
def test_on_ray(s3: S3, wanted: dict[str, bytes]) -> None:
    source, output = fill(s3, inputs()), f"s3://{s3.bucket}/out"
    process = start(s3, source, output, "--workers", "2", "--executor", "ray", "--lanes", "4")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said.decode()
    assert s3.tree("out") == wanted
    assert left_over(s3) == s3.uploads() == []


def wait_for(what: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    until_s = time.monotonic() + 90
    while not what():
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        assert time.monotonic() < until_s
        time.sleep(0.02)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    "victim",
    [
        pytest.param("worker", marks=pytest.mark.cluster),
        pytest.param("collector", marks=pytest.mark.cluster),
        "driver",
    ],
)
def test_a_process_that_is_killed_on_ray_costs_nothing_but_time(
    s3: S3, tmp_path: Path, victim: str
) -> None:
    pytest.importorskip("psutil")
    from benchmarks.kill import processes

    files = inputs(40)
    source, output = fill(s3, files), f"s3://{s3.bucket}/out"
    s3.proxy.fault = each(1, Fault(late_s=0.05), lambda r: r.method == "PUT")
    arguments = (source, output, "--workers", "2", "--executor", "ray", "--lanes", "2", "--quiet")
    first = start(s3, *arguments)
    wait_for(lambda: len(s3.tree("out")) >= 4, first)
    for process in processes(first, victim)[:1]:
        process.send_signal(signal.SIGKILL)
    _, said = first.communicate(timeout=120)
    assert b"Traceback" not in said
    assert (first.returncode == 0) == (victim != "driver"), said.decode()
    s3.proxy.forget()
    second = start(s3, *arguments)
    _, said = second.communicate(timeout=120)
    assert second.returncode == 0, said.decode()
    run(write(tmp_path / "in", files), tmp_path / "out")
    assert s3.tree("out") == tree(tmp_path / "out")
    assert left_over(s3) == s3.uploads() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_upload_in_parts_that_was_cut_off_leaves_nothing(
    s3: S3, tmp_path: Path, number: signal.Signals
) -> None:
    source = fill(s3, {"long.wav": sound_file(10 << 20), "short.wav": sound_file(1000)})
    output = f"s3://{s3.bucket}/out"
    s3.proxy.fault = each(1, Fault(late_s=1.0), lambda r: "partNumber" in r.path)
    process = start(s3, source, output, "--executor", "inline", "--quiet", "--segment", "60")
    wait_for(s3.uploads, process)
    assert s3.uploads() == ["out/long.wav"]
    process.send_signal(number)
    process.communicate(timeout=60)
    assert s3.uploads() == (["out/long.wav"] if number == signal.SIGKILL else [])
    there = "out/long.wav" in s3.objects()
    assert not there or number == signal.SIGINT, "all parts were sent: then it is completed"
    s3.proxy.forget()
    assert run(source, output, segment_s=60).totals.failed == 0
    assert s3.uploads() == left_over(s3) == []
    local = write(tmp_path / "in", {"long.wav": sound_file(10 << 20)})
    run(local, tmp_path / "out", segment_s=60)
    assert s3.get("out/long.wav") == (tmp_path / "out/long.wav").read_bytes()
