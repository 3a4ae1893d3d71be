"""A stretch of a file before and after, of the same samples, where something happens.

Comes in: what is known of a file. Goes out: an `Excerpt`. Of a short file the
whole is looked at, of a long one a few spots; what is read is thrown away but
for its levels, and the stretch that is chosen is read again. Formats that can
only be decoded from their beginning are looked at there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.audio.read import SoundReader
from raypipe.errors import AudioError, StorageError
from raypipe.page.gather import FileRow, Gathered
from raypipe.page.opened import opened, reason_of
from raypipe.page.words import clock
from raypipe.types import Samples, samples_in

MOST_CHANNELS_SHOWN = 2
"""Of more, the first two are shown and heard: there are no pictures of 5.1 in stereo players."""

WHOLE_S = 120
"""Up to this length a file is looked at whole."""
SPOTS = 12
"""Of a longer one so many stretches are looked at, evenly spaced."""

NOTABLE_S = 0.05
"""By so much one sound may end before the other with nothing said."""

LEVEL_S = 0.1
QUIETEST_DB = -80.0
"""Quieter moments are all alike: nobody hears what happens there."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sounds of an excerpt."""

    sound: Samples
    """``(channels, samples)``, float32, at most two channels."""
    rate_hz: int
    channels: int
    """Of the file."""
    format: str
    """Container and subtype."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The same stretch of both sounds."""

    start_s: float
    stop_s: float
    before: Side | None
    """None where the input cannot be shown; `remarks` say why."""
    after: Side | None
    remarks: tuple[str, ...]

    def cut(self, seconds: float) -> Excerpt:
        """Its first so many seconds."""

        def shorter(side: Side | None) -> Side | None:
            if side is None:
                return None
            return replace(side, sound=side.sound[:, : samples_in(seconds, side.rate_hz)])

        return replace(
            self,
            stop_s=min(self.stop_s, self.start_s + seconds),
            before=shorter(self.before),
            after=shorter(self.after),
        )


def excerpt_of(
    row: FileRow, gathered: Gathered, seconds: float, new_input: str | None = None
) -> Excerpt:
    """Read a file's excerpt.

    Parameters
    ----------
    row : FileRow
        A file whose output stands.
    gathered : Gathered
        Where from.
    seconds : float
        Length of the excerpt, at most.
    new_input : str, optional
        Where the input lies now: the folder, address or file that IN was.
    """
    with opened(row, gathered, new_input) as (before, after, remarks):
        return _read_both(before, after, seconds, remarks)


def _read_both(
    before: SoundReader | None, after: SoundReader | None, seconds: float, remarks: list[str]
) -> Excerpt:
    start_s = 0.0
    for reader in (before, after):  # the first that can be read tells where to look
        if reader is None:
            continue
        try:
            start_s = _eventful(reader, seconds, remarks)
            break
        except (AudioError, StorageError) as error:
            remarks.append(f"It could not be looked at whole: {reason_of(error)}.")
    sides = []
    for which, reader in (("before", before), ("after", after)):
        side = None
        if reader is not None:
            try:
                side = _read(reader, start_s, seconds)
            except (AudioError, StorageError) as error:
                remarks.append(f"The sound {which} cannot be read: {reason_of(error)}.")
        sides.append(side)
    first, second = sides
    lengths_s = [s.sound.shape[1] / s.rate_hz if s is not None else None for s in sides]
    length_s = max((each for each in lengths_s if each is not None), default=0.0)
    for which, each in zip(("before", "after"), lengths_s, strict=True):
        if each is not None and length_s - each > NOTABLE_S:
            remarks.append(f"The sound {which} ends at {clock(start_s + each, 1)}.")
    channels = max((s.channels for s in sides if s is not None), default=0)
    if channels > MOST_CHANNELS_SHOWN:
        remarks.append(f"The first two of its {channels} channels are shown.")
    return Excerpt(start_s, start_s + length_s, first, second, tuple(remarks))


def _read(reader: SoundReader, start_s: float, seconds: float) -> Side | None:
    info = reader.info
    start = round(start_s * info.rate_hz)
    if reader.position != start:
        reader.seek(start)
    left = samples_in(seconds, info.rate_hz)
    parts = []
    while left > 0:  # a second at a time: a file may have 64 channels at 192 kHz
        part = reader.read(min(left, info.rate_hz))
        if not part.shape[1]:
            break
        parts.append(np.asarray(part[:MOST_CHANNELS_SHOWN], np.float32))
        left -= part.shape[1]
    if not parts:
        return None
    sound = np.concatenate(parts, axis=1)
    return Side(sound, info.rate_hz, info.channels, f"{info.container} {info.subtype}")


def _eventful(reader: SoundReader, seconds: float, remarks: list[str]) -> float:
    """Where the most happens, in seconds from the beginning: loud next to quiet."""
    info = reader.info
    length_s = info.frames / info.rate_hz if info.frames else None
    if length_s is not None and length_s <= seconds:
        return 0.0
    if info.sequential or length_s is None or length_s <= WHOLE_S:
        levels = _levels(reader, WHOLE_S)
        if length_s is None or length_s > WHOLE_S + 1:
            remarks.append(
                f"Looked at were its first {WHOLE_S} s: this format is read from its beginning."
            )
        window = max(1, round(seconds / LEVEL_S))
        starts = range(0, max(1, len(levels) - window + 1), round(0.5 / LEVEL_S))
        best = max(starts, key=lambda start: _spread(levels[start : start + window]))
        return best * LEVEL_S
    spots = [number * (length_s - seconds) / (SPOTS - 1) for number in range(SPOTS)]
    spread = {}
    for spot_s in spots:
        at_s = math.floor(spot_s * 10) / 10
        reader.seek(round(at_s * info.rate_hz))
        spread[at_s] = _spread(_levels(reader, seconds))
    remarks.append(f"Looked at were {SPOTS} spots, evenly spaced.")
    return max(spread, key=lambda at_s: spread[at_s])


def _levels(reader: SoundReader, seconds: float) -> NDArray[Any]:
    """Level of each `LEVEL_S` from here on, in dB, of all channels together."""
    info = reader.info
    block = samples_in(LEVEL_S, info.rate_hz)
    count = round(seconds / LEVEL_S)
    found: list[float] = []
    while len(found) < count:
        part = reader.read(max(1, 10 // info.channels) * block)
        if not part.shape[1]:
            break
        whole = part.shape[1] // block * block
        power = np.mean(np.square(part, dtype=np.float64), axis=0)
        found.extend(power[:whole].reshape(-1, block).mean(axis=1))
        if whole < part.shape[1]:
            found.append(power[whole:].mean())
            break
    levels = 10 * np.log10(np.maximum(found, 10 ** (QUIETEST_DB / 10)))
    return np.asarray(levels[:count])


def _spread(levels: NDArray[Any]) -> float:
    """How far loud and quiet moments are apart; of equal ones the stretch with more to hear."""
    if not len(levels):
        return -math.inf
    low, high = np.percentile(levels, [10, 90])
    return round(float(high - low + 0.2 * levels.mean()), 3)
