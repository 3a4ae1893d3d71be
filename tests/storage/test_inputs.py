"""Objects read by ranges: no more than is needed, exact, and errors that are told apart."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import soundfile as sf

import raypipe
from raypipe.audio.probe import probe
from raypipe.audio.read import open_sound
from raypipe.errors import StorageError, UnreadableAudio, UsageError
from raypipe.storage import retry
from raypipe.storage.address import forget_stores, store_of
from raypipe.storage.inputs import open_input, opened_together
from raypipe.storage.remote import HEAD_BYTES, MOST_BYTES
from tests.signals import noise
from tests.stores import S3, Fault, each, first

RATE_HZ = 48_000
LONG_S = 60


def coded(sound: Any, kind: str, **more: Any) -> bytes:
    out = io.BytesIO()
    sf.write(out, sound, RATE_HZ, "PCM_16", format=kind, **more)
    return out.getvalue()


@pytest.fixture(scope="module")
def long() -> Any:
    return (noise(LONG_S * RATE_HZ, 2, 0.1).T * 2**15).astype(np.int16)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_segment_of_a_long_file_does_not_pull_the_whole_file(
    s3: S3, long: Any, kind: str
) -> None:
    data = coded(long, kind)
    address = s3.put(f"long.{kind.lower()}", data)
    info = probe(address)
    assert info.frames == len(long)
    assert (len(s3.proxy.seen), s3.proxy.served) == (1, HEAD_BYTES)

    s3.proxy.forget()
    start, frames = 40 * RATE_HZ, 2 * RATE_HZ
    with open_sound(address, info) as reader:
        reader.seek(start)
        sound = reader.read(frames)
    assert np.array_equal(sound, (long[start : start + frames].T * 2.0**-15).astype(np.float32))
    segment_bytes = frames * 2 * 2
    looked_for = 2 * HEAD_BYTES if kind == "FLAC" else 0  # it has no table of its frames
    assert s3.proxy.served <= HEAD_BYTES + looked_for + segment_bytes + 2 * MOST_BYTES
    assert s3.proxy.served < len(data) / 4
    assert len(s3.proxy.seen) <= 7


def test_reading_on_takes_few_requests_and_nothing_twice(s3: S3, long: Any) -> None:
    data = coded(long, "WAV")
    with open_sound(s3.put("long.wav", data)) as reader:
        while reader.read(RATE_HZ).shape[1]:
            pass
    ranges = sorted(
        [int(end) for end in request.range.removeprefix("bytes=").split("-")]
        for request in s3.proxy.seen
        if s3.bucket in request.path and request.method == "GET"
    )  # not those that another test has sent for
    assert [start for start, _ in ranges] == [0, *(last + 1 for _, last in ranges[:-1])]
    assert len(ranges) <= 4 + len(data) // MOST_BYTES


def test_an_object_reads_as_a_file_does(s3: S3) -> None:
    data = noise(100_000).tobytes()
    address = s3.put("bytes", data)
    plain, random = io.BytesIO(data), np.random.default_rng(3)
    with open_input(address) as remote:
        for _ in range(300):
            at, size = int(random.integers(0, len(data) + 99)), int(random.integers(0, 70_000))
            whence = int(random.choice([0, 2]))
            at = at if whence == 0 else -min(at, len(data))
            assert remote.seek(at, whence) == plain.seek(at, whence)
            assert remote.read(size) == plain.read(size)
            assert remote.tell() == plain.tell()


def test_the_sound_is_that_of_a_local_file_in_every_container(s3: S3, tmp_path: Path) -> None:
    sound = noise(20_000, 2).T
    for name in ("a.wav", "a.flac", "a.aiff", "a.ogg", "a.mp3", "a.caf", "a.opus", "a.w64"):
        kind = {"opus": "OGG", "mp3": "MP3"}.get(name[2:], name[2:].upper())
        subtype = {"opus": "OPUS", "ogg": "VORBIS", "mp3": "MPEG_LAYER_III"}.get(name[2:], "PCM_16")
        sf.write(tmp_path / name, sound, RATE_HZ, subtype, format=kind)
        address = s3.put(name, (tmp_path / name).read_bytes())
        assert probe(address) == probe(str(tmp_path / name))
        with open_sound(address) as far, open_sound(str(tmp_path / name)) as near:
            assert np.array_equal(far.read(99_000), near.read(99_000)), name


def test_pyav_reads_objects_too(s3: S3, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=RATE_HZ)
        frame = av.AudioFrame.from_ndarray(noise(RATE_HZ), format="fltp", layout="mono")
        frame.rate = RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    address = s3.put("a.m4a", path.read_bytes())
    with open_sound(address) as far, open_sound(str(path)) as near:
        assert np.array_equal(far.read(99_000), near.read(99_000))


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_broken_connections_and_throttling_change_nothing(s3: S3, name: str, long: Any) -> None:
    data = coded(long[: RATE_HZ * 9], name[2:].upper())
    address = s3.put(name, data)
    faults = [Fault(cut_after=1000), Fault(status=503), Fault(status=500), Fault(cut_after=0)]
    judges = [each(3 + number, fault) for number, fault in enumerate(faults)]
    s3.proxy.fault = lambda request: next((f for j in judges if (f := j(request))), None)
    with open_sound(address) as reader:
        parts = []
        while (part := reader.read(RATE_HZ)).shape[1]:
            parts.append(part)
    sound = np.concatenate(parts, axis=1)
    assert np.array_equal(sound, (long[: RATE_HZ * 9].T * 2.0**-15).astype(np.float32))


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_store_that_stays_in_trouble_is_not_the_files_fault(
    s3: S3, name: str, long: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = s3.put(name, coded(long[: RATE_HZ * 9], name[2:].upper()))
    monkeypatch.setattr(retry, "PATIENCE_S", 0.5)
    with open_sound(address) as reader:
        reader.read(100)
        s3.proxy.fault = first(10**6, Fault(status=503))
        with pytest.raises(StorageError, match=rf"{name}: cannot read: SlowDown \(HTTP 503\), for"):
            reader.read(RATE_HZ * 9)


def test_an_object_that_changes_or_vanishes_while_it_is_read_is_at_fault(s3: S3, long: Any) -> None:
    address = s3.put("a.wav", coded(long[: RATE_HZ * 9], "WAV"))
    with open_sound(address) as reader:
        reader.read(10)
        s3.put("a.wav", coded(long[: RATE_HZ * 10], "WAV"))
        with pytest.raises(UnreadableAudio, match="it was changed while it was read"):
            reader.read(RATE_HZ * 9)
    with open_sound(address) as reader:
        s3.client.delete_object(Bucket=s3.bucket, Key="a.wav")
        with pytest.raises(UnreadableAudio, match="no such object"):
            reader.read(RATE_HZ * 9)


def test_what_was_fetched_is_forgotten_with_the_last_reader(s3: S3) -> None:
    address = s3.put("a", b"one")
    with open_input(address) as one, open_input(address) as two:
        assert one.read() + two.read() == b"oneone"
    s3.put("a", b"two")
    with open_input(address) as again:
        assert again.read() == b"two"


def test_many_are_opened_side_by_side(s3: S3) -> None:
    addresses = [s3.put(f"{n}", bytes(10)) for n in range(20)]
    s3.proxy.fault = each(1, Fault(late_s=0.2))
    held = opened_together([*addresses, f"s3://{s3.bucket}/gone", "/local/file"])
    assert len(held) == 20
    s3.proxy.forget()
    assert all(open_input(address).read() == bytes(10) for address in addresses)
    assert s3.proxy.seen == []


class Plain(SimpleHTTPRequestHandler):
    """Python's own server: no ranges."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


class Ranged(Plain):
    """The same, with ranges."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, wanted = path.read_bytes(), self.headers.get("Range", "")
        start, stop = 0, len(data)
        if wanted:
            first_byte, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(first_byte), min(int(last) + 1, len(data))
        self.server.served += stop - start  # type: ignore[attr-defined]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[start:stop])


@pytest.fixture(params=[Plain, Ranged])
def web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path, Any]]:
    """Address and folder of a web server on loopback."""
    (tmp_path / "www").mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(request.param, directory=str(tmp_path / "www"))
    )
    server.served = 0  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    forget_stores()
    yield f"http://127.0.0.1:{server.server_address[1]}", tmp_path / "www", server
    forget_stores()
    server.shutdown()
    server.server_close()


def test_web_files(web: tuple[str, Path, Any], tmp_path: Path, long: Any) -> None:
    url, folder, server = web
    (folder / "deep").mkdir()
    (folder / "deep/a b.wav").write_bytes(coded(long[: RATE_HZ * 20], "WAV"))
    (folder / "c.flac").write_bytes(coded(long[: RATE_HZ * 3], "FLAC"))
    given = {"executor": "inline"}
    raypipe.enhance(f"{url}/deep/a%20b.wav?token=secret", tmp_path / "one", **given)
    assert (tmp_path / "one/a b.wav").exists()
    assert "secret" not in (tmp_path / "one/.raypipe/report.json").read_text()
    journal = next((tmp_path / "one/.raypipe/journal").iterdir())
    assert "secret" not in journal.read_text()
    again = raypipe.enhance(f"{url}/deep/a%20b.wav?token=another", tmp_path / "one", **given)
    assert again.totals.skipped == 1

    (tmp_path / "list.txt").write_text(f"{url}/deep/a%20b.wav\n{url}/c.flac\n{url}/gone.wav\n")
    report = raypipe.enhance(f"@{tmp_path}/list.txt", tmp_path / "out", **given)
    assert (report.totals.done, report.totals.failed) == (2, 1)
    for name in ("deep/a b.wav", "c.flac"):
        assert np.array_equal(sf.read(folder / name)[0], sf.read(tmp_path / "out" / name)[0])
    if isinstance(server, ThreadingHTTPServer) and server.served:  # type: ignore[attr-defined]
        server.served = 0  # type: ignore[attr-defined]
        probe(f"{url}/deep/a%20b.wav")
        assert server.served == HEAD_BYTES  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="no such file on the server"):
        raypipe.enhance(f"{url}/gone.wav?token=secret", tmp_path / "one", **given)


def test_a_reference_on_the_web(web: tuple[str, Path, Any], tmp_path: Path, long: Any) -> None:
    url, folder, _ = web
    data = coded(long[: RATE_HZ * 2], "WAV")
    for path in (folder / "clean.wav", tmp_path / "in/a.wav"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    given = {"executor": "inline", "reference": f"{url}/clean.wav?token=secret"}
    report = raypipe.score(tmp_path / "in/a.wav", **given)
    (row,) = report.rows()
    assert (row["si_sdr_db"], row["delay_samples"]) == (100, 0)
    with pytest.raises(
        UsageError, match=r"clean\.wav: is a file, but .* needs a folder"
    ) as refused:
        raypipe.score(tmp_path / "in", **given)
    assert "secret" not in str(refused.value)
    with pytest.raises(UsageError, match=r"gone: no such folder of references"):
        raypipe.score(tmp_path / "in", executor="inline", reference=f"{url}/gone")


def test_a_web_file_is_measured_against_one_of_the_web(
    web: tuple[str, Path, Any], long: Any
) -> None:
    url, folder, _ = web
    for name, level in (("clean.wav", 1.0), ("quiet.wav", 0.5)):
        (folder / name).write_bytes(coded((level * long[: RATE_HZ * 2]).astype(np.int16), "WAV"))
    (row,) = raypipe.score(f"{url}/quiet.wav", reference=f"{url}/clean.wav").rows()
    assert row["level_difference_db"] == pytest.approx(-6.02, abs=0.01)
    with pytest.raises(UsageError, match=r"gone\.wav: no such folder of references"):
        raypipe.score(f"{url}/quiet.wav", reference=f"{url}/gone.wav")


def test_a_web_server_that_is_not_there_is_the_storages_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "UNKNOWN_PATIENCE_S", 0.3)
    forget_stores()
    with pytest.raises(
        StorageError, match=r"cannot look at: the connection was refused, for 0\.3 s"
    ):
        store_of("http://127.0.0.1:9/a.wav").stat("http://127.0.0.1:9/a.wav")
    forget_stores()
