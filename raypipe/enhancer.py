"""A model as a Python object: whole sounds, or streams from many threads at once.

Comes in: arrays. Goes out: arrays. No file, no Ray. Whatever threads ask for at
the same time is stepped together in lanes, and comes out the same to the bit as
if each had been alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raypipe.errors import UsageError
from raypipe.inference.card import ModelCard
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job, Made
from raypipe.types import SoundInfo, State

DEFAULT_LANES = 64


@dataclass(slots=True, eq=False)
class _Asked:
    """A job that a thread waits for."""

    job: Job
    made: Made | None = None
    error: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Session:
    """A stream between two calls."""

    info: SoundInfo
    flat: bool
    """True where the caller gives and gets one-dimensional arrays."""
    start: int = 0
    state: State | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)


class Enhancer:
    """Runs one model over arrays.

    Parameters
    ----------
    model : str or path
        Name of a shipped model, or path of a ``.tflite``.
    lanes : int
        Channels that step together at most.
    rate_hz : int, optional
        Rate of a model that has no card.

    Raises
    ------
    ModelError
        If the model cannot be loaded.

    Examples
    --------
    >>> enhancer = Enhancer("passthrough")
    >>> enhancer.process(np.zeros(1000, np.float32), 16_000).shape
    (1000,)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "passthrough",
        *,
        lanes: int = DEFAULT_LANES,
        rate_hz: int | None = None,
    ) -> None:
        found = find_model(os.fspath(model), rate_hz)
        self.card: ModelCard = found.card
        self._enhance = Enhance(load_lane_model(found, lanes))
        self._asked: list[_Asked] = []
        self._asking = threading.Lock()
        self._stepping = threading.Lock()
        self._sessions: dict[Hashable, _Session] = {}

    def process(self, samples: ArrayLike, rate_hz: int) -> NDArray[np.float32]:
        """Process a whole sound.

        Parameters
        ----------
        samples : array_like
            Shape ``(samples,)`` or ``(channels, samples)``, floats with full scale at 1.
        rate_hz : int
            Their sampling rate.

        Returns
        -------
        ndarray of float32
            Same shape, aligned with the input.

        Raises
        ------
        UsageError
            If the array has another number of dimensions, no channel, or is no finite sound.
        """
        sound, flat = _as_sound(samples)
        made = self._step(Job(_info(rate_hz, len(sound)), sound, 0, True, None))
        return _as_given(made.sound, flat)

    def process_audio(
        self, session_id: Hashable, audio: ArrayLike, rate_hz: int | None = None
    ) -> NDArray[np.float32]:
        """Take the next stretch of a session's stream; give what is ready of its output.

        Many threads may call this at once. A session's output is its own, in order; what comes
        out in all, with what `end_session` gives, is exactly what `process` makes of the whole.

        Parameters
        ----------
        session_id : hashable
            Names the stream; a new name begins one.
        audio : array_like
            Shape ``(samples,)`` or ``(channels, samples)``, of any length.
        rate_hz : int, optional
            Rate of the stream; the model's own by default. Looked at when a stream begins.

        Returns
        -------
        ndarray of float32
            Same dimensions; its length follows what the model's latency and hop let through.
        """
        sound, flat = _as_sound(audio)
        with self._asking:
            session = self._sessions.get(session_id)
            if session is None:
                rate_hz = rate_hz or self.card.rate_hz or 16_000  # any rate: the number is moot
                session = _Session(_info(rate_hz, len(sound)), flat)
                self._sessions[session_id] = session
        if len(sound) != session.info.channels:
            raise UsageError(
                f"session {session_id!r} has {session.info.channels} channels, "
                f"not {len(sound)} as this stretch"
            )
        with session.turn:
            made = self._step(Job(session.info, sound, session.start, False, session.state))
            session.start += sound.shape[1]
            session.state = made.state
        return _as_given(made.sound, flat)

    def end_session(self, session_id: Hashable) -> NDArray[np.float32]:
        """End a session's stream and give what was still inside.

        Raises
        ------
        UsageError
            If there is no such session.
        """
        with self._asking:
            session = self._sessions.pop(session_id, None)
        if session is None:
            raise UsageError(f"there is no session {session_id!r}")
        nothing = np.zeros((session.info.channels, 0), np.float32)
        with session.turn:
            made = self._step(Job(session.info, nothing, session.start, True, session.state))
        return _as_given(made.sound, session.flat)

    def _step(self, job: Job) -> Made:
        """Step this job together with those that other threads ask for in the meantime."""
        mine = _Asked(job)
        with self._asking:
            self._asked.append(mine)
        with self._stepping:
            if mine.made is None and mine.error is None:
                self._step_all()
        if mine.error is not None:
            raise mine.error
        assert mine.made is not None, "every asked job is stepped by whoever has the turn"
        return mine.made

    def _step_all(self) -> None:
        with self._asking:
            asked, self._asked = self._asked, []
        try:
            for one, made in zip(asked, self._enhance.step([a.job for a in asked]), strict=True):
                one.made = made
        except BaseException as error:
            for one in asked:
                one.error = error
            raise


def _as_sound(samples: ArrayLike) -> tuple[NDArray[np.float32], bool]:
    array: NDArray[Any] = np.asarray(samples)
    if array.ndim not in (1, 2) or (array.ndim == 2 and not len(array)):
        raise UsageError(
            f"samples must have shape (samples,) or (channels, samples), not {array.shape}"
        )
    if array.dtype.kind != "f":
        raise UsageError(f"samples must be floats with full scale at 1, not {array.dtype}")
    sound = np.atleast_2d(array).astype(np.float32, copy=False)
    if not np.isfinite(sound).all():
        raise UsageError("samples must be finite; there is NaN or infinity among them")
    return sound, array.ndim == 1


def _as_given(sound: NDArray[Any], flat: bool) -> NDArray[np.float32]:
    plain: NDArray[np.float32] = sound[0] if flat else sound
    return plain


def _info(rate_hz: int, channels: int) -> SoundInfo:
    if not 1 <= rate_hz <= 1_536_000:
        raise UsageError(f"rate_hz must be 1 to 1536000, not {rate_hz}")
    return SoundInfo(rate_hz, channels, None, "ARRAY", "FLOAT")
