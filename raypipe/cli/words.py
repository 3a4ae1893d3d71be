"""Numbers as people read them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """Seconds as ``h:mm:ss`` or ``m:ss``; below ten seconds with a decimal."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"


def gigabytes(size: int) -> str:
    """Bytes as ``1.2 GB``, ``3.4 MB`` or ``5 kB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1000:.0f} kB"
