"""raypipe: audio models over recordings, many files at once, exact to the bit.

The public face; everything else is reached through it or through its own room.

- `enhance` runs a model over a file, a folder, a glob or a list.
- `Enhancer` runs a model over arrays.
- `EnhanceBatches` runs a model inside a Ray Data pipeline.
- `score` measures how good recordings are.
- `load_model` gives a model by name or path, with its card.
- the errors of `raypipe.errors`, and the outcomes of `raypipe.types`.

Importing it is light: the heavy parts come in when they are first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from raypipe.configuration import make_settings
from raypipe.errors import (
    AudioError,
    ModelError,
    RaypipeError,
    StorageError,
    UsageError,
)
from raypipe.settings import DEFAULT_LANES, RunSettings
from raypipe.types import Done, Failed, Outcome, Skipped
from raypipe.version import VERSION as __version__

if TYPE_CHECKING:
    from raypipe.enhancer import Enhancer
    from raypipe.inference.lanes import LaneModel
    from raypipe.ray_data import EnhanceBatches
    from raypipe.results.report import RunReport
    from raypipe.results.scores import ScoreReport

__all__ = [
    "AudioError",
    "Done",
    "EnhanceBatches",
    "Enhancer",
    "Failed",
    "ModelError",
    "Outcome",
    "RaypipeError",
    "RunSettings",
    "Skipped",
    "StorageError",
    "UsageError",
    "__version__",
    "enhance",
    "load_model",
    "score",
]


def enhance(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    config: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> RunReport:
    """Run a model over recordings and write a mirrored tree.

    Parameters
    ----------
    source : path
        A file, a folder, a glob, or ``@list.txt``.
    output : path
        A folder, or a file where `source` is one file.
    config : path, optional
        TOML file with settings; arguments win over it.
    report : path, optional
        Where to write the report as JSON.
    **settings
        Fields of `RunSettings`, such as ``model="dtln"``, ``atten_limit_db=12``, ``workers=4``.

    Returns
    -------
    RunReport
        ``report.totals`` and ``report.files``, with each file's outcome.

    Raises
    ------
    UsageError, ModelError, StorageError
        See `raypipe.errors`. A file's own fault is no error: it is in the report.
    """
    from raypipe.driver import run

    return run(source, output, make_settings(settings, config=config), report=report)


def score(
    source: str | os.PathLike[str],
    *,
    reference: str | os.PathLike[str] | None = None,
    dnsmos: str | os.PathLike[str] | None = None,
    config: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> ScoreReport:
    """Measure recordings.

    Parameters
    ----------
    source : path
        A file, a folder, a glob, or ``@list.txt``.
    reference : path, optional
        Folder with a clean recording of the same name for each.
    dnsmos : path, optional
        Folder that holds DNSMOS's ONNX files.
    config : path, optional
        TOML file with settings; arguments win over it.
    **settings
        Fields of `RunSettings`, such as ``workers=4``.

    Returns
    -------
    ScoreReport
        ``report.rows()`` and ``report.summary()``.

    Raises
    ------
    UsageError, ModelError, StorageError
        See `raypipe.errors`. A file's own fault is no error: it is in the report.
    """
    from raypipe.scoring import score

    made = make_settings(settings, config=config)
    return score(source, made, reference=reference, dnsmos=dnsmos)


def load_model(name: str | os.PathLike[str], *, lanes: int = DEFAULT_LANES) -> LaneModel:
    """Load a model by name or path, ready to step so many lanes; its card is in ``.card``.

    Raises
    ------
    ModelError
        If there is no such model, or it cannot be loaded.
    """
    from raypipe.inference.zoo import find_model, load_lane_model

    return load_lane_model(find_model(os.fspath(name)), lanes)


def __getattr__(name: str) -> Any:
    if name == "Enhancer":
        from raypipe.enhancer import Enhancer

        return Enhancer
    if name == "EnhanceBatches":
        from raypipe.ray_data import EnhanceBatches

        return EnhanceBatches
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
