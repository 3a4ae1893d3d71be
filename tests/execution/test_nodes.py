"""The cluster's nodes as Ray's head lists them; what it says is made up here."""

from __future__ import annotations

import time
from typing import Any

import pytest

ray = pytest.importorskip("ray")

from raypipe.errors import RaypipeError  # noqa: E402
from raypipe.execution import nodes as room  # noqa: E402
from raypipe.execution.nodes import HEAD_S, Nodes  # noqa: E402


def listed(name: str, cpus: float | None, alive: bool = True) -> dict[str, Any]:
    has: dict[str, float] = {"memory": 8e9}
    if cpus is not None:
        has["CPU"] = cpus
    return {
        "NodeID": name * 56, "Alive": alive, "NodeManagerAddress": f"10.0.0.{ord(name)}",
        "Resources": has if alive else {},
    }  # fmt: skip


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the head says next: a list of nodes, or an error."""
    said: list[Any] = [[listed("a", None), listed("b", 4.0), listed("c", 2.5)]]

    def answer() -> Any:
        if isinstance(said[0], Exception):
            raise said[0]
        return said[0]

    class Context:
        gcs_address = "10.0.0.97:6379"

        def get_node_id(self) -> str:
            return "a" * 56

    def knock(address: str) -> None:
        if isinstance(said[0], OSError):
            raise said[0]

    monkeypatch.setattr(room, "_knock", knock)
    monkeypatch.setattr(room.ray, "nodes", answer)
    monkeypatch.setattr(room.ray, "get_runtime_context", Context)
    return said


def test_a_head_without_cpus_counts_for_nothing_and_half_cpus_neither(head: list[Any]) -> None:
    nodes = Nodes()
    assert nodes.cpus == 6
    assert nodes.driver == "a" * 56
    assert nodes.largest_memory_bytes == 8_000_000_000
    assert str(nodes) == "6 CPUs on 3 nodes"
    assert [str(node) for node in nodes][1] == "node 10.0.0.98 (bbbbbbbb)"


def test_nodes_come_and_go(head: list[Any]) -> None:
    nodes = Nodes()
    assert not nodes.due()
    head[0] = [listed("a", None), listed("b", 4.0, alive=False), listed("d", 8.0)]
    assert nodes.gone("b" * 56)
    assert nodes.gone("c" * 56)
    assert not nodes.gone("d" * 56)
    assert nodes.cpus == 8


@pytest.mark.parametrize(
    "error",
    [
        ray.exceptions.RpcError("unavailable"),
        ray.exceptions.GetTimeoutError("late"),
        ConnectionRefusedError(111, "nobody listens"),
    ],
    ids=repr,
)
def test_while_the_head_is_silent_what_was_known_stays(head: list[Any], error: Exception) -> None:
    nodes = Nodes()
    head[0] = error
    nodes.look()
    assert nodes.cpus == 6
    assert not nodes.gone("b" * 56)
    assert not nodes.head_lost


def test_a_head_that_is_silent_for_long_is_lost_until_it_answers(
    head: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes, lost_to_score = Nodes(), Nodes("the same command begins anew")
    before, head[0] = head[0], ConnectionRefusedError(111, "nobody listens")
    now_s = time.monotonic()
    monkeypatch.setattr(room.time, "monotonic", lambda: now_s + HEAD_S + 1)
    nodes.look()
    assert nodes.head_lost
    with pytest.raises(RaypipeError, match=r"head at 10\.0\.0\.97:6379 has not answered for 40 s"):
        nodes.need_head()
    with pytest.raises(RaypipeError, match=r"for 40 s; the same command begins anew$"):
        lost_to_score.need_head()
    head[0] = before
    nodes.look()
    assert not nodes.head_lost
    nodes.need_head()


def test_a_node_that_is_barred_gives_no_cpus_and_gets_no_actor(head: list[Any]) -> None:
    nodes = Nodes()
    assert nodes.placing() == {"scheduling_strategy": "SPREAD"}
    nodes.bar("c" * 56, "cannot see /in")
    assert nodes.cpus == 4
    nodes.bar("b" * 56, "cannot see /in")
    assert nodes.cpus == 0
    selector = nodes.placing()["label_selector"]
    assert selector == {"ray.io/node-id": f"!in({'b' * 56},{'c' * 56})"}
    ray.remote(lambda: None).options(**nodes.placing())  # else Ray refuses to read it


def test_the_clock_says_when_to_look_again(
    head: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_S", 0.0)
    assert Nodes().due()
