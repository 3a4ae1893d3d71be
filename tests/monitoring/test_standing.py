"""The document that a run tells: whole, JSON, and free of what does not belong to it."""

from __future__ import annotations

import json
import os

from raypipe.monitoring.standing import Queues, Standing
from raypipe.telemetry import Progress
from tests.monitoring.made import ABOUT, RESULT, document


def test_it_is_json_and_says_who_runs_where() -> None:
    told = document()
    assert json.loads(json.dumps(told)) == told
    assert (told["run"], told["model"], told["output"], told["lanes"]) == (
        "0123456789ab", "recurrent", "/out", 8,
    )  # fmt: skip
    assert (told["pid"], told["host"]) == (os.getpid(), os.uname().nodename)
    assert 4.0 <= told["elapsed_s"] < 5.0
    assert told["open_files"] == 4
    assert told["queues"] == {"segments": 3, "batches": 2, "writes": 1}
    assert told["progress"]["total_s"] == 200.0


def test_a_workers_batches_add_up() -> None:
    one, two = document()["workers"]
    assert (one["name"], one["batches"], one["lane_s"], one["longest_s"]) == (
        "worker-1", 2, 32.0, 8.0,
    )  # fmt: skip
    assert one["busy_s"] == {"read": 0.2, "step": 0.8}
    assert one["rss_bytes"] == 210_000_000
    assert (two["name"], two["batches"], two["rss_bytes"]) == ("worker-2", 0, 0)


def test_a_lost_worker_is_gone_and_its_successor_begins_anew() -> None:
    standing = Standing(ABOUT, 0.0)
    standing.ready("worker-1")
    standing.stepped("worker-1", RESULT)
    standing.lost("worker-1")
    standing.stepped("worker-1", RESULT)  # an answer that came after all
    standing.ready("worker-1.2")
    (worker,) = standing.document({}, Progress(), Queues())["workers"]
    assert (worker["name"], worker["batches"]) == ("worker-1.2", 0)
