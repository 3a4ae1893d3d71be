"""A model inside a Ray Data pipeline: batches of rows in, the same rows with their sound processed.

::

    import ray
    from raypipe import EnhanceBatches

    rows = ray.data.read_audio("recordings", include_paths=True)   # or read_binary_files
    cleaned = rows.map_batches(
        EnhanceBatches,
        fn_constructor_kwargs={"model": "dtln-int8", "on_error": "column"},
        batch_size=70,      # as many rows as the model has lanes: they step together
        concurrency=8,      # actors; each loads the model once and computes with one thread
        num_cpus=1,
    )
    cleaned.write_parquet("cleaned")

It knows nothing of Ray: it takes and gives what ``map_batches`` hands around, dicts of columns.
What comes out of a row is, to the bit, what `raypipe.Enhancer` makes of it alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import numpy as np

from raypipe.arrays import as_given, as_sound, info_of
from raypipe.audio.probe import find_audio_suffixes
from raypipe.audio.read import open_sound
from raypipe.configuration import make_settings
from raypipe.enhancer import load_enhance
from raypipe.errors import AudioError, UnsupportedAudio, UsageError
from raypipe.pipelines.enhance import Job
from raypipe.settings import DEFAULT_LANES, DEFAULT_MODEL
from raypipe.storage import storage_error
from raypipe.types import RawLayout, Samples, SoundInfo

SOUND, RATE, ENCODED, PATH, ERROR = "amplitude", "sample_rate", "bytes", "path", "error"
"""Columns: `ray.data.read_audio` names the first two, `read_binary_files` the third, both the
fourth. The last is ours."""

ON_ERROR = ("raise", "column")

Batch = dict[str, Any]
"""Columns by name, each as long as the batch has rows."""


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """One row's sound on its way through."""

    sound: Samples
    """``(channels, samples)``; empty where there is an error."""
    info: SoundInfo | None
    """None where there is an error."""
    flat: bool = False
    """True where a one-dimensional array came and goes."""
    error: str = ""


class EnhanceBatches:
    """A callable class for `ray.data.Dataset.map_batches`.

    A batch has the column ``amplitude`` (arrays, with their rates in ``sample_rate``) or the column
    ``bytes`` (whole encoded files). Rows may differ in length, rate and number of channels.

    Parameters
    ----------
    model : str or path
        Name of a model, or path of a ``.tflite``; it must be there on every node.
    lanes : int
        Channels that step together at most; as many rows are a good ``batch_size``, or half as
        many stereo ones.
    rate_hz : int, optional
        Rate of a model that has no card.
    atten_limit_db : float, optional
        Take at most so many dB away from any sound; None: all that the model takes.
    mix : float
        Share of the cleaned sound in the output, from 0 to 1; the rest is the input.
    on_error : str
        What a row that cannot be decoded or processed does: ``raise`` ends the pipeline with the
        reason; ``column`` lets the row stay, with an empty sound and the reason in the column
        ``error``, which is ``""`` in all other rows. A row that comes with an error keeps it.
    raw : RawLayout, str or mapping, optional
        How headerless samples lie in the ``bytes`` of rows whose ``path`` ends in ``.raw`` or
        ``.pcm``, such as ``"rate=48000,channels=1,sample=s16le"``.
    keep_truncated : bool
        Whether a file that ends before its header says is processed as far as it goes.
    keep_bytes : bool
        Whether the column ``bytes`` stays beside the sound that was made of it.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    UsageError
        If an option cannot be meant.

    Examples
    --------
    >>> clean = EnhanceBatches("passthrough")
    >>> clean({"amplitude": [np.ones((1, 3), np.float32)], "sample_rate": np.array([16_000])})
    {'amplitude': [array([[1., 1., 1.]], dtype=float32)], 'sample_rate': array([16000])}
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        lanes: int = DEFAULT_LANES,
        rate_hz: int | None = None,
        atten_limit_db: float | None = None,
        mix: float = 1.0,
        on_error: str = "raise",
        raw: RawLayout | str | Mapping[str, Any] | None = None,
        keep_truncated: bool = False,
        keep_bytes: bool = False,
    ) -> None:
        if on_error not in ON_ERROR:
            raise UsageError(f"on_error must be one of {', '.join(ON_ERROR)}, not {on_error!r}")
        self._raises = on_error == "raise"
        self._raw = make_settings({"raw": raw}, environment={}).raw
        self._keep_truncated = keep_truncated
        self._keep_bytes = keep_bytes
        self._enhance = load_enhance(model, lanes, rate_hz, atten_limit_db, mix)

    def __call__(self, batch: Batch) -> Batch:
        """Process one batch.

        Parameters
        ----------
        batch : dict of str to array or list
            Columns; ``amplitude`` holds floats with full scale at 1, each row's of shape
            ``(channels, samples)`` or ``(samples,)``; ``sample_rate`` whole numbers, in Hz.

        Returns
        -------
        dict of str to array or list
            The same rows in the same order. ``amplitude`` is a list of float32 arrays, aligned with
            what came and as long; ``sample_rate`` is 0 in rows of ``bytes`` with an error. Other
            columns stay as they are, but for ``bytes``.

        Raises
        ------
        UsageError
            If the batch has no column with sound, or none with its rates.
        AudioError
            With ``on_error="raise"``: if a row cannot be decoded or processed; names its path.
        """
        encoded = _is_encoded(batch)
        count = len(batch[ENCODED if encoded else SOUND])
        rows = self._processed(batch, [self._row(batch, n, encoded) for n in range(count)])
        made = dict(batch)
        if encoded:
            made[RATE] = np.array([row.info.rate_hz if row.info else 0 for row in rows], np.int64)
            if not self._keep_bytes:
                del made[ENCODED]
        made[SOUND] = [as_given(row.sound, row.flat) for row in rows]
        if not self._raises:
            made[ERROR] = [row.error for row in rows]
        return made

    def _row(self, batch: Batch, number: int, encoded: bool) -> _Row:
        samples = None if encoded else batch[SOUND][number]
        if earlier := _earlier(batch, number):
            return _without_sound(samples, earlier)
        name = _name(batch, number)
        try:
            if encoded:
                return self._decoded(batch[ENCODED][number], name)
            return _taken(samples, batch[RATE][number], name)
        except AudioError as error:
            return self._refused(error, name, samples)

    def _refused(self, error: AudioError, name: str, samples: Any) -> _Row:
        if self._raises:
            raise type(error)(name, error.reason) from error
        return _without_sound(samples, error.reason)

    def _decoded(self, content: bytes, name: str) -> _Row:
        """Decode a whole file: decoders want paths, and some go by the ending."""
        ending = PurePath(name).suffix.lower()
        ending = ending if ending in find_audio_suffixes() else ""
        try:
            with tempfile.NamedTemporaryFile(prefix="raypipe-", suffix=ending) as file:
                file.write(content)
                file.flush()
                truncated = self._keep_truncated
                with open_sound(file.name, None, self._raw, keep_truncated=truncated) as reader:
                    sound, info = reader.read(sys.maxsize), reader.info
        except OSError as error:
            raise storage_error(error, tempfile.gettempdir(), "write a row's bytes") from error
        return _taken(sound, info.rate_hz, name)

    def _processed(self, batch: Batch, rows: list[_Row]) -> list[_Row]:
        """The same rows, those without an error stepped together."""
        jobs = {
            n: Job(row.info, row.sound, 0, True, None) for n, row in enumerate(rows) if row.info
        }
        made = self._enhance.step(list(jobs.values()))
        for number, one in zip(jobs, made, strict=True):
            if np.isfinite(one.sound).all():
                rows[number] = replace(rows[number], sound=one.sound)
            else:
                name = _name(batch, number)
                error = UnsupportedAudio(name, "the model made NaN or infinite samples of it")
                rows[number] = self._refused(error, name, rows[number].sound)
        return rows


def _is_encoded(batch: Batch) -> bool:
    """True where the batch's sound is files, False where it is arrays with their rates."""
    if SOUND in batch and RATE not in batch:
        raise UsageError(f"the batch has the column {SOUND!r}, but not {RATE!r}, its rates in Hz")
    if SOUND not in batch and ENCODED not in batch:
        raise UsageError(
            f"the batch has no column {SOUND!r}, as ray.data.read_audio makes it, and no column "
            f"{ENCODED!r}, as read_binary_files does; found: {', '.join(batch) or 'none'}"
        )
    return SOUND not in batch


def _taken(samples: Any, rate_hz: Any, name: str) -> _Row:
    try:
        sound, flat = as_sound(samples)
        return _Row(sound, info_of(rate_hz, len(sound)), flat)
    except UsageError as error:
        raise UnsupportedAudio(name, str(error)) from error


def _without_sound(samples: Any, error: str) -> _Row:
    """A row that stays, with as many dimensions as its neighbours: a column's must be alike."""
    return _Row(np.zeros((1, 0), np.float32), None, getattr(samples, "ndim", 2) == 1, error)


def _earlier(batch: Batch, number: int) -> str:
    """The error with which a row comes."""
    told = batch[ERROR][number] if ERROR in batch else ""
    return told if isinstance(told, str) else ""


def _name(batch: Batch, number: int) -> str:
    """How errors name a row."""
    return str(batch[PATH][number]) if PATH in batch else f"row {number} of its batch"
