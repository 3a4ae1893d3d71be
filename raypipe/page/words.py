"""Numbers and lists as the page says them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from raypipe.storage import show

MINUS = "−"
MOST_EXAMPLES = 5

_NUMBERS = re.compile(r"\d[\d.,]*")
_PATHS = re.compile(r"\S*/\S*")


@dataclass(frozen=True, slots=True)
class Group:
    """Files with much the same thing to say."""

    text: str
    """What the first of them says."""
    count: int
    examples: tuple[str, ...]
    """Names of the first few."""


def number(value: float | None, digits: int = 1, unit: str = "") -> str:
    """``−23.4 dB``; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    if not float(text.replace(",", "")):
        text = text.lstrip("-")
    return text.replace("-", MINUS) + (f" {unit}" if unit else "")


def change(before: float | None, after: float | None, digits: int = 1) -> str:
    """``+3.1`` or ``−12.0``."""
    if before is None or after is None:
        return "–"
    text = number(after - before, digits)
    return text if text.startswith(MINUS) or not float(text.replace(",", "")) else f"+{text}"


def clock(seconds: float, decimals: int = 0) -> str:
    """``1:02:03``, ``2:03`` or ``0:07``; with decimals of a second where asked."""
    whole = round(seconds * 10**decimals) / 10**decimals
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(int(minutes), 60)
    width = 3 + decimals if decimals else 2
    tail = f"{rest:0{width}.{decimals}f}"
    return f"{hours}:{minutes:02}:{tail}" if hours else f"{minutes}:{tail}"


def spell(seconds: float) -> str:
    """A time as the headline has it: ``12.3 hours``, ``45 minutes``, ``7.1 s``."""
    if seconds >= 5400:
        return f"{seconds / 3600:,.1f} hours"
    if seconds >= 90:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds:.1f} s"


def hertz(rate_hz: float | None) -> str:
    """``44.1 kHz``."""
    if rate_hz is None:
        return "–"
    return f"{rate_hz / 1000:g} kHz" if rate_hz >= 1000 else f"{rate_hz:g} Hz"


def channels(count: int | None) -> str:
    """``mono``, ``stereo``, ``6 channels``."""
    names = {None: "–", 1: "mono", 2: "stereo"}
    return names.get(count) or f"{count} channels"


def counted(count: int, noun: str) -> str:
    """``1 file``, ``2,000 files``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def grouped(told: Iterable[tuple[str, str]]) -> list[Group]:
    """Reasons that differ in their numbers and paths alone, together; the most frequent first.

    Parameters
    ----------
    told : iterable of (reason, file name)
        In the order of the files.
    """
    texts: dict[str, str] = {}
    counts: dict[str, int] = {}
    names: dict[str, list[str]] = {}
    for reason, name in told:
        key = _NUMBERS.sub("0", _PATHS.sub("/", reason))
        texts.setdefault(key, reason)
        counts[key] = counts.get(key, 0) + 1
        some = names.setdefault(key, [])
        if len(some) < MOST_EXAMPLES:
            some.append(show(name))
    order = sorted(counts, key=lambda key: (-counts[key], key))
    return [Group(show(texts[key]), counts[key], tuple(names[key])) for key in order]


def setting(value: Any) -> str:
    """A setting as one would write it."""
    if value is None:
        return "auto"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {setting(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(show(str(part)) for part in value) or "–"
    return show(str(value)) or "–"
