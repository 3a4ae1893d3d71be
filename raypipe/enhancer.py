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

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raypipe.arrays import as_given, as_sound, info_of
from raypipe.configuration import make_settings
from raypipe.dsp.blend import cleaned_share
from raypipe.errors import UsageError
from raypipe.inference.card import ModelCard
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job
from raypipe.pipelines.together import Together
from raypipe.settings import DEFAULT_LANES, DEFAULT_MODEL
from raypipe.types import SoundInfo, State

ANY_RATE_HZ = 16_000
"""Of a stream that states none through a model that takes any: then the number is moot."""


@dataclass(slots=True, eq=False)
class _Session:
    """A stream between two calls."""

    info: SoundInfo
    flat: bool
    """True where the caller gives and gets one-dimensional arrays."""
    start: int = 0
    state: State | None = None
    ended: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)


def load_enhance(
    model: str | os.PathLike[str],
    lanes: int,
    rate_hz: int | None,
    atten_limit_db: float | None,
    mix: float,
) -> Enhance:
    """What a model does to sound, at a strength; see `Enhancer` for all of these.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    UsageError
        If there can be no such limit or share.
    """
    strength = make_settings({"atten_limit_db": atten_limit_db, "mix": mix}, environment={})
    share = cleaned_share(strength.atten_limit_db, strength.mix)
    return Enhance(load_lane_model(find_model(os.fspath(model), rate_hz), lanes), share)


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
    atten_limit_db : float, optional
        Take at most so many dB away from any sound; None: all that the model takes.
    mix : float
        Share of the cleaned sound in the output, from 0 to 1; the rest is the input.

    Raises
    ------
    ModelError
        If the model cannot be loaded.
    UsageError
        If there can be no such limit or share.

    Examples
    --------
    >>> enhancer = Enhancer("passthrough")
    >>> enhancer.process(np.zeros(1000, np.float32), 16_000).shape
    (1000,)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        lanes: int = DEFAULT_LANES,
        rate_hz: int | None = None,
        atten_limit_db: float | None = None,
        mix: float = 1.0,
    ) -> None:
        self._enhance = load_enhance(model, lanes, rate_hz, atten_limit_db, mix)
        self.card: ModelCard = self._enhance.model.card
        self._together = Together(self._enhance)
        self._sessions: dict[Hashable, _Session] = {}
        self._naming = threading.Lock()

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
        sound, flat = as_sound(samples)
        made = self._together.step(Job(info_of(rate_hz, len(sound)), sound, 0, True, None))
        return as_given(made.sound, flat)

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
            Rate of the stream; the model's own by default. It cannot change in a stream.

        Returns
        -------
        ndarray of float32
            Same dimensions; its length follows what the model's latency and hop let through.

        Raises
        ------
        UsageError
            As `process`; and if the stream began with other channels or at another rate.
        """
        sound, flat = as_sound(audio)
        session = self._session(session_id, len(sound), flat, rate_hz)
        with session.turn:
            if session.ended:
                raise UsageError(f"session {session_id!r} was ended by another thread")
            made = self._together.step(
                Job(session.info, sound, session.start, False, session.state)
            )
            session.start += sound.shape[1]
            session.state = made.state
        return as_given(made.sound, flat)

    def end_session(self, session_id: Hashable) -> NDArray[np.float32]:
        """End a session's stream and give what was still inside.

        Raises
        ------
        UsageError
            If there is no such session.
        """
        with self._naming:
            session = self._sessions.get(session_id)
        if session is None:
            raise UsageError(f"there is no session {session_id!r}")
        nothing = np.zeros((session.info.channels, 0), np.float32)
        with session.turn:
            if session.ended:
                raise UsageError(f"session {session_id!r} was ended by another thread")
            made = self._together.step(
                Job(session.info, nothing, session.start, True, session.state)
            )
            session.ended = True
            with self._naming:
                del self._sessions[session_id]
        return as_given(made.sound, session.flat)

    def _session(
        self, session_id: Hashable, channels: int, flat: bool, rate_hz: int | None
    ) -> _Session:
        """The session of this name, begun if it is new."""
        with self._naming:
            session = self._sessions.get(session_id)
            if session is None:
                if rate_hz is None:
                    rate_hz = self.card.rate_hz or ANY_RATE_HZ
                session = _Session(info_of(rate_hz, channels), flat)
                self._sessions[session_id] = session
        if channels != session.info.channels:
            raise UsageError(
                f"session {session_id!r} has {session.info.channels} channels, "
                f"not {channels} as this stretch"
            )
        if rate_hz is not None and rate_hz != session.info.rate_hz:
            raise UsageError(
                f"session {session_id!r} runs at {session.info.rate_hz} Hz, not {rate_hz}"
            )
        return session
