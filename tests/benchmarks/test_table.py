"""Rounds, medians, ratios, and rows of peers that are not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from benchmarks.peers.processes import PeerFailed
from benchmarks.table import Contender, Question, Run, as_json, ask, machine, markdown, spoken


def runs(*seconds: float) -> Callable[[], Run]:
    left: Iterator[float] = iter(seconds)
    return lambda: Run(100, next(left), {"size": 5.0})


def fail() -> Run:
    raise PeerFailed("fell over")


@pytest.fixture
def question() -> Question:
    """A base of 50 x, another of 100 x, one that is not installed and one that fails."""
    return Question(
        "speed", "How fast?",
        [
            Contender("base", runs(2, 1, 4)),
            Contender("ours", runs(1, 0.5, 2), {"ratio to base": "base"}, "two files"),
            Contender("absent", fail, {"ratio to base": "base"}, missing="not installed (x)"),
            Contender("broken", fail, {"ratio to base": "base"}),
        ],
        {"size, m": "size"}, ["A note."],
    )  # fmt: skip


def test_the_table_has_medians_ratios_facts_and_reasons(question: Question) -> None:
    ask(question, 3)
    assert markdown(question).splitlines() == [
        "### How fast?",
        "",
        "|  | x real time | lowest to highest | ratio to base | size, m |",
        "|---|---:|---:|---:|---:|",
        "| base | 50.0 | 25.0 to 100 |  | 5.0 |",
        "| ours (two files) | 100 | 50.0 to 200 | 2.00 | 5.0 |",
        "| absent | not installed (x) |  |  |  |",
        "| broken | failed: fell over |  |  |  |",
        "",
        "A note.",
    ]


def test_every_contender_runs_once_before_any_runs_again() -> None:
    order: list[str] = []

    def told(name: str) -> Callable[[], Run]:
        def run() -> Run:
            order.append(name)
            return Run(1, 1)

        return run

    ask(Question("q", "Q", [Contender(name, told(name)) for name in "abc"]), 2)
    assert "".join(order) == "abcabc"


def test_a_contender_that_fails_is_not_asked_again_and_keeps_no_figures() -> None:
    calls: list[int] = []

    def second_time_unlucky() -> Run:
        calls.append(1)
        return Run(1, 1) if len(calls) == 1 else fail()

    question = Question("q", "Q", [Contender("x", second_time_unlucky)])
    ask(question, 5)
    assert len(calls) == 2
    assert question.contenders[0].runs == []


def test_a_ratio_to_a_missing_contender_is_empty() -> None:
    question = Question("q", "Q", [Contender("x", runs(1), {"ratio to gone": "gone"})])
    ask(question, 1)
    assert question.ratio(question.contenders[0], "ratio to gone") is None


def test_json_has_every_figure(question: Question) -> None:
    ask(question, 3)
    facts = json.loads(json.dumps(as_json(question)))
    ours = facts["contenders"][1]
    assert [run["seconds"] for run in ours["runs"]] == [1, 0.5, 2]
    assert ours["ratios"] == {"ratio to base": 2.0}
    assert ours["runs"][0]["facts"] == {"size": 5.0}


def test_the_machine_says_its_cores_and_versions() -> None:
    facts = machine()
    assert facts["cpus"] >= 1
    assert facts["versions"]["numpy"]
    assert "ray" in facts["versions"]


def test_lengths_are_said_as_people_say_them() -> None:
    assert [spoken(s) for s in (36_000, 600, 20)] == ["10 hours", "10 minutes", "20 s"]
