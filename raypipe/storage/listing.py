"""Looking around in folders of a disk and of a store alike, before anything is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from raypipe.storage.address import store_of
from raypipe.storage.paths import is_address
from raypipe.storage.refusals import refusals
from raypipe.storage.store import Found
from raypipe.types import AudioFile

LOOKS_AT_A_TIME = 16
"""Requests about single objects that go out side by side."""

LOOKS_AHEAD = 256
"""So many entries of a list are looked at before the first of them is told."""


def walk(address: str) -> Iterator[Found]:
    """Every object below a folder, as the store lists them.

    Raises
    ------
    StorageError
        If the store refuses.
    """
    with refusals(address, "list"):
        yield from store_of(address).walk(address)


def look_at(path: str) -> os.stat_result | Found | OSError:
    """What a disk or a store says of one file; the error where it does not say."""
    try:
        if not is_address(path):
            return os.stat(path)
        return store_of(path).stat(path) or FileNotFoundError(2, "no such object")
    except OSError as error:
        return error


def identified(file: AudioFile, found: os.stat_result | Found) -> AudioFile:
    """A file with what tells it from another one of its name: size, time, a store's mark."""
    if isinstance(found, Found):
        size = max(found.size, 0)
        return replace(file, size=size, mtime_ns=found.mtime_ns, etag=found.etag)
    return replace(file, size=found.st_size, mtime_ns=found.st_mtime_ns)


def look_at_all(paths: Iterable[str]) -> Iterator[tuple[str, os.stat_result | Found | OSError]]:
    """Each path with what `look_at` says; a few hundred requests ahead."""
    left = iter(paths)
    with ThreadPoolExecutor(LOOKS_AT_A_TIME, "look") as threads:
        while some := list(islice(left, LOOKS_AHEAD)):
            remote = [path for path in some if is_address(path)]
            answers = dict(zip(remote, threads.map(look_at, remote), strict=True))
            for path in some:
                yield path, answers[path] if path in answers else look_at(path)


def exists(path: str) -> bool:
    """True where something stands there.

    Raises
    ------
    StorageError
        If a store refuses to tell.
    """
    if is_address(path):
        with refusals(path, "look at"):
            return store_of(path).stat(path) is not None
    return os.path.lexists(path)


def is_folder(address: str) -> bool:
    """True where there is anything below an address."""
    return next(walk(address), None) is not None
