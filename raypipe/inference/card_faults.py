"""What is wrong with a model card: each field by itself, then all of them together.

Comes in: a card as TOML gives it. Goes out: one sentence that names the field, what was found
and what was wanted, or None for a card whose fields can be relied on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MEMORIES = ("stateless", "finite", "recurrent")
FRONT_ENDS = ("waveform", "stft-mask", "dtln")
GRAPHS = ("tensors", "second")
"""Tables of a card, in the order in which sound goes through their graphs."""

_TEXTS = ("name", "version", "task", "memory", "front_end", "licence", "source",
          "training_data", "description")  # fmt: skip
_LEAST = {"rate_hz": 1, "frame": 1, "hop": 1, "latency": 0, "context": 0, "lookahead": 0}
"""The whole-number fields and the least value of each, in samples (``rate_hz`` in Hz,
``lookahead`` in frames)."""
_MASK = "stft-mask"
_NEEDED = ("name", "frame", "memory", "tensors")


def first_fault(table: Mapping[str, Any], known: Sequence[str]) -> str | None:
    """The first thing wrong with a card as TOML gives it, or None.

    Parameters
    ----------
    table : mapping
        Values by field name; graphs are tables in it.
    known : sequence of str
        Names of all fields that a card has.
    """
    for name in _NEEDED:
        if name not in table:
            return f"field '{name}' is missing"
    for name, value in table.items():
        if name not in known:
            return f"field '{name}' is unknown; the known ones are {', '.join(known)}"
        if name in _TEXTS and not isinstance(value, str):
            return _found(name, value, "text")
        if name in _LEAST and not _is_whole(value, _LEAST[name]):
            return _found(name, value, f"a whole number of at least {_LEAST[name]}")
    for name in GRAPHS:
        fault = _tensor_fault(name, table[name]) if name in table else None
        if fault:
            return fault
    return _quality_fault(table) or _meaning_fault(table)


def _meaning_fault(table: Mapping[str, Any]) -> str | None:
    memory, front_end = table["memory"], table.get("front_end", "waveform")
    hop, state = table.get("hop", table["frame"]), table["tensors"].get("state")
    if "second" in table:
        more = table["second"].get("state", {})
        if set(more) & set(state or {}):
            return f"state input '{min(set(more) & set(state))}' is in both graphs"
        state = state or more
    if not table["name"]:
        return _found("name", "", "a name")
    if memory not in MEMORIES:
        return _found("memory", memory, " or ".join(MEMORIES))
    if front_end not in FRONT_ENDS:
        return _found("front_end", front_end, " or ".join(FRONT_ENDS))
    if front_end == "waveform" and hop != table["frame"]:
        return _found("hop", hop, f"the frame ({table['frame']}), as the front end is waveform")
    if front_end != "waveform" and table["frame"] % hop:
        return _found("hop", hop, f"a divisor of the frame ({table['frame']})")
    if ("second" in table) != (front_end == "dtln"):
        if front_end == "dtln":
            return "field 'second' is missing; the front end dtln has two graphs"
        return f"field 'second': is there, but the front end {front_end} has one graph"
    late = _lateness_fault(table, front_end, hop)
    if late:
        return late
    if front_end != "waveform" and memory == "stateless":
        return _found(
            "memory", memory, f"finite or recurrent, as the front end {front_end} overlaps"
        )
    if front_end == "waveform" and (memory == "stateless") == bool(state):
        wanted = "no state tensors" if memory == "stateless" else "state tensors"
        return f"field 'memory': found '{memory}', which wants {wanted} in [tensors.state]"
    if memory == "finite" and not table.get("context"):
        return _found("context", 0, "a positive number of samples, as memory is finite")
    return None


def _lateness_fault(table: Mapping[str, Any], front_end: str, hop: int) -> str | None:
    """Nothing in a mask's graph can move sound in time, so its latency is known."""
    frame, lookahead, latency = table["frame"], table.get("lookahead", 0), table.get("latency", 0)
    if front_end != _MASK:
        wanted = f"0, as the front end is {front_end}"
        return _found("lookahead", lookahead, wanted) if lookahead else None
    late = frame - hop + lookahead * hop
    if latency != late:
        return _found("latency", latency, f"frame - hop + lookahead * hop ({late}) with {_MASK}")
    return None


def _tensor_fault(table: str, tensors: Any) -> str | None:
    if not isinstance(tensors, Mapping):
        return _found(table, tensors, "a table with input and output")
    for name in ("input", "output"):
        if not isinstance(tensors.get(name), str) or not tensors[name]:
            return _found(f"{table}.{name}", tensors.get(name), "a tensor's name")
    unknown = set(tensors) - {"input", "output", "state", "signature"}
    if unknown:
        return (
            f"field '{table}.{min(unknown)}' is unknown; known are input, output, state, signature"
        )
    if not isinstance(tensors.get("signature", ""), str):
        return _found(f"{table}.signature", tensors["signature"], "a signature's name")
    state = tensors.get("state", {})
    if not isinstance(state, Mapping) or not all(isinstance(v, str) for v in state.values()):
        return _found(f"{table}.state", state, "names of state inputs = names of state outputs")
    inputs, outputs = [tensors["input"], *state], [tensors["output"], *state.values()]
    if len(set(inputs)) < len(inputs) or len(set(outputs)) < len(outputs):
        return _found(table, {**tensors}, "each tensor named once")
    return None


def _quality_fault(table: Mapping[str, Any]) -> str | None:
    quality = table.get("quality", {})
    if isinstance(quality, Mapping) and all(
        isinstance(value, str | int | float) for value in quality.values()
    ):
        return None
    return _found("quality", quality, "names = numbers or text")


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _found(name: str, value: Any, wanted: str) -> str:
    return f"field '{name}': found {value!r}, wanted {wanted}"
