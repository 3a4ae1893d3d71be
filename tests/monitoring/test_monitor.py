"""What the boards and the metrics are told, and that they cannot end a run."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from raypipe.monitoring import monitor as monitor_module
from raypipe.monitoring.boards import FileBoard
from raypipe.monitoring.metrics import Reading
from raypipe.monitoring.monitor import Monitor
from raypipe.monitoring.standing import Queues
from raypipe.results.report import Totals
from raypipe.telemetry import Progress
from tests.monitoring.made import ABOUT, PROGRESS, QUEUES, RESULT, Kept


def test_the_first_look_tells_and_the_next_ones_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(monitor_module.time, "monotonic", lambda: now_s)
    sink, asked = Kept(), 0

    def queues() -> Queues:
        nonlocal asked
        asked += 1
        return QUEUES

    monitor = Monitor(ABOUT, Totals(), 0.0, sink=sink)
    for tenth in range(31):
        now_s = 100.0 + tenth / 10
        monitor.look(PROGRESS, queues)
    assert len(sink.shown) == asked == 4


def test_the_last_of_it_is_told_when_the_run_ends() -> None:
    totals, sink = Totals(), Kept()
    with Monitor(ABOUT, totals, time.monotonic(), sink=sink) as monitor:
        monitor.ready("worker-1")
        monitor.look(PROGRESS, lambda: QUEUES)
        totals.batches += 1
        totals.done += 3
        monitor.stepped("worker-1", RESULT)
    assert sink.last()["raypipe_batches",] == 1
    assert sink.last()["raypipe_files", "done"] == 3
    assert sink.last()["raypipe_queue_depth", "segments"] == 0, "nothing waits after a run"
    assert sink.batches_s == [0.5]


def test_a_run_that_is_stopped_tells_what_still_waited() -> None:
    sink = Kept()
    with pytest.raises(KeyboardInterrupt), Monitor(ABOUT, Totals(), 0.0, sink=sink) as monitor:
        monitor.look(PROGRESS, lambda: QUEUES)
        raise KeyboardInterrupt
    assert sink.last()["raypipe_queue_depth", "segments"] == 3


def test_a_sink_that_fails_is_said_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Kept):
        def show(self, readings: Iterable[Reading], batches_s: Sequence[float]) -> None:
            raise RuntimeError("no agent")

    with caplog.at_level(logging.WARNING), Monitor(ABOUT, Totals(), 0.0, sink=Broken()) as monitor:
        monitor.look(PROGRESS, lambda: QUEUES)
    assert [record.message for record in caplog.records] == [
        "metrics cannot be handed to Ray; the report has them"
    ]


def test_without_anybody_to_tell_nothing_is_kept() -> None:
    with Monitor(ABOUT, Totals(), 0.0) as monitor:
        for _ in range(10):
            monitor.stepped("worker-1", RESULT)
        assert monitor._batches_s == []
        monitor.look(Progress(), Queues)


def test_the_file_is_there_while_the_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    with Monitor(ABOUT, Totals(done=3), 0.0, [FileBoard(str(path))]) as monitor:
        monitor.look(PROGRESS, lambda: QUEUES)
        end_s = time.monotonic() + 10
        while not path.exists() and time.monotonic() < end_s:
            time.sleep(0.01)
        assert json.loads(path.read_text())["totals"]["done"] == 3
    assert list(tmp_path.iterdir()) == []
