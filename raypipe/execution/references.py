"""Which recording a file is compared with.

Comes in: where the references lie, and a file's name. Goes out: the path or address of the one that
has its name, under whatever ending.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from raypipe.audio.probe import find_audio_suffixes
from raypipe.storage import is_address, join
from raypipe.storage.listing import exists

USUAL = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aiff", ".aif", ".caf", ".w64", ".au")
"""Endings that are looked for first; in a store, where each look is a request, no others are."""


def find_reference(root: str, name: str) -> str | None:
    """The reference of a file: the same name below `root`, or the same with another ending.

    Parameters
    ----------
    root : str
        Folder or address.
    name : str
        The file's, relative to its own root.
    """
    for candidate in dict.fromkeys(_candidates(name, everything=not is_address(root))):
        path = join(root, candidate)
        if exists(path) and (is_address(path) or not os.path.isdir(path)):
            return path
    return None


def _candidates(name: str, *, everything: bool) -> Iterator[str]:
    stem = os.path.splitext(name)[0]
    yield name
    for endings in (USUAL, sorted(find_audio_suffixes()) if everything else ()):
        yield from (stem + ending for ending in endings)
        yield from (stem + ending.upper() for ending in endings)
