"""Runs from and to a bucket of a real S3 server: the same bytes as on a disk, come what may."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf

import raypipe
from raypipe import driver
from raypipe.cli.entry import entry
from raypipe.cli.watching import QuietWatch
from raypipe.configuration import make_settings
from raypipe.errors import StorageError, UsageError
from raypipe.monitoring.boards import machine_standings
from raypipe.storage import retry
from tests.signals import noise
from tests.stores import S3, Fault, each, first

COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()")
RATE_HZ = 16_000


def sound_file(frames: int, kind: str = "WAV", channels: int = 1, seed: int = 0) -> bytes:
    out = io.BytesIO()
    sf.write(out, noise(frames, channels, seed=seed).T, RATE_HZ, "PCM_16", format=kind)
    return out.getvalue()


def inputs(count: int = 8) -> dict[str, bytes]:
    """Files of several lengths, two formats, two folders."""
    return {
        f"{'deep/er/' if n % 3 else ''}{n:03}.{('wav', 'flac')[n % 2]}": sound_file(
            1000 + 3777 * n, ("WAV", "FLAC")[n % 2], 1 + n % 2, n
        )
        for n in range(count)
    }


def fill(s3: S3, files: dict[str, bytes], prefix: str = "in") -> str:
    for name, data in files.items():
        s3.put(f"{prefix}/{name}", data)
    return f"s3://{s3.bucket}/{prefix}"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".raypipe" not in path.parts
    }


def run(source: str | Path, output: str | Path, **settings: Any) -> raypipe.driver.RunReport:  # type: ignore[name-defined]
    given = {"model": "recurrent", "executor": "inline", "segment_s": 0.5, "lanes": 4} | settings
    return raypipe.enhance(source, output, **given)


@pytest.fixture
def wanted(tmp_path: Path) -> dict[str, bytes]:
    """What a local run in this process makes of the inputs."""
    report = run(write(tmp_path / "local-in", inputs()), tmp_path / "local-out")
    assert report.totals.done == len(inputs())
    return tree(tmp_path / "local-out")


def left_over(s3: S3) -> list[str]:
    """Of raypipe's own objects, those that no run should leave."""
    return [k for k in s3.objects() if "/lease" in k or "/tmp" in k or k.endswith("inline")]


def test_a_run_into_a_bucket_is_seen_on_its_machine(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`raypipe top s3://...`: nothing is put into the bucket for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    output, seen = f"s3://{s3.bucket}/out", []

    class Looking(QuietWatch):
        told = 0

        def progress(self, progress: object) -> None:
            self.told += 1
            if self.told == 2:  # the first time the watch is told, the others are not yet
                end_s = time.monotonic() + 10
                while not machine_standings() and time.monotonic() < end_s:
                    time.sleep(0.01)
                assert entry(["top", f"{output}/", "--json"]) == 0
                seen.append(json.loads(capsys.readouterr().out))

    settings = make_settings({"executor": "inline", "lanes": "1"}, environment={})
    driver.run(write(tmp_path / "in", inputs()), output, settings, watch=Looking())
    assert seen[0]["output"] == output
    assert not [key for key in s3.objects() if "status" in key]
    assert entry(["top", output]) == 2


def test_bucket_to_bucket_gives_the_bytes_of_a_local_run(s3: S3, wanted: dict[str, bytes]) -> None:
    source = fill(s3, inputs())
    s3.put("in/folder-marker/", b"")
    s3.put("in/notes.txt", b"no sound")
    report = run(source, f"s3://{s3.bucket}/out")
    assert (report.totals.files, report.totals.done) == (8, 8)
    assert s3.tree("out") == wanted
    assert left_over(s3) == s3.uploads() == []
    told = json.loads(s3.get("out/.raypipe/report.json"))
    assert told["totals"]["done"] == 8
    assert sorted(each["path"] for each in told["files"]) == sorted(inputs())


def test_bucket_to_folder_and_folder_to_bucket(
    s3: S3, wanted: dict[str, bytes], tmp_path: Path
) -> None:
    source = fill(s3, inputs())
    run(source + "/", tmp_path / "out")
    assert tree(tmp_path / "out") == wanted
    run(tmp_path / "local-in", f"s3://{s3.bucket}")
    assert s3.tree("") == wanted | {f"in/{name}": data for name, data in inputs().items()}


def test_what_is_done_is_not_done_again(s3: S3) -> None:
    source, output = fill(s3, inputs()), f"s3://{s3.bucket}/out"
    run(source, output)
    before = {k: s3.client.head_object(Bucket=s3.bucket, Key=k)["LastModified"]
              for k in s3.objects("out") if ".raypipe" not in k}  # fmt: skip
    s3.proxy.forget()
    report = run(source, output)
    assert (report.totals.done, report.totals.skipped) == (0, 8)
    assert not [r for r in s3.proxy.seen if r.method == "GET" and "/in/" in r.path]
    assert before == {k: s3.client.head_object(Bucket=s3.bucket, Key=k)["LastModified"]
                      for k in before}  # fmt: skip

    changed = sound_file(500, seed=99)
    s3.put("in/000.wav", changed)
    s3.client.delete_object(Bucket=s3.bucket, Key="out/deep/er/001.flac")
    report = run(source, output)
    assert (report.totals.done, report.totals.skipped) == (2, 6)
    report = run(source, output, segment_s=0.7, clip="scale")
    assert (report.totals.done, report.totals.skipped) == (8, 0), "another sound, and ours"


def test_what_raypipe_did_not_make_is_not_replaced(s3: S3) -> None:
    source, output = fill(s3, inputs(3)), f"s3://{s3.bucket}/out"
    s3.put("out/000.wav", b"mine")
    report = run(source, output)
    assert (report.totals.done, report.totals.skipped) == (2, 1)
    assert s3.get("out/000.wav") == b"mine"
    s3.put("out/deep/er/001.flac", b"edited")
    report = run(source, output, clip="scale")
    assert s3.get("out/deep/er/001.flac") == b"edited"
    report = run(source, output, overwrite=True)
    assert report.totals.done == 3
    assert s3.get("out/000.wav") != b"mine"


def test_one_file(s3: S3, wanted: dict[str, bytes], tmp_path: Path) -> None:
    source = fill(s3, inputs())
    run(f"{source}/000.wav", tmp_path / "one.wav")
    assert (tmp_path / "one.wav").read_bytes() == wanted["000.wav"]
    run(tmp_path / "local-in/000.wav", f"s3://{s3.bucket}/alone.wav")
    assert s3.get("alone.wav") == wanted["000.wav"]
    assert s3.objects("alone") == ["alone.wav"]
    assert not [key for key in s3.objects() if ".raypipe" in key]
    with pytest.raises(UsageError, match="same file"):
        run(f"{source}/000.wav", f"{source}/000.wav")


def test_globs_and_lists(s3: S3, wanted: dict[str, bytes], tmp_path: Path) -> None:
    source = fill(s3, inputs())
    run(f"{source}/*/er/*.flac", tmp_path / "globbed")
    assert sorted(tree(tmp_path / "globbed")) == [
        "deep/er/001.flac", "deep/er/005.flac", "deep/er/007.flac",
    ]  # fmt: skip
    names = ["000.wav", "deep/er/001.flac", "gone.wav"]
    (tmp_path / "list.txt").write_text("".join(f"{source}/{name}\n" for name in names))
    report = run(f"@{tmp_path}/list.txt", tmp_path / "listed")
    assert (report.totals.done, report.totals.failed) == (2, 1)
    assert [f["reason"] for f in report.files if f["outcome"] == "failed"] == [
        "cannot be read: no such object"
    ]
    assert tree(tmp_path / "listed") == {name: wanted[name] for name in names[:2]}
    s3.put("lists/all.txt", (tmp_path / "list.txt").read_bytes())
    assert run(f"@s3://{s3.bucket}/lists/all.txt", tmp_path / "again").totals.done == 2


def test_addresses_that_cannot_be_meant_are_refused(s3: S3, tmp_path: Path) -> None:
    source = fill(s3, inputs(1))
    for wrong, output, words in (
        (f"s3://{s3.bucket}/none", tmp_path, "no such object, nor a folder with anything in it"),
        (f"{source}/*.mp3", tmp_path, "no object matches this pattern"),
        ("s3://", tmp_path, "names no bucket"),
        (source, source, "IN and OUT are the same folder"),
        (f"{source}/x/..", tmp_path, "no such object"),
        (source, "http://host/out", "can be read from, but not written to"),
    ):
        with pytest.raises(UsageError, match=words):
            run(wrong, output)
    with pytest.raises(StorageError, match="there is no such bucket"):
        run("s3://no-such-bucket/in", tmp_path)
    with pytest.raises(StorageError, match="no such bucket"):
        run(source, "s3://no-such-bucket/out")


def test_an_output_inside_the_input_is_not_read(s3: S3) -> None:
    source = fill(s3, inputs(3))
    assert run(source, f"{source}/out").totals.files == 3
    assert run(source, f"{source}/out").totals.files == 3


def test_names_that_no_file_can_have_fail_alone(s3: S3, tmp_path: Path) -> None:
    source = fill(s3, inputs(2))
    for name in ("a//b.wav", "../../x.wav", "./c.wav"):
        s3.put(f"in/{name}", sound_file(100))
    report = run(source, tmp_path / "out")
    assert (report.totals.done, report.totals.failed) == (2, 3)
    assert sorted(tree(tmp_path / "out")) == sorted(inputs(2))


def test_broken_files_fail_alone_and_tags_are_carried(s3: S3, tmp_path: Path) -> None:
    from mutagen.flac import FLAC

    files = inputs(2)
    path = write(tmp_path / "tagged", files) / "deep/er/001.flac"
    tagged = FLAC(path)
    tagged["title"] = "A title"
    tagged.save()
    source = fill(s3, files | {"deep/er/001.flac": path.read_bytes(), "broken.wav": b"RIFF no"})
    s3.put("in/empty.wav", b"")
    report = run(source, tmp_path / "out")
    assert (report.totals.done, report.totals.failed) == (2, 2)
    assert FLAC(tmp_path / "out/deep/er/001.flac")["title"] == ["A title"]


THROTTLED = Fault(status=503)


def test_faults_of_the_store_change_nothing(s3: S3, wanted: dict[str, bytes]) -> None:
    source = fill(s3, inputs())
    judges = (
        each(3, THROTTLED),
        each(7, Fault(cut_after=300), lambda r: r.method == "GET"),
        each(5, Fault(refuse_upload=True), lambda r: r.method == "PUT" and r.size > 0),
        each(11, Fault(status=500)),
        each(13, Fault(late_s=0.3)),
    )
    s3.proxy.fault = lambda request: next((f for j in judges if (f := j(request))), None)
    report = run(source, f"s3://{s3.bucket}/out")
    assert report.totals.done == 8
    assert s3.tree("out") == wanted
    assert left_over(s3) == s3.uploads() == []


def test_a_store_that_stays_in_trouble_ends_the_run_and_blames_no_file(
    s3: S3, wanted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = fill(s3, inputs()), f"s3://{s3.bucket}/out"
    monkeypatch.setattr(retry, "PATIENCE_S", 1.0)
    s3.proxy.fault = first(10**6, THROTTLED, lambda r: r.method == "GET" and "/in/deep" in r.path)
    with pytest.raises(StorageError, match=r"cannot read: SlowDown \(HTTP 503\), for 1 s"):
        run(source, output)
    s3.proxy.forget()
    told = json.loads(s3.get("out/.raypipe/report.json"))
    assert told["totals"]["failed"] == 0
    assert "SlowDown" in told["interrupted"]
    report = run(source, output)
    assert report.totals.failed == 0
    assert s3.tree("out") == wanted


def test_a_bucket_that_is_kept_from_us_is_one_sentence(s3: S3, tmp_path: Path) -> None:
    source, denied = fill(s3, inputs(2)), Fault(status=403)
    for method, path, words in (
        ("GET", "list-type", "cannot list it: access denied"),
        ("HEAD", "/in", "cannot look at it: access denied"),
        ("PUT", "/out", "cannot write into it: access denied"),
    ):
        s3.proxy.fault = first(
            10**6,
            denied,
            lambda r, m=method, p=path: r.method == m and p in r.path,  # type: ignore[misc]
        )
        with pytest.raises(StorageError, match=words):
            run(source, f"s3://{s3.bucket}/out")


def test_one_object_that_is_kept_from_us_fails_alone(s3: S3) -> None:
    source = fill(s3, inputs(3))
    denied = Fault(status=403)
    s3.proxy.fault = first(10**6, denied, lambda r: r.method == "GET" and "001.flac" in r.path)
    report = run(source, f"s3://{s3.bucket}/out")
    assert (report.totals.done, report.totals.failed) == (2, 1)


def test_plan_and_dry_run(s3: S3) -> None:
    source, output = fill(s3, inputs()), f"s3://{s3.bucket}/out"
    said = subprocess.run(
        [*COMMAND, "plan", source, output, "--json"], env={**os.environ, **s3.environment},
        capture_output=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["to_do"] == 8
    dry = subprocess.run(
        [*COMMAND, "enhance", source, output, "--dry-run"], env={**os.environ, **s3.environment},
        capture_output=True, check=False,
    )  # fmt: skip
    assert dry.returncode == 0, dry.stderr
    assert b"8 to do" in dry.stdout
    assert s3.objects("out") == []


def test_without_credentials_it_is_one_sentence(s3: S3, tmp_path: Path) -> None:
    environment = {**os.environ, **s3.environment, "HOME": str(tmp_path)}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]
    said = subprocess.run(
        [*COMMAND, "enhance", f"s3://{s3.bucket}/in", str(tmp_path / "out")],
        env=environment, capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert said.returncode == 3
    assert "credentials are missing, wrong or too old" in said.stderr
    assert said.stderr.count("\n") == 1


def test_strange_names_and_a_report_in_the_bucket(s3: S3, tmp_path: Path) -> None:
    names = ["a b#c?d%20é+&=.wav", "x[1]*.wav", "日本/ñ.flac", ".hidden.wav"]
    source = fill(s3, {n: sound_file(500, "FLAC" if n.endswith("flac") else "WAV") for n in names})
    output, where = f"s3://{s3.bucket}/out", f"s3://{s3.bucket}/reports/last.json"
    assert run(source, output, report=where).totals.done == len(names)
    assert sorted(s3.tree("out")) == sorted(names)
    assert json.loads(s3.get("reports/last.json"))["totals"]["done"] == len(names)
    assert run(source, output).totals.skipped == len(names)
    assert run(source, tmp_path / "out").totals.done == len(names)
    assert tree(tmp_path / "out") == s3.tree("out")
    assert run(f"{source}/x[1]*.wav", tmp_path / "one").totals.files == 1
    assert run(f"{source}/a b#c?d%20é+&=.wav", tmp_path / "two").totals.files == 1
