"""A stretch of a file before and after, of the same samples, where something happens.

Comes in: what is known of a file. Goes out: an `Excerpt`. Of a short file the
whole is looked at, of a long one a few spots; what is read is thrown away but
for its levels, and the stretch that is chosen is read again. Formats that can
only be decoded from their beginning are looked at there.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.audio.rawpcm import HEADERLESS, layout_of
from raypipe.audio.read import SoundReader, open_sound
from raypipe.errors import AudioError, StorageError, UsageError
from raypipe.page.gather import FileRow, Gathered, output_path
from raypipe.results.journal import key_of
from raypipe.settings import check_raw
from raypipe.storage import join, located, show
from raypipe.storage.inputs import input_size
from raypipe.storage.listing import identified, look_at
from raypipe.storage.store import Found
from raypipe.types import AudioFile, RawLayout, Samples, SoundInfo, samples_in

MOST_CHANNELS_SHOWN = 2
"""Of more, the first two are shown and heard: there are no pictures of 5.1 in stereo players."""

WHOLE_S = 120
"""Up to this length a file is looked at whole."""
SPOTS = 12
"""Of a longer one so many stretches are looked at, evenly spaced."""

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
    remarks: list[str] = []
    raw = _layout(gathered.head)
    after = _opened_output(row, gathered, raw, remarks)
    before = _opened_input(row, raw, new_input, remarks)
    if after is not None and not _as_it_was_made(row, gathered):
        remarks.append("The output was changed since the run.")
    try:
        return _read_both(before, after, seconds, remarks)
    finally:
        for reader in (before, after):
            if reader is not None:
                reader.close()


def _as_it_was_made(row: FileRow, gathered: Gathered) -> bool:
    if row.stamp is None:
        return True
    return gathered.place.stands(row.output, row.stamp[0], None, fresh=True)


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
            remarks.append(f"It could not be looked at whole: {_reason(error)}.")
    sides = []
    for which, reader in (("before", before), ("after", after)):
        side = None
        if reader is not None:
            try:
                side = _read(reader, start_s, seconds)
            except (AudioError, StorageError) as error:
                remarks.append(f"The sound {which} cannot be read: {_reason(error)}.")
        sides.append(side)
    first, second = sides
    length_s = max((s.sound.shape[1] / s.rate_hz for s in sides if s is not None), default=0.0)
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


def _opened_output(
    row: FileRow, gathered: Gathered, raw: RawLayout | None, remarks: list[str]
) -> SoundReader | None:
    path = output_path(gathered, row)
    if not path:
        remarks.append("The sound after cannot be read: its path leads out of the output.")
        return None
    try:
        return open_sound(path, raw=raw or _told_layout(row), keep_truncated=True)
    except (AudioError, StorageError) as error:
        remarks.append(f"The sound after cannot be read: {_reason(error)}.")
        return None


def _opened_input(
    row: FileRow, raw: RawLayout | None, new_input: str | None, remarks: list[str]
) -> SoundReader | None:
    path = row.input if new_input is None else _moved(row, new_input)
    if not path:
        remarks.append("There is no sound before: where the input lay is not known.")
        return None
    try:
        found = look_at(path)
        if isinstance(found, OSError):
            gone = isinstance(found, FileNotFoundError | NotADirectoryError)
            why = "is not there any more" if gone else f"cannot be read: {found.strerror or found}"
            hint = "" if new_input is not None else "; --input says where it lies now"
            remarks.append(f"There is no sound before: the input {why}{hint}.")
            return None
        reader = open_sound(path, raw=raw or _told_layout(row), keep_truncated=True)
    except (AudioError, StorageError) as error:
        remarks.append(f"The sound before cannot be read: {_reason(error)}.")
        return None
    if odd := _difference(row, reader.info):
        reader.close()
        remarks.append(f"The input is another file now ({odd}), so there is no sound before.")
        return None
    if new_input is None and row.key and _key_now(row, path, found, raw) != row.key:
        remarks.append("The input was changed or touched since the run.")
    return reader


def _moved(row: FileRow, new_input: str) -> str:
    """Where an input lies now."""
    root = located(new_input)
    try:
        input_size(root)
    except (OSError, StorageError):
        return join(root.rstrip("/") or "/", row.name)
    return root  # IN was one file, and so is this


def _difference(row: FileRow, info: SoundInfo) -> str:
    """What tells an input from the one that the run has read; nothing where nothing does."""
    if row.rate_hz is not None and info.rate_hz != row.rate_hz:
        return f"{info.rate_hz} Hz, it had {row.rate_hz} Hz"
    if row.channels is not None and info.channels != row.channels:
        return f"{info.channels} channels, it had {row.channels}"
    then = row.info.frames if row.info is not None else None
    if then is not None and info.frames is not None and info.frames != then:
        return f"{info.frames} samples, it had {then}"
    return ""


def _key_now(row: FileRow, path: str, found: os.stat_result | Found, raw: RawLayout | None) -> str:
    headerless = os.path.splitext(path)[1].lower() in HEADERLESS
    file = AudioFile(path, row.name, row.output, 0, 0, raw if headerless else None)
    return key_of(identified(file, found))


def _layout(head: dict[str, Any]) -> RawLayout | None:
    """The layout of headerless files that the run was told."""
    told = (head.get("settings") or {}).get("raw")
    try:
        return check_raw(RawLayout(**told)) if isinstance(told, dict) else None
    except (TypeError, UsageError):
        return None


def _told_layout(row: FileRow) -> RawLayout | None:
    """The same as the journal tells it, where there is no report."""
    info = row.info
    if info is None or info.container != "RAW":
        return None
    return layout_of(info.subtype, info.endian, info.rate_hz, info.channels)


def _reason(error: Exception) -> str:
    return show(error.reason if isinstance(error, AudioError) else str(error))
