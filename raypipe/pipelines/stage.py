"""What a stage is: anything that touches sound, in four words.

A stage holds no memory of a stream; what it must remember is handed in and out
as `State`, so that it can be taken, stored and sent. Sound comes in and goes
out as ``(lanes, samples)``; nothing that comes in is modified.
"""

from __future__ import annotations

from typing import Protocol

from raypipe.types import Samples, State


class Stage(Protocol):
    """`reset`, `process`, `flush`, `latency`."""

    @property
    def latency(self) -> int:
        """Samples by which the output is late, at the output's rate."""

    def reset(self, lanes: int) -> State:
        """New state for so many lanes."""

    def process(self, sound: Samples, state: State) -> tuple[Samples, State]:
        """Take sound in; give what is ready, and the state for the next call."""

    def flush(self, state: State) -> Samples:
        """What is still inside, at the end of a stream."""


def join_states(**parts: State) -> State:
    """One dict from several stages' states, each name behind its stage's name and a dot."""
    return {f"{stage}.{name}": a for stage, state in parts.items() for name, a in state.items()}


def part_of(state: State, stage: str) -> State:
    """The state of one stage out of a joined one."""
    head = stage + "."
    return {name[len(head) :]: a for name, a in state.items() if name.startswith(head)}
