"""A Ray Data pipeline: files -> `map_batches` with an actor class -> files.

Comes in: paths, a folder for the outputs, and how to make the callable that an actor holds.
Goes out: seconds from the first actor that is ready to the last file. Three ways to bring the
sound in: ``read_audio`` (decoded by Ray's readers), ``read_binary_files`` (decoded by the actor),
``from_items`` (the actor reads the paths itself; nothing goes through the object store).
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from benchmarks.corpus import RATE_HZ
from benchmarks.peers.files import Denoise, write_16_bit
from raypipe.ray_data import EnhanceBatches

ACTORS = 2
FORMS = ("read_binary_files", "read_audio", "from_items")

Sounds = list[NDArray[np.float32]]
Batch = dict[str, Any]
Several = Callable[[Batch], Sounds]
"""From a batch of files to their sounds, one channel each."""


def missing() -> str:
    """What Ray Data needs and is not installed; nothing where all is there."""
    needed = [name for name in ("pandas", "pyarrow") if importlib.util.find_spec(name) is None]
    return f"not installed ({', '.join(needed)})" if needed else ""


class EachAlone:
    """One file at a time, as Ray Data's pages teach it.

    Parameters
    ----------
    make, *arguments
        Called in the actor; gives the `Denoise`.
    """

    def __init__(self, make: Callable[..., Denoise], *arguments: object) -> None:
        self._denoise = make(*arguments)

    def __call__(self, batch: Batch) -> Sounds:
        """Denoise one after the other."""
        return [self._denoise(sound, RATE_HZ) for sound in _sounds(batch)]


class OnLanes:
    """All files of a batch at once, in our lane kernel.

    Parameters
    ----------
    model : str
        Name or path.
    lanes : int
        The most files that step together.
    """

    def __init__(self, model: str, lanes: int) -> None:
        self._enhance = EnhanceBatches(model, lanes=lanes)

    def __call__(self, batch: Batch) -> Sounds:
        """Denoise them together."""
        if not batch.keys() & {"amplitude", "bytes"}:
            batch = batch | {"bytes": [Path(path).read_bytes() for path in batch["path"]]}
        return [sound[0] for sound in self._enhance(batch)["amplitude"]]


class Actor:
    """What `map_batches` is given.

    Parameters
    ----------
    make : callable
        Makes the `Several` that it holds.
    out : str
        Folder of the outputs.
    ready : str
        Folder in which it says when it has begun.
    """

    def __init__(self, make: Callable[[], Several], out: str, ready: str) -> None:
        self._several = make()
        self._out = Path(out)
        Path(ready, str(os.getpid())).write_text(str(time.time()))

    def __call__(self, batch: Batch) -> Batch:
        """Read, denoise and write a batch's files."""
        for path, sound in zip(batch["path"], self._several(batch), strict=True):
            write_16_bit(self._out / Path(path).name, sound, RATE_HZ)
        return {"path": batch["path"]}


def _sounds(batch: Batch) -> Sounds:
    if "amplitude" in batch:
        return [np.asarray(sound, np.float32)[0] for sound in batch["amplitude"]]
    sources = map(io.BytesIO, batch["bytes"]) if "bytes" in batch else batch["path"]
    return [sf.read(source, dtype="float32")[0] for source in sources]


def pipeline(
    form: str, make: Callable[[], Several], paths: Sequence[Path], out: Path, batch: int
) -> tuple[float, float]:
    """Run it on a local Ray of its own; to be called in a process of its own.

    Parameters
    ----------
    form : str
        One of `FORMS`.
    make : callable
        Makes what an actor holds.
    paths : sequence of Path
        Mono files at 16 kHz.
    out : Path
        Folder for the outputs, which is there.
    batch : int
        The most files that an actor is given at a time.

    Returns
    -------
    float
        Seconds from the first actor's readiness to the end.
    float
        Seconds before that, from the start of the pipeline.
    """
    import ray

    data: Any = importlib.import_module("ray.data")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ready = out.with_name(f"{out.name}.ready")
    ready.mkdir()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
    # Actors hold a CPU each; without one more, Ray's readers would never be given any.
    ray.init(
        address="local", num_cpus=ACTORS + 1, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    try:
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        begun_s = time.time()
        # Whole blocks as batches, as many for each actor: other sizes would be cut across blocks.
        rows = _rows(data, form, paths, blocks=ACTORS * -(-len(paths) // (ACTORS * batch)))
        rows.map_batches(
            Actor, fn_constructor_args=(make, str(out), str(ready)), batch_size=None,
            concurrency=ACTORS, num_cpus=1,
        ).materialize()  # fmt: skip
        ended_s = time.time()
    finally:
        ray.shutdown()
    ready_s = min(float(path.read_text()) for path in ready.iterdir())
    return ended_s - ready_s, ready_s - begun_s


def _rows(data: Any, form: str, paths: Sequence[Path], blocks: int) -> Any:
    names = [str(path) for path in paths]
    if form == "from_items":
        return data.from_items([{"path": name} for name in names], override_num_blocks=blocks)
    read = getattr(data, form)
    return read(names, include_paths=True, override_num_blocks=blocks)
