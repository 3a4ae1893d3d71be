"""One chosen file as the page shows it: pictures, curves, figures and both sounds.

Comes in: an `Excerpt`. Goes out: a `Shown`, whose parts the template puts in their
places. Both sides are drawn on the same scales.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raypipe.page import curves
from raypipe.page.choose import Chosen
from raypipe.page.colours import STEPS, colour_map
from raypipe.page.excerpt import Excerpt, Side
from raypipe.page.png import png
from raypipe.page.sound import data_address, playable
from raypipe.page.spectrogram import mel, shades, spectrogram
from raypipe.page.words import change, channels, clock, counted, hertz, number
from raypipe.quality.measures import Measures, measure
from raypipe.storage import show

RANGE_DB = 90
"""From the darkest to the brightest colour."""
TOP_DB = (-60, 0)
"""The brightest colour's level is within these, so that silence stays dark."""

SHORTEST_EXCERPT_S = 2.0
COUNTED_S = 0.1
"""Of shorter files the samples are told, not the seconds."""
HASTE = 0.97
"""Of the length that should fit, what is tried first; squared each time that it did not."""

FREQUENCIES_HZ = (250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000)
STEPS_S = (0.0001, 0.001, 0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10)
MOST_TICKS = 6
LEAST_GAP, LEAST_GAP_AT_ENDS = 16, 24
"""Between two ticks, in `Tick.at`'s unit: a line on a phone; the outermost stand inside."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark at an axis."""

    at: int
    """0 to 200: half per cent of the way, from the left or the top."""
    text: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """One side."""

    key: str
    """``before`` or ``after``."""
    picture: str
    """Address of the spectrogram."""
    about: str
    """What it shows, in words."""
    outline: str
    """SVG path of the waveform."""
    level: str
    floor: str
    """SVG paths of level and noise floor."""
    sound: str
    """Address of the sound; empty where there is nothing to hear."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the measures."""

    name: str
    unit: str
    before: str
    after: str
    change: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A chosen file."""

    name: str
    why: str
    """Why it is shown, and its gain."""
    facts: tuple[str, ...]
    remarks: tuple[str, ...]
    start_s: float
    seconds: float
    drawn: tuple[Drawn, ...]
    times: tuple[Tick, ...]
    frequencies: tuple[Tick, ...]
    colours: tuple[Tick, ...]
    levels: tuple[Tick, ...]
    full: str
    """Amplitude at the waveforms' edges."""
    whole: tuple[Figure, ...]
    """Of the whole file."""
    here: tuple[Figure, ...]
    """Of the excerpt."""


def shown(chosen: Chosen, excerpt: Excerpt, most_bytes: float) -> Shown:
    """Draw a file.

    Parameters
    ----------
    chosen : Chosen
        Which, and why.
    excerpt : Excerpt
        Its sound.
    most_bytes : float
        What both sounds may take in the page; the excerpt is shortened until they do.
    """
    excerpt, sounds = _fitting(excerpt, most_bytes)
    row = chosen.row
    sides = {"before": excerpt.before, "after": excerpt.after}
    there = {key: side for key, side in sides.items() if side is not None and side.sound.size}
    seconds = excerpt.stop_s - excerpt.start_s
    drawn, frequencies, colours, levels, full = _drawn(row.name, there, sounds, excerpt)
    measures = {key: measure(side.sound, side.rate_hz) for key, side in there.items()}
    facts = [f"{row.format} {row.subtype}".strip(), hertz(row.rate_hz), channels(row.channels)]
    if row.seconds is not None:
        facts.append(clock(row.seconds) if row.seconds >= 60 else number(row.seconds, 2, "s"))
    if row.frames is not None and (row.seconds or 0) < COUNTED_S:
        facts[-1] = counted(row.frames, "sample")
    if seconds and row.seconds is not None and row.seconds - seconds > 0.05:
        facts.append(f"shown: {clock(excerpt.start_s, 1)} to {clock(excerpt.stop_s, 1)}")
    return Shown(
        name=show(row.name),
        why=_why(chosen),
        facts=tuple(show(fact) for fact in facts if fact and fact != "–"),
        remarks=(*excerpt.remarks, *(show(note) for note in row.notes)),
        start_s=excerpt.start_s,
        seconds=seconds,
        drawn=drawn,
        times=_times(excerpt.start_s, seconds),
        frequencies=frequencies,
        colours=colours,
        levels=levels,
        full=full,
        whole=_whole(chosen),
        here=_here(measures.get("before"), measures.get("after")),
    )


def _why(chosen: Chosen) -> str:
    gain_db = chosen.row.gain_db
    if gain_db is None:
        return chosen.why
    gained = change(0.0, gain_db) + " dB"
    return f"{chosen.why}: {gained}" if chosen.why else f"gained {gained}"


def _fitting(excerpt: Excerpt, most_bytes: float) -> tuple[Excerpt, dict[str, bytes | None]]:
    """The excerpt and its sounds, shortened where they would take too many bytes."""
    haste = HASTE
    while True:
        sounds = {
            key: playable(side.sound, side.rate_hz) if side is not None else None
            for key, side in (("before", excerpt.before), ("after", excerpt.after))
        }
        size = sum(len(sound) for sound in sounds.values() if sound is not None)
        seconds = excerpt.stop_s - excerpt.start_s
        if size <= most_bytes or seconds <= SHORTEST_EXCERPT_S + 1e-6:
            return excerpt, sounds
        excerpt = excerpt.cut(max(SHORTEST_EXCERPT_S, haste * seconds * most_bytes / size))
        haste **= 2  # most bytes may stand at the beginning


def _drawn(
    name: str, sides: dict[str, Side], sounds: dict[str, bytes | None], excerpt: Excerpt
) -> tuple[tuple[Drawn, ...], tuple[Tick, ...], tuple[Tick, ...], tuple[Tick, ...], str]:
    if not sides:
        return (), (), (), (), ""
    top_hz = max(side.rate_hz for side in sides.values()) / 2
    seconds = excerpt.stop_s - excerpt.start_s
    pictures = {
        k: spectrogram(side.sound, side.rate_hz, top_hz, seconds) for k, side in sides.items()
    }
    loudest = max(float(np.percentile(picture, 99.9)) for picture in pictures.values())
    top_db = min(max(10 * math.ceil(loudest / 10), TOP_DB[0]), TOP_DB[1])
    peak = max(float(np.abs(side.sound).max()) for side in sides.values())
    full = max(peak, 1e-6)
    levels = {k: curves.levels_db(side.sound, side.rate_hz) for k, side in sides.items()}
    floors = {k: curves.floor_db(level) for k, level in levels.items()}
    highest = max(level.max() for level in levels.values())
    lowest = min(floor.min() for floor in floors.values())
    high_db = max(10 * math.ceil(highest / 10), -100)
    low_db = max(min(10 * math.floor(lowest / 10), high_db - 20), high_db - 100)
    drawn = []
    for key, side in sides.items():
        picture = shades(pictures[key], top_db - RANGE_DB, top_db, STEPS)
        sound = sounds[key]
        there_s = side.sound.shape[1] / side.rate_hz
        about = (
            f"Spectrogram of {show(name)} {key}: {clock(excerpt.start_s, 1)} to "
            f"{clock(excerpt.stop_s, 1)}, 0 to {hertz(top_hz)}, "
            f"{number(top_db - RANGE_DB, 0)} to {number(top_db, 0)} dB"
        )
        drawn.append(
            Drawn(
                key=key,
                picture=data_address("image/png", png(picture, colour_map())),
                about=about,
                outline=curves.outline_path(curves.outline(side.sound), full, there_s / seconds),
                level=curves.line_path(levels[key], low_db, high_db, there_s, seconds),
                floor=curves.line_path(floors[key], low_db, high_db, there_s, seconds),
                sound="" if sound is None else data_address("audio/flac", sound),
                seconds=there_s,
            )
        )
    colours = [Tick(round(200 * (1 - down / RANGE_DB)), number(top_db - down, 0))
               for down in range(RANGE_DB, -1, -30)]  # fmt: skip
    step = 10 if high_db - low_db <= 50 else 20
    lines = [Tick(round(200 * (high_db - level) / (high_db - low_db)), number(level, 0))
             for level in range(high_db, low_db - 1, -step)]  # fmt: skip
    edge = number(20 * math.log10(full), 0, "dBFS") if peak > 0 else "silence"
    return tuple(drawn), _frequencies(top_hz), tuple(colours), tuple(lines), edge


def _frequencies(top_hz: float) -> tuple[Tick, ...]:
    ticks = [Tick(0, _short_hz(top_hz))]
    for frequency_hz in reversed([f for f in FREQUENCIES_HZ if f < top_hz]):
        at = round(200 * (1 - float(mel(frequency_hz) / mel(top_hz))))
        above = LEAST_GAP_AT_ENDS if len(ticks) == 1 else LEAST_GAP
        if at - ticks[-1].at >= above and 200 - at >= LEAST_GAP_AT_ENDS:
            ticks.append(Tick(at, _short_hz(frequency_hz)))
    return (*ticks, Tick(200, "0"))


def _short_hz(frequency_hz: float) -> str:
    if frequency_hz >= 10_000:
        return f"{frequency_hz / 1000:.0f}k"
    return f"{frequency_hz / 1000:.2g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"


def _times(start_s: float, seconds: float) -> tuple[Tick, ...]:
    """Marks of the file's own time: in seconds within the first minute, then as a clock shows."""
    if seconds <= 0:
        return ()
    step_s = next((step for step in STEPS_S if seconds / step < MOST_TICKS), seconds / MOST_TICKS)
    decimals = max(0, -math.floor(math.log10(step_s)))
    minutes = start_s + seconds >= 60
    first = math.ceil(start_s / step_s - 1e-9)
    last = math.floor((start_s + seconds) / step_s + 1e-9)
    return tuple(
        Tick(
            round(200 * (at * step_s - start_s) / seconds),
            clock(at * step_s, decimals) if minutes else f"{at * step_s:.{decimals}f}",
        )
        for at in range(first, last + 1)
    )


def _whole(chosen: Chosen) -> tuple[Figure, ...]:
    row = chosen.row
    lines: Sequence[tuple[str, str, float | None, float | None]] = (
        ("Loudness", "LUFS", row.lufs_in, row.lufs_out),
        ("Noise floor", "dB, K-weighted", row.floor_in_db, row.floor_out_db),
        ("Peak", "dBFS", row.peak_in_db, row.peak_out_db),
    )
    found = [Figure(n, u, number(a), number(b), change(a, b)) for n, u, a, b in lines]
    low, high = _less(row.lufs_in, row.floor_in_db), _less(row.lufs_out, row.floor_out_db)
    found.append(Figure("Loudness above floor", "dB", number(low), number(high), change(low, high)))
    return tuple(found)


def _less(level: float | None, floor: float | None) -> float | None:
    return None if level is None or floor is None else level - floor


def _here(before: Measures | None, after: Measures | None) -> tuple[Figure, ...]:
    found = []
    for name, unit, field, digits in (
        ("Loudness", "LUFS", "loudness_lufs", 1),
        ("Noise floor", "dBFS", "noise_floor_dbfs", 1),
        ("SNR estimate", "dB, WADA", "snr_db", 1),
        ("Bandwidth", "Hz", "bandwidth_hz", 0),
    ):
        a = None if before is None else getattr(before, field)
        b = None if after is None else getattr(after, field)
        found.append(Figure(name, unit, number(a, digits), number(b, digits), change(a, b, digits)))
    return tuple(found)
