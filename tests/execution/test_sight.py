"""What a node says of paths that it sees, sees differently, or does not see."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("ray")

from raypipe.execution import sight as room
from raypipe.execution.nodes import Node
from raypipe.execution.sight import Sight, look, sight_of
from raypipe.storage import LocalHold, LocalPlace
from raypipe.storage.bucket import BucketPlace


@pytest.fixture
def place(tmp_path: Path) -> Iterator[LocalPlace]:
    with LocalHold(str(tmp_path / "out")) as held:
        yield held


@pytest.fixture
def seen(tmp_path: Path, place: LocalPlace) -> Sight:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.wav").write_bytes(b"sound")
    return sight_of(
        [(str(tmp_path / "in"), None), (str(tmp_path / "in/a.wav"), 5), ("s3://b/in", None)], place
    )


def test_a_node_that_sees_all_has_nothing_to_say(seen: Sight, place: LocalPlace) -> None:
    assert look(seen) == ""
    assert os.listdir(place.private + "/tmp") == [os.path.basename(seen.token)]


def test_nothing_is_asked_of_addresses() -> None:
    bucket = BucketPlace("s3://b/out", "0" * 12)
    assert sight_of([("s3://b/in", None)], bucket) == Sight()
    assert look(Sight()) == ""


def test_a_folder_that_is_not_there(seen: Sight, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "in")
    wanted = f"cannot see {tmp_path}/in: no such folder; mount it there, or use a bucket"
    assert look(seen) == wanted


def test_an_empty_mount_point_is_told_by_a_file_that_should_be_in_it(
    seen: Sight, tmp_path: Path
) -> None:
    os.unlink(tmp_path / "in/a.wav")
    wanted = f"cannot see {tmp_path}/in/a.wav: no such file; mount it there, or use a bucket"
    assert look(seen) == wanted


def test_another_folder_of_the_same_name(seen: Sight, tmp_path: Path) -> None:
    (tmp_path / "in/a.wav").write_bytes(b"other sound")
    assert look(seen) == (
        f"has another {tmp_path}/in/a.wav: 11 bytes, 5 on the driver's node; "
        "mount the same folder there"
    )


def test_an_output_that_is_not_there(seen: Sight, tmp_path: Path) -> None:
    os.rename(tmp_path / "out", tmp_path / "elsewhere")
    assert look(seen) == (
        f"cannot see {tmp_path}/out: no such folder; mount it there, or use a bucket"
    )


@pytest.mark.parametrize("word", [None, "another run's"])
def test_another_output_of_the_same_name(
    seen: Sight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str | None
) -> None:
    monkeypatch.setattr(room, "CACHED_S", 0.3)
    os.unlink(seen.token)
    if word is not None:
        Path(seen.token).write_text(word)
    assert look(seen) == (
        f"sees another folder at {tmp_path}/out than the driver; mount the same one there"
    )


def test_a_file_that_a_network_file_system_shows_late_is_waited_for(
    seen: Sight, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.rename(seen.token, seen.token + "-hidden")
    monkeypatch.setattr(room.time, "sleep", lambda s: os.rename(seen.token + "-hidden", seen.token))
    assert look(seen) == ""


def test_an_output_that_cannot_be_written(seen: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.uuid, "uuid4", lambda: type("Long", (), {"hex": "x/y"}))
    assert look(seen).startswith(f"cannot write into {seen.output}: ")


def test_another_version(seen: Sight) -> None:
    said = look(replace(seen, version="0.0.1"))
    assert said.startswith("has raypipe ")
    assert said.endswith(", the driver 0.0.1; install the same on every node")


def test_a_module_that_only_the_driver_has(seen: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = replace(seen, modules=("json", "soxr"))
    assert look(needed) == ""
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert look(needed) == "has no soxr, which the driver has; install the same on every node"


@pytest.mark.ray
def test_nobody_waits_for_an_answer_of_a_node_that_is_gone(ray_cluster: None) -> None:
    class Gone(list[Node]):
        def look(self) -> None:
            self.clear()

    import ray

    @ray.remote(num_cpus=0)
    def sleep() -> None:
        time.sleep(600)

    never = sleep.remote()
    node = Node("a", "192.0.2.1", 1, 0)
    room._await({node: never}, Gone([node]))
    assert ray.wait([never], timeout=0) == ([], [never])
    ray.cancel(never, force=True)
