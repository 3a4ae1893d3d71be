"""``raypipe top``: what is seen of a run from another terminal."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from rich.console import Console

from raypipe.cli import top as top_module
from raypipe.cli.top_page import page
from raypipe.monitoring.boards import ClusterBoard, FileBoard, MachineBoard, status_path
from tests.cli.conftest import Raypipe
from tests.cli.test_interrupts import SHOW_CURSOR, Terminal
from tests.monitoring.made import document


@pytest.fixture(autouse=True)
def no_runs_of_other_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of them kill theirs, which are then seen for a while."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def standing_in(out: Path, **changed: object) -> None:
    private = out / ".raypipe"
    private.mkdir(parents=True, exist_ok=True)
    FileBoard(status_path(str(private))).put(json.dumps(document(**changed)).encode())


def drawn(width: int = 100, **changed: object) -> str:
    sheet = io.StringIO()
    Console(file=sheet, width=width).print(page([document(**changed)]))
    return sheet.getvalue()


def test_a_snapshot_says_it_all(raypipe: Raypipe, tmp_path: Path) -> None:
    standing_in(tmp_path)
    ran = raypipe("top", tmp_path, "--once")
    assert (ran.code, ran.err) == (0, "")
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0].startswith("run 0123456789ab 4.0 s recurrent to /out (process ")
    assert lines[1].endswith("1:20 of 3:20, 40 x real time, 3.0 s left")
    assert lines[2:8] == [
        "files 7 done, 3 skipped, 2 failed, 4 open, of 20 files",
        "queues 3 segments for workers, 2 batches at workers, 1 write at collectors",
        "retries 3 batches, 1 file begun again; lost 2 workers, 1 collector",
        "lanes 4.0 of 8 filled",
        "time step 80%, read 13%, publish 7%",
        lines[7],
    ]
    assert lines[7].startswith("driver ")
    assert lines[8] == "worker batches busy lanes memory busy with"
    assert lines[9].startswith("worker-1 2 ") and lines[9].endswith(
        "4.0 210.0 MB step 80%, read 20%"
    )
    assert lines[10].startswith("worker-2 0 ") and lines[10].endswith(" - - -")


def test_without_a_terminal_it_is_a_snapshot(raypipe: Raypipe, tmp_path: Path) -> None:
    standing_in(tmp_path)
    assert "worker-1" in raypipe("top", tmp_path).out


def test_json_is_the_document(raypipe: Raypipe, tmp_path: Path) -> None:
    standing_in(tmp_path, elapsed_s=7.5)
    found = json.loads(raypipe("top", tmp_path, "--json").out)
    assert found["elapsed_s"] == 7.5
    assert found["totals"]["lost_batches"] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["OUT"], "OUT: no run goes on here"),
        (["OUT", "--run", "77"], "OUT: no run whose id begins with 77 goes on here"),
        ([], "no run of yours goes on on this machine; elsewhere: give its OUT or --address"),
        (["OUT", "--address", "auto"], "give the run's OUT, or the --address of its Ray cluster"),
    ],
)
def test_where_no_run_is_one_sentence_says_so(
    raypipe: Raypipe, tmp_path: Path, arguments: list[str], words: str
) -> None:
    out = tmp_path / "out"
    ran = raypipe("top", *[str(out) if a == "OUT" else a for a in arguments])
    assert ran.code == 2
    assert words.replace("OUT:", f"{out}:") in ran.err
    assert len(ran.err.splitlines()) == 1


def test_without_arguments_all_runs_of_this_machine_are_shown(
    raypipe: Raypipe,
) -> None:
    for run, output in (("aaa", "s3://bucket/cleaned"), ("bbb", "/out/one.wav")):
        MachineBoard(run).put(json.dumps(document(run=run, output=output)).encode())
    ran = raypipe("top")
    assert "run aaa" in ran.out and "run bbb" in ran.out
    for output, run in (("s3://bucket/cleaned/", "aaa"), ("/out/one.wav", "bbb")):
        assert json.loads(raypipe("top", output, "--json").out)["run"] == run
    assert raypipe("top", "/out/two.wav").code == 2


def test_a_cluster_that_is_not_there_is_named(
    raypipe: Raypipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # where other tests have one
    ran = raypipe("top", "--address", "127.0.0.1:1")
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert "no Ray cluster can be reached at 127.0.0.1:1" in ran.err


def test_the_report_of_a_run_that_is_over_is_named(raypipe: Raypipe, tmp_path: Path) -> None:
    (tmp_path / ".raypipe").mkdir()
    (tmp_path / ".raypipe" / "report.json").write_text("{}")
    ran = raypipe("top", tmp_path)
    assert ran.code == 2
    assert f"the last one's report is {tmp_path}/.raypipe/report.json" in ran.err


def test_a_run_that_was_killed_is_not_shown_as_one_that_goes_on(
    raypipe: Raypipe, tmp_path: Path
) -> None:
    standing_in(tmp_path, updated_unix_s=time.time() - 75)
    ran = raypipe("top", tmp_path)
    assert ran.code == 2
    assert "has told nothing for 1:15: it was killed" in ran.err


def test_a_run_that_falls_silent_is_marked() -> None:
    assert "no news" not in drawn()
    assert "no news for 8.0 s" in drawn(updated_unix_s=time.time() - 8)


def test_many_workers_do_not_flood_the_screen() -> None:
    (one, _) = document()["workers"]
    lines = drawn(workers=[one | {"name": f"worker-{n}"} for n in range(500)]).splitlines()
    assert len(lines) < 60
    assert "and 460 more" in lines[-1]


@pytest.mark.parametrize("width", [60, 200])
def test_a_run_that_has_just_begun_can_be_drawn(width: int) -> None:
    nothing = {"listed": 0, "all_listed": False, "audio_s": 0.0, "total_s": None, "left_s": None,
               "x_real_time": 0.0}  # fmt: skip
    assert "at least 0 files" in " ".join(drawn(width, progress=nothing, workers=[]).split())


def test_it_is_drawn_anew_until_the_run_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(top_module, "INTERVAL_S", 0.0)
    later = [[document(run="second")], [document(run="third")], []]
    top_module._watch(lambda: later.pop(0), [document(run="first")])
    assert later == []
    assert "run third" in capsys.readouterr().out


def test_a_real_run_is_seen_while_it_goes_on_and_not_after(
    raypipe: Raypipe, tmp_path: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(40):
        sf.write(source / f"{number}.wav", np.zeros(16_000 * 30), 16_000)
    run = subprocess.Popen(
        [sys.executable, "-c", "from raypipe.cli import main; main()", "enhance", str(source),
         str(out), "--executor", "inline", "--model", "recurrent", "--lanes", "1", "--quiet"],
    )  # fmt: skip
    seen = None
    while seen is None and run.poll() is None:
        time.sleep(0.05)
        ran = raypipe("top", out, "--json")
        if ran.code == 0 and json.loads(ran.out)["totals"]["done"]:
            seen = json.loads(ran.out)
    assert run.wait(60) == 0
    assert seen is not None, "the run was over before it could be seen"
    assert seen["pid"] == run.pid
    assert [worker["name"] for worker in seen["workers"]] == ["inline"]
    assert seen["progress"]["listed"] == 40
    ran = raypipe("top", out)
    assert (ran.code, "no run goes on here" in ran.err) == (2, True)


def test_ctrl_c_ends_the_view_and_nothing_else(tmp_path: Path) -> None:
    standing_in(tmp_path)
    view = Terminal("top", tmp_path)
    view.read_until("40 x real time")
    standing_in(tmp_path, run="ba9876543210")
    view.read_until("run ba9876543210")
    view.process.send_signal(signal.SIGINT)
    assert view.read_all() == 0
    assert "raypipe:" not in view.text
    assert view.text.rindex(SHOW_CURSOR) > view.text.rindex("run ba9876543210")


@pytest.mark.ray
def test_the_runs_of_a_cluster_are_shown(raypipe: Raypipe, ray_cluster: None) -> None:
    ran = raypipe("top", "--address", "auto")
    assert (ran.code, "no run goes on in the cluster at auto" in ran.err) == (2, True)
    places = [ClusterBoard("aaa"), ClusterBoard("bbb")]
    for place, run in zip(places, ("aaa", "bbb"), strict=True):
        place.put(json.dumps(document(run=run)).encode())
    try:
        ran = raypipe("top", "--address", "auto")
        assert ran.out.count("\nrun ") == 1 and ran.out.startswith("run ")
        ran = raypipe("top", "--address", "auto", "--run", "b", "--json")
        assert json.loads(ran.out)["run"] == "bbb"
    finally:
        for place in places:
            place.clear()
