"""What every node must see: the input, the very output folder that the driver holds, our version
and what it needs.

Comes in: a `Sight`, made by the driver. Goes out, from the node itself: what is
wrong there, in a clause that fits behind the node's name. A path that is mounted
here and not there is the usual mistake on a cluster; it should be heard of
before the start, not as ten thousand unreadable files.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raypipe.errors import UsageError
from raypipe.execution.nodes import Node, Nodes
from raypipe.storage import Place, is_address, show, storage_error
from raypipe.version import VERSION

CHECK_S = 120.0
"""Longest wait for a node's answer: it may have to start a Python first."""

AGAIN_S = 1.0
"""Time between two looks at who is still there, while some have not answered."""

CACHED_S = 3.0
"""A network file system may tell so long that a new file is not there."""

MOST_NAMED = 3
"""Nodes that an error names; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a node is asked."""

    sources: tuple[tuple[str, int | None], ...] = ()
    """Paths of the input that must be there, with their sizes if they are files."""
    output: str = ""
    """The output folder, for people; empty where it is no path."""
    token: str = ""
    """Path of a file in it ..."""
    word: str = ""
    """... and what the file says."""
    version: str = VERSION
    modules: tuple[str, ...] = ()
    """What the driver's node can import and results are made with."""


def sight_of(
    sources: Iterable[tuple[str, int | None]],
    place: Place | None = None,
    modules: tuple[str, ...] = (),
) -> Sight:
    """What nodes must see of an input, and of an output, if there is one; leaves the token there.

    Of the sources addresses are left out, which all nodes see alike.

    Raises
    ------
    StorageError
        If the token cannot be written.
    """
    paths = tuple((path, size) for path, size in sources if not is_address(path))
    if place is None or not place.near_workers:  # a bucket, which every node sees alike
        return Sight(paths, modules=modules)
    token, word = place.temporary("0-token"), uuid.uuid4().hex
    try:
        with open(token, "w", encoding="ascii") as file:
            file.write(word)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise storage_error(error, token, "write") from error
    return Sight(paths, place.root, token, word, modules=modules)


def look(sight: Sight) -> str:
    """What is wrong on this node; nothing where all is well."""
    if sight.version != VERSION:
        return f"has raypipe {VERSION}, the driver {sight.version}; install the same on every node"
    for module in sight.modules:
        if find_spec(module) is None:
            return f"has no {module}, which the driver has; install the same on every node"
    for path, size in sight.sources:
        if wrong := _source(path, size):
            return wrong
    return _output(sight) if sight.output else ""


def _source(path: str, size: int | None) -> str:
    try:
        found = os.stat(path)
        if size is None and not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(13, "permission denied")
    except FileNotFoundError:
        kind = "folder" if size is None else "file"
        return f"cannot see {show(path)}: no such {kind}; mount it there, or use a bucket"
    except OSError as error:
        return f"cannot see {show(path)}: {error.strerror or error}; mount it there alike"
    if size is not None and found.st_size != size:
        return (
            f"has another {show(path)}: {found.st_size} bytes, {size} on the driver's node; "
            "mount the same folder there"
        )
    return ""


def _output(sight: Sight) -> str:
    folder, output = os.path.dirname(sight.token), show(sight.output)
    end_s = time.monotonic() + CACHED_S
    while True:
        try:
            word = Path(sight.token).read_text("ascii")
        except FileNotFoundError:
            word = ""
        except (OSError, ValueError) as error:
            return f"cannot read in {output}: {getattr(error, 'strerror', None) or error}"
        if word == sight.word:
            break
        if not os.path.isdir(folder):
            return f"cannot see {output}: no such folder; mount it there, or use a bucket"
        if time.monotonic() > end_s:
            return f"sees another folder at {output} than the driver; mount the same one there"
        time.sleep(0.2)
    mine = f"{sight.token}-{uuid.uuid4().hex[:8]}"
    try:
        with open(mine, "w"):
            pass
    except OSError as error:
        return f"cannot write into {output}: {error.strerror or error}"
    with contextlib.suppress(OSError):
        os.unlink(mine)
    return ""


def check_nodes(nodes: Nodes, sight: Sight) -> None:
    """Ask all nodes at once; those that could get no worker are only left out if they fail.

    Raises
    ------
    UsageError
        If a node with CPUs cannot see what it must; names nodes and paths.
    """
    asked = {node: _ask(node, sight) for node in nodes if node.id != nodes.driver}
    if not asked:
        return
    _await(asked, nodes)
    wrong = {node: _answer(answer) for node, answer in asked.items()}
    if any(wrong.values()):
        nodes.look()
    there = {node.id for node in nodes}
    wrong = {node: said for node, said in wrong.items() if said and node.id in there}
    for node in wrong:
        nodes.bar(node.id, wrong[node])
    _refuse([f"{node} {said}" for node, said in wrong.items() if node.cpus])


def _await(asked: Mapping[Node, Any], nodes: Nodes) -> None:
    """Until each has answered or is gone: Ray gives calls to a lost node up long after the node."""
    end_s = time.monotonic() + CHECK_S
    silent = dict(asked)
    while silent and time.monotonic() < end_s:
        arrived, _ = ray.wait(list(silent.values()), num_returns=len(silent), timeout=AGAIN_S)
        nodes.look()
        there = {node.id for node in nodes}
        silent = {n: a for n, a in silent.items() if a not in arrived and n.id in there}


def _ask(node: Node, sight: Sight) -> ray.ObjectRef[str]:
    here = NodeAffinitySchedulingStrategy(node.id, soft=False)
    return _look.options(scheduling_strategy=here).remote(sight)


_look = ray.remote(num_cpus=0, max_retries=0)(look)


def _answer(answer: ray.ObjectRef[str]) -> str:
    try:
        if not ray.wait([answer], timeout=0)[0]:
            return f"has not answered in {CHECK_S:g} s"
        return str(ray.get(answer))
    except RayError as error:
        lines = str(error).strip().splitlines()
        return f"cannot load raypipe: {lines[-1] if lines else type(error).__name__}"


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        more = f"; and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
        raise UsageError("; ".join(wrong[:MOST_NAMED]) + more)
