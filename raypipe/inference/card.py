"""The model card: what the numbers in a graph cannot say, checked and as TOML.

Comes in: TOML text (out of a ``.tflite`` or from a sidecar file), or values from
Python. Goes out: a `ModelCard` whose fields can be relied on, or a `ModelError`
that names the file, the field, what was found and what was wanted. The text
that `ModelCard.to_toml` writes reads back as an equal card::

    name = "denoise"            version = "1"          task = "enhance"
    rate_hz = 16000             frame = 128            hop = 128
    latency = 0                 memory = "recurrent"   front_end = "waveform"
    [tensors]
    input = "frame"             output = "out"
    [tensors.state]
    h = "h_out"                 (state input = state output)
    [second]                    (like tensors; only where a front end has two graphs)
    [quality]
    pesq_wb = 2.6
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from raypipe.errors import ModelError
from raypipe.inference.card_faults import GRAPHS, first_fault

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class Tensors:
    """The graph's tensors, by the names of its signature."""

    input: str
    """Takes the sound: ``(lanes, frame)`` float32."""
    output: str
    """Gives the sound: ``(lanes, hop)`` float32."""
    state: Mapping[str, str] = field(default_factory=dict)
    """State input by name, and the output that holds its next value; all begin as zeros."""
    signature: str = ""
    """The signature that has them; empty: the file's only one. Where the file also has the same
    name with ``_T`` behind it, that one takes T frames in one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What must be known of a frame model to run it.

    Raises
    ------
    ModelError
        If a field is not what it may be.
    """

    name: str
    """What users call it."""
    frame: int
    """Samples that the graph takes in a step."""
    memory: str
    """``stateless``: any order; ``finite``: exact with `context`; ``recurrent``: in order."""
    tensors: Tensors
    """Where sound and state go in and come out."""
    version: str = "1"
    """Counts up when the sound changes."""
    task: str = "enhance"
    """What it is for; ``test`` for models that only try the machine."""
    rate_hz: int | None = None
    """Sampling rate in Hz; None: runs at whatever rate the file has."""
    hop: int = 0
    """New samples in a step; 0 is read as `frame`."""
    latency: int = 0
    """Samples, at the model's rate, by which its output comes late."""
    context: int = 0
    """Samples of past that a result depends on, where memory is ``finite``."""
    front_end: str = "waveform"
    """What the graph is given. ``waveform``: samples as they are, `frame` equals `hop`.
    ``stft-mask``: the spectrum's magnitudes, for which it gives a mask.
    ``dtln``: the same, then a second graph takes the masked frames as sound."""
    lookahead: int = 0
    """Frames by which a mask comes late, where the front end is ``stft-mask``: what the graph
    gives in a step is for the frame so many steps before. Counts in `latency`, a hop each."""
    second: Tensors | None = None
    """Tensors of the second graph, where the front end has two."""
    licence: str = ""
    """SPDX name where there is one."""
    source: str = ""
    """Where it comes from."""
    training_data: str = ""
    """What it was trained on."""
    quality: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """Measured quality, free names."""
    description: str = ""
    """A sentence for people."""

    def __post_init__(self) -> None:
        if self.hop == 0:
            object.__setattr__(self, "hop", self.frame)
        fault = first_fault(self._table(), [f.name for f in fields(self)])
        if fault:
            raise ModelError(f"model card {self.name!r}: {fault}")

    @property
    def graphs(self) -> tuple[Tensors, ...]:
        """Tensors of each graph, in the order in which sound goes through them."""
        return (self.tensors,) if self.second is None else (self.tensors, self.second)

    @classmethod
    def from_toml(cls, text: str, where: str) -> ModelCard:
        """Read a card.

        Parameters
        ----------
        text : str
            TOML.
        where : str
            File that it comes from, for error messages.

        Raises
        ------
        ModelError
            If the text is not TOML, or a field is missing, unknown or not what it may be.
        """
        try:
            table: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ModelError(f"{where}: the model card is not valid TOML: {error}") from error
        fault = first_fault(table, [f.name for f in fields(cls)])
        if fault:
            raise ModelError(f"{where}: {fault}")
        graphs = {name: Tensors(**table[name]) for name in GRAPHS if name in table}
        return cls(**{**table, **graphs})

    def to_toml(self) -> str:
        """The card as TOML; the same card always gives the same text."""
        table = self._table()
        graphs = {name: table.pop(name) for name in GRAPHS if name in table}
        quality = table.pop("quality", {})
        parts = [_lines(table)]
        for name, tensors in graphs.items():
            state = tensors.pop("state")
            parts.append(f"[{name}]\n" + _lines(tensors))
            if state:
                parts.append(f"[{name}.state]\n" + _lines(state))
        if quality:
            parts.append("[quality]\n" + _lines(quality))
        return "\n".join(parts)

    def _table(self) -> dict[str, Any]:
        """As TOML would give it: no field that says nothing."""
        table = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in GRAPHS:
            tensors = getattr(self, name)
            if tensors is not None:
                table[name] = {
                    "input": tensors.input, "output": tensors.output,
                    "state": dict(tensors.state),
                } | ({"signature": tensors.signature} if tensors.signature else {})  # fmt: skip
        table["quality"] = dict(self.quality)
        table["lookahead"] = self.lookahead or None  # cards from before it have none
        return {name: value for name, value in table.items() if value not in (None, "", {})}


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(name)} = {_literal(value)}\n" for name, value in table.items())


def _key(name: str) -> str:
    return name if _BARE_KEY.match(name) else _literal(name)


def _literal(value: str | int | float | bool) -> str:
    if isinstance(value, str):  # JSON's escapes are TOML's, but for DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)
