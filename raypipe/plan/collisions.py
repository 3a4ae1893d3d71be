"""Two inputs that would write one output: found before the start, both named.

Names clash where they change (``a.mp3`` and ``a.wav`` both to ``a.flac``).
The listing is walked once before the start, as 8-byte digests (8 MB for a
million files). Where names mostly stay, a huge listing is not waited for: what
lies beyond `PATIENCE` files is watched by a `Guard` while the run goes on.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from raypipe.errors import UsageError
from raypipe.plan.route import Route
from raypipe.plan.scan import would_list
from raypipe.settings import RunSettings
from raypipe.storage import join, show
from raypipe.storage.listing import exists
from raypipe.types import AudioFile, Failed

Listing = Callable[[], Iterator[AudioFile | Failed]]

PATIENCE = 100_000
"""Files that are listed before the start where names mostly stay: about a second."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What the look before the start has seen."""

    files: int
    bytes: int
    complete: bool
    """False where the listing goes on beyond what was looked at."""


def refuse_collisions(listing: Listing, *, names_stay: bool) -> Listed:
    """Raise `UsageError` that names both where two inputs share an output.

    Parameters
    ----------
    listing : callable
        Gives a fresh listing each time; it is walked twice only if something collides.
    names_stay : bool
        True where outputs are named as inputs are, but for formats that cannot be written.
    """
    most = PATIENCE if names_stay else None
    digests = array("Q")
    size = 0
    for file in islice(_files(listing), most):
        size += file.size
        digests.append(_digest(file.output))
    _refuse_twins(digests, listing, most)
    return Listed(len(digests), size, most is None or len(digests) < most)


def _refuse_twins(digests: array[int], listing: Listing, most: int | None) -> None:
    ordered = np.sort(np.frombuffer(digests, np.uint64))
    twice = {int(d) for d in ordered[1:][ordered[1:] == ordered[:-1]]}
    seen: dict[str, str] = {}
    for file in islice(_files(listing), most) if twice else ():
        if _digest(file.output) not in twice:
            continue
        if file.output in seen:
            raise UsageError(
                f"{show(seen[file.output])} and {show(file.name)} would both become "
                f"{show(file.output)}; rename one, or leave one out with --exclude and do it in "
                "a run of its own"
            )
        seen[file.output] = file.name


def _files(listing: Listing) -> Iterator[AudioFile]:
    return (file for file in listing() if isinstance(file, AudioFile))


def _digest(output: str) -> int:
    data = hashlib.blake2b(output.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(data, "little")


class Guard:
    """Watches a listing that was too long to be checked before the start.

    Names mostly stay there, so only a file whose ending changes (``a.m4a`` to ``a.flac``) can
    meet another: one of its kind, or one that has that name already.

    Parameters
    ----------
    route : Route
        Where inputs and outputs lie.
    settings : RunSettings
        What is listed.
    """

    def __init__(self, route: Route, settings: RunSettings) -> None:
        self._route, self._settings = route, settings
        self._taken: set[int] = set()

    def check(self, file: AudioFile) -> Failed | None:
        """A `Failed` where another input has, or will have, this file's output."""
        stem, ending = os.path.splitext(file.name)
        made = os.path.splitext(file.output)[1]
        if made == ending:
            return None
        twin = stem + made
        digest = _digest(file.output)
        if digest in self._taken or (
            exists(join(self._route.root, twin)) and would_list(twin, self._route, self._settings)
        ):
            return Failed(file, f"another input also becomes {show(file.output)}")
        self._taken.add(digest)
        return None
