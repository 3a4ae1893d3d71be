"""The cluster's nodes, as they are now: who is there, with how many CPUs, and who must be left out.

Comes in: what Ray's head says, asked every few seconds. Goes out: the CPUs that
workers may count on, and the rule by which Ray keeps actors off a node that
cannot do the work.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray

from raypipe.errors import RaypipeError
from raypipe.execution.losses import GOES_ON, HEAD_SILENT

LOOK_S = 3.0
"""Time between two looks: one call to the head each, a millisecond or two for a few nodes."""

KNOCK_S = 1.0
"""Longest wait for the head's port; Ray itself would wait for a minute and then end the process."""

HEAD_S = 40.0
"""A head that does not answer for so long is lost: less than Ray's minute, so that a run ends in
order, and longer than a head takes that begins again."""

NODE_ID_LABEL = "ray.io/node-id"
"""The label that Ray gives every node."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node that is alive."""

    id: str
    address: str
    cpus: int
    memory_bytes: int
    """What Ray hands out of its memory."""

    def __str__(self) -> str:
        return f"node {self.address} ({self.id[:8]})"


class Nodes:
    """All nodes; `look` brings them up to date.

    Parameters
    ----------
    comes_to : str
        What is said of the work so far where the head is lost.
    """

    def __init__(self, comes_to: str = GOES_ON) -> None:
        self._comes_to = comes_to
        context = ray.get_runtime_context()
        self.driver = str(context.get_node_id())
        self.head = str(context.gcs_address)
        self.barred: dict[str, str] = {}
        """Nodes that get no actor, each with the reason."""
        self._alive: dict[str, Node] = {}
        self._looked_s = self._heard_s = time.monotonic()
        self.look()

    def due(self) -> bool:
        """True where the last look is a while ago."""
        return time.monotonic() >= self._looked_s + LOOK_S

    def look(self) -> None:
        """Ask the head; where it does not answer, what was known stays."""
        self._looked_s = time.monotonic()
        try:
            _knock(self.head)
            listed = ray.nodes()
        except (OSError, *HEAD_SILENT):
            return
        self._heard_s = time.monotonic()
        self._alive = {node.id: node for node in map(_node, listed) if node is not None}

    @property
    def head_lost(self) -> bool:
        """True where the head has not answered for `HEAD_S`."""
        return time.monotonic() - self._heard_s > HEAD_S

    def need_head(self) -> None:
        """Wait until somebody listens at the head, before a call that would wait without end.

        Raises
        ------
        RaypipeError
            If the head is lost.
        """
        while True:
            try:
                _knock(self.head)
                return
            except OSError:
                self.refuse_lost_head()
            time.sleep(KNOCK_S)

    def refuse_lost_head(self) -> None:
        """`RaypipeError` where the head is lost."""
        if self.head_lost:
            raise RaypipeError(
                f"the cluster's head at {self.head} has not answered for {HEAD_S:g} s; "
                f"{self._comes_to}"
            )

    def __iter__(self) -> Iterator[Node]:
        return iter(self._alive.values())

    def gone(self, node: str) -> bool:
        """True where Ray has given this node up; asks anew."""
        self.look()
        return node not in self._alive

    @property
    def cpus(self) -> int:
        """CPUs of all nodes that may get workers, whoever uses them at the moment."""
        return sum(node.cpus for node in self if node.id not in self.barred)

    @property
    def largest_memory_bytes(self) -> int:
        """Memory that the largest node hands out."""
        return max((node.memory_bytes for node in self if node.cpus), default=0)

    def bar(self, node: str, reason: str) -> None:
        """Keep actors off a node from now on."""
        self.barred[node] = reason

    def placing(self) -> dict[str, Any]:
        """Options of an actor that may go to any node that is not barred."""
        options: dict[str, Any] = {"scheduling_strategy": "SPREAD"}
        if self.barred:
            options["label_selector"] = {NODE_ID_LABEL: f"!in({','.join(sorted(self.barred))})"}
        return options

    def __str__(self) -> str:
        count = len(self._alive)
        return f"{self.cpus} CPUs on {count} node{'s' * (count != 1)}"


def _knock(address: str) -> None:
    """See whether anybody listens there; `OSError` where nobody does."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()


def _node(listed: dict[str, Any]) -> Node | None:
    if not listed.get("Alive"):
        return None
    has = listed.get("Resources") or {}
    return Node(
        str(listed["NodeID"]),
        str(listed.get("NodeManagerAddress", "")),
        int(has.get("CPU", 0)),
        int(has.get("memory", 0)),
    )
