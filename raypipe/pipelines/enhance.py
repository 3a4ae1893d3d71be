"""Sound in, the same length of sound out: resample, step the model, resample back.

Takes stretches of several files at once and steps them together in lanes, one
lane for each channel. Comes in: a `Job` for each file (samples at the file's
own rate, the state that its last stretch left). Goes out: a `Made` for each
(samples aligned with the input, the state for the next stretch).

The model's latency is taken off here: zeros are stepped after a file's end and
as many samples are dropped at its beginning, so output sample *n* belongs to
input sample *n* and there are as many of them. Where some of the input is to stay
in the output, it is put together with that here, at the file's own rate: what lies
above the model's band then stays, too, in the same share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from raypipe.dsp.blend import blend
from raypipe.dsp.resample import Resample
from raypipe.errors import ModelError
from raypipe.inference.lanes import LaneModel
from raypipe.pipelines.stage import join_states, part_of
from raypipe.telemetry import Stopwatch
from raypipe.types import Samples, SoundInfo, State


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A stretch of one file."""

    info: SoundInfo
    sound: Samples
    """``(channels, samples)`` at the file's rate."""
    start: int
    """Samples of this file that came before."""
    ended: bool
    """True in the file's last stretch."""
    state: State | None
    """What the stretch before left; None in the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What became of a `Job`."""

    sound: Samples
    """``(channels, samples)`` at the file's rate, following on what was given before."""
    state: State | None
    """For the next stretch; None once the file has ended."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fed:
    """A job on its way through the model."""

    frames: Samples
    """``(channels, n * hop)`` at the model's rate."""
    pending: Samples
    """What did not fill a hop, for the next stretch."""
    before: State
    """State of the resampler in front."""
    stepped: int
    """Samples that earlier stretches have put through the model."""
    total: int | None
    """The file's length at the model's rate, known once it has ended."""


@cache
def _resampler(rate_in_hz: int, rate_out_hz: int, lag: int) -> Resample:
    return Resample(rate_in_hz, rate_out_hz, lag)


class Enhance:
    """One sound model over many files at once.

    Parameters
    ----------
    model : LaneModel
        Frame model whose output is as long as its input.
    share : float
        Of the model's sound in the output, from 0 to 1; the rest is the input's.
    """

    def __init__(self, model: LaneModel, share: float = 1.0) -> None:
        self.model = model
        self.share = share
        self.hop = model.card.hop
        self.latency = model.card.latency

    def step(self, jobs: Sequence[Job], clock: Stopwatch | None = None) -> list[Made]:
        """Take every job one stretch further.

        Parameters
        ----------
        jobs : sequence of Job
            Of different files; lengths, rates and channel counts may differ.
        clock : Stopwatch, optional
            Gets the seconds spent in ``resample`` and ``step``.

        Returns
        -------
        list of Made
            In the order of the jobs.
        """
        clock = clock or Stopwatch()
        with clock("resample"):
            fed = [self._feed(job) for job in jobs]
        with clock("step"):
            states = [
                part_of(job.state, "model")
                if job.state
                else self.model.new_state(job.info.channels)
                for job in jobs
            ]
            sounds, states = self.model.process([f.frames for f in fed], states)
        with clock("resample"):
            return [self._give(*each) for each in zip(jobs, fed, sounds, states, strict=True)]

    def _rate_of(self, info: SoundInfo) -> int:
        return self.model.card.rate_hz or info.rate_hz

    def _before(self, info: SoundInfo) -> Resample:
        return _resampler(info.rate_hz, self._rate_of(info), 0)

    def _after(self, info: SoundInfo) -> Resample:
        """The way back; its grid allows for what is still inside the stages in front of it."""
        held = self._before(info).held_out
        return _resampler(self._rate_of(info), info.rate_hz, held + self.hop + self.latency)

    def _feed(self, job: Job) -> _Fed:
        channels = job.info.channels
        before = self._before(job.info)
        sound = job.sound.astype(np.float32, copy=False)
        if job.state is None:
            state = before.reset(channels)
            pending = np.zeros((channels, 0), np.float32)
            stepped = 0
        else:
            state, pending = part_of(job.state, "before"), job.state["pending"]
            stepped = int(job.state["counts"][0, 0])
        sound, state = before.process(sound, state)
        parts = [pending, sound]
        total = None
        if job.ended:
            parts.append(before.flush(state))
            total = stepped + sum(part.shape[1] for part in parts)
            parts.append(np.zeros((channels, self._padding(total)), np.float32))
        line = _joined(parts, channels)
        whole = line.shape[1] // self.hop * self.hop
        return _Fed(line[:, :whole], line[:, whole:], state, stepped, total)

    def _padding(self, total: int) -> int:
        """Zeros after the end, so that all of the sound comes out and the last hop is whole."""
        return -(total + self.latency) % self.hop + self.latency if total else 0

    def _give(self, job: Job, fed: _Fed, sound: Samples, model_state: State) -> Made:
        info, channels = job.info, job.info.channels
        if sound.shape != fed.frames.shape:
            raise ModelError(
                f"model {self.model.card.name}: gave {sound.shape} samples for {fed.frames.shape}"
            )
        stepped = fed.stepped + sound.shape[1]
        late = max(0, self.latency - fed.stepped)
        stop = sound.shape[1]
        if fed.total is not None:
            stop = max(late, fed.total + self.latency - fed.stepped)
        sound = sound[:, late:stop]
        after = self._after(info)
        given = 0
        if job.state is None:
            after_state = after.reset(channels)
        else:
            after_state, given = part_of(job.state, "after"), int(job.state["counts"][0, 1])
        sound, after_state = after.process(sound, after_state)
        if job.ended:
            sound = _joined([sound, after.flush(after_state)], channels)
            sound = sound[:, : job.start + job.sound.shape[1] - given]
        sound, dry = self._with_dry(job, sound)
        if job.ended:
            return Made(sound, None)
        counts = np.tile(np.array([stepped, given + sound.shape[1]], np.int64), (channels, 1))
        state = join_states(before=fed.before, model=model_state, after=after_state)
        state |= {"pending": fed.pending.copy(), "counts": counts}
        if dry is not None:
            state["dry"] = dry
        return Made(sound, state)

    def _with_dry(self, job: Job, sound: Samples) -> tuple[Samples, Samples | None]:
        """Put the input's share in; give what of the input still waits for its output, too.

        A wide source (PCM_32, DOUBLE) is rounded to float32 for the model. Where the model's
        output *is* that rounded sample, the source's own sample is the better reading of it.
        """
        info = job.info
        rounded = info.wide and self._rate_of(info) == info.rate_hz
        if self.share == 1 and not rounded:
            return sound, None
        waiting = job.sound if info.wide else job.sound.astype(np.float32, copy=False)
        if job.state is not None:
            waiting = np.concatenate([job.state["dry"], waiting], axis=1)
        count = sound.shape[1]
        return blend(waiting[:, :count], sound, self.share), waiting[:, count:].copy()


def _joined(parts: Sequence[Samples], channels: int) -> Samples:
    """Stretches one after the other; a stage with nothing inside may flush no lanes at all."""
    full = [part for part in parts if part.size]
    if len(full) == 1:
        return full[0]
    return np.concatenate(full, axis=1) if full else np.zeros((channels, 0), np.float32)
