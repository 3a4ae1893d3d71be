"""Opening a model with LiteRT, and its tensors by name.

Comes in: a model's path, perhaps a signature. Goes out: an interpreter, and what
it says of each input and output. Tensors are found by the names of the signature
(or, where a model has none, by their own names), never by position. One thread:
parallelism is between workers, and the order of additions must not depend on a
thread count.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter

from raypipe.errors import ModelError
from raypipe.inference.subgraph import Signature, alone, signatures

Details = dict[str, dict[str, Any]]
"""What LiteRT says of each tensor (index, shape, dtype ...), by name."""


class TensorNames:
    """The inputs and outputs of a model, by name.

    Parameters
    ----------
    path : Path
        The ``.tflite``.
    signature : str
        Which of its signatures; empty for the default or only one, or for a model without any.

    Raises
    ------
    ModelError
        If LiteRT cannot load it, or it has no such signature.
    """

    def __init__(self, path: Path, signature: str = "") -> None:
        self.path = path
        if signature:
            content, found = _graph_alone(path, signature)
            self.interpreter = _open(path, content)
            self.inputs: Details = _by_name(self.interpreter.get_input_details(), found.inputs)
            self.outputs: Details = _by_name(self.interpreter.get_output_details(), found.outputs)
            return
        self.interpreter = _open(path)
        names = self.interpreter.get_signature_list()
        if names:
            key = "serving_default" if "serving_default" in names else min(names)
            runner = self.interpreter.get_signature_runner(key)
            self.inputs = runner.get_input_details()
            self.outputs = runner.get_output_details()
        else:
            self.inputs = {d["name"]: d for d in self.interpreter.get_input_details()}
            self.outputs = {d["name"]: d for d in self.interpreter.get_output_details()}

    def input(self, name: str) -> dict[str, Any]:
        """Details of an input; `ModelError` where there is none of this name."""
        return self._find(self.inputs, name, "input")

    def output(self, name: str) -> dict[str, Any]:
        """Details of an output; `ModelError` where there is none of this name."""
        return self._find(self.outputs, name, "output")

    def _find(self, details: Details, name: str, kind: str) -> dict[str, Any]:
        if name not in details:
            there = ", ".join(sorted(details))
            raise ModelError(f"{self.path}: has no {kind} tensor '{name}'; it has {there}")
        return details[name]


@lru_cache(maxsize=16)
def _cut_out(path: Path, mtime_ns: int, signature: str) -> tuple[bytes, Signature]:
    """Widths share these bytes: LiteRT holds them as they are."""
    content = path.read_bytes()
    found = signatures(content, str(path))
    if signature not in found:
        there = ", ".join(sorted(found)) or "none"
        raise ModelError(f"{path}: has no signature '{signature}'; it has {there}")
    return alone(content, found[signature], str(path)), found[signature]


def _graph_alone(path: Path, signature: str) -> tuple[bytes, Signature]:
    try:
        return _cut_out(path, path.stat().st_mtime_ns, signature)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error


def _by_name(details: list[dict[str, Any]], numbers: Mapping[str, int]) -> Details:
    by_number = {int(d["index"]): d for d in details}
    return {name: by_number[number] for name, number in numbers.items()}


def _open(path: Path, content: bytes | None = None) -> Interpreter:
    try:
        if content is not None:
            return Interpreter(model_content=content, num_threads=1)
        return Interpreter(str(path), num_threads=1)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{path}: LiteRT cannot load it: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What an error says in its first line, or its kind."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


_greeted = threading.Event()


@contextmanager
def greeting_unheard() -> Iterator[None]:
    """Keep LiteRT's one line about its delegate, written by C++, off the user's terminal."""
    if _greeted.is_set():
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # no stderr, nothing to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        _greeted.set()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
