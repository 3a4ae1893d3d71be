"""A standing appears whole, is gone after the run, and never holds the run up."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from raypipe.errors import StorageError
from raypipe.monitoring import boards
from raypipe.monitoring.boards import (
    NAMESPACE,
    PREFIX,
    ClusterBoard,
    FileBoard,
    MachineBoard,
    Noticeboards,
    cluster_standings,
    file_standing,
    machine_folder,
    machine_standings,
    status_path,
)
from tests.monitoring.made import document


class Slow:
    """A board that takes its time."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.go_on = threading.Event()
        self.cleared = False

    def put(self, text: bytes) -> None:
        self.texts.append(text)
        assert self.go_on.wait(10)

    def clear(self) -> None:
        self.cleared = True


def test_what_is_put_is_read_and_what_is_cleared_is_gone(tmp_path: Path) -> None:
    path = status_path(str(tmp_path))
    board = FileBoard(path)
    assert file_standing(path) is None
    board.put(b'{"updated_unix_s": 1}')
    board.put(b'{"updated_unix_s": 2}')
    assert file_standing(path) == {"updated_unix_s": 2}
    board.clear()
    board.clear()
    assert list(tmp_path.iterdir()) == []
    assert file_standing(status_path(str(tmp_path / "nowhere"))) is None


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b'{"a": 1}', b"\xff"])
def test_a_file_that_is_no_standing_is_named(tmp_path: Path, text: bytes) -> None:
    path = status_path(str(tmp_path))
    FileBoard(path).put(text)
    with pytest.raises(StorageError, match=r"status\.json: is not what a run of raypipe writes"):
        file_standing(path)


def test_the_newest_goes_up_and_older_ones_are_left_out() -> None:
    slow = Slow()
    notices = Noticeboards([slow])
    for number in range(100):
        begin_s = time.monotonic()
        notices.put({"number": number})
        assert time.monotonic() - begin_s < 1
        while not slow.texts:
            time.sleep(0.001)
    slow.go_on.set()
    while len(slow.texts) < 2:
        time.sleep(0.001)
    notices.close()
    assert slow.texts == [b'{"number": 0}', b'{"number": 99}']
    assert slow.cleared


def test_a_board_that_fails_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    path = str(tmp_path / "a.json")
    notices = Noticeboards([FileBoard(str(tmp_path / "nowhere" / "a.json")), FileBoard(path)])
    notices.put(document())
    end_s = time.monotonic() + 10
    while file_standing(path) is None and time.monotonic() < end_s:
        time.sleep(0.01)
    assert file_standing(path) is not None
    notices.close()
    assert list(tmp_path.iterdir()) == []


def test_a_board_that_hangs_does_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "LAST_WORD_S", 0.2)
    slow = Slow()
    notices = Noticeboards([slow])
    notices.put({})
    begin_s = time.monotonic()
    notices.close()
    assert time.monotonic() - begin_s < 5
    slow.go_on.set()


def test_runs_of_this_machine_are_found_and_the_dead_ones_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert machine_standings() == []
    one, two = document(run="one", elapsed_s=1.0), document(run="two", elapsed_s=2.0)
    places = [MachineBoard("one"), MachineBoard("two")]
    for place, told in zip(places, (one, two), strict=True):
        place.put(json.dumps(told).encode())
    assert [found["run"] for found in machine_standings()] == ["two", "one"], "the older one first"
    Path(machine_folder(), "broken.json").write_text("{")
    old_s = time.time() - 2 * boards.FORGOTTEN_S
    os.utime(Path(machine_folder(), "one.json"), (old_s, old_s))
    places.append(MachineBoard("three"))
    places[-1].put(json.dumps(document(run="three")).encode())
    assert {found["run"] for found in machine_standings()} == {"two", "three"}
    for place in places:
        place.clear()
    assert machine_standings() == []


@pytest.mark.ray
def test_runs_of_a_cluster_are_found_and_the_dead_ones_swept(ray_cluster: None) -> None:
    one, two = document(run="one", elapsed_s=1.0), document(run="two", elapsed_s=2.0)
    dead = document(run="dead", updated_unix_s=time.time() - 2 * boards.FORGOTTEN_S)
    boards._kv()._internal_kv_put(PREFIX + b"broken", b"{", namespace=NAMESPACE)
    places = []
    for told in (dead, one, two):
        places.append(ClusterBoard(told["run"]))
        places[-1].put(json.dumps(told).encode())
    assert [found["run"] for found in cluster_standings()] == ["two", "one"], "the older one first"
    for place in places:
        place.clear()
    assert cluster_standings() == []
    boards._kv()._internal_kv_del(PREFIX + b"broken", namespace=NAMESPACE)
