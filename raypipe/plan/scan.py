"""Which files are meant: walks folders, buckets, globs and lists, and names each file's output.

Comes in: a `Route`. Goes out: a stream of `AudioFile`,
with a `Failed` in the place of a path that cannot be meant. It opens no audio
file and keeps no listing, so a folder of a million files costs no memory and
the first file can start at once.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections.abc import Iterator
from typing import TypeAlias

from raypipe.audio.probe import find_audio_suffixes
from raypipe.audio.rawpcm import HEADERLESS
from raypipe.audio.target import output_suffix
from raypipe.plan.listfile import listed_paths
from raypipe.plan.route import Route, ending_of, matcher
from raypipe.settings import RunSettings
from raypipe.storage import PRIVATE, is_address, located, relative, show, too_long
from raypipe.storage.listing import identified, look_at, look_at_all, walk
from raypipe.storage.store import Found
from raypipe.types import AudioFile, Failed

Look: TypeAlias = "os.stat_result | Found | OSError"
"""What a disk or a store says of a file."""

FIELD_RECORDER_JUNK = "._"
"""Start of the names of macOS's resource-fork files: they are no audio, whatever their ending."""


def scan(route: Route, settings: RunSettings) -> Iterator[AudioFile | Failed]:
    """List the inputs, one at a time; what raypipe itself wrote into OUT is none.

    Yields
    ------
    AudioFile
        An input, not yet opened.
    Failed
        A path that is listed but cannot be taken: gone, no regular file, too long a name.
    """
    for path, found in _paths(route, settings):
        yield _named(path, found, route, settings)


def _named(path: str, found: Look, route: Route, settings: RunSettings) -> AudioFile | Failed:
    if route.kind == "folder" and not is_address(path):
        name = path[len(route.root) :].lstrip("/")
    else:
        name = relative(path, route.root)
    output = output_of(name, route, settings)
    if isinstance(found, OSError):
        missing = AudioFile(path, name, output, 0, 0)
        return Failed(missing, f"cannot be read: {found.strerror or found}")
    layout = settings.raw if ending_of(name) in HEADERLESS else None
    file = identified(AudioFile(path, name, output, 0, 0, layout), found)
    if isinstance(found, Found):
        if any(part in ("", ".", "..") for part in name.split("/")):
            return Failed(file, "has an empty, '.' or '..' part in its name, as no file can")
        return _fitting(file, route)
    if not stat.S_ISREG(found.st_mode):
        return Failed(file, f"is {_file_kind(found.st_mode)}, not a regular file")
    return _fitting(file, route)


def _fitting(file: AudioFile, route: Route) -> AudioFile | Failed:
    reason = too_long(file.output, route.output_root)
    return Failed(file, f"{reason}: {show(file.output)}") if reason else file


def output_of(name: str, route: Route, settings: RunSettings) -> str:
    """Path of the output for an input of this name, relative to the output's root."""
    if route.output_name is not None:
        return route.output_name
    if not route.writes:
        return name
    stem, ending = os.path.splitext(name)
    return stem + settings.suffix + output_suffix(ending, route.output_format)


def would_list(name: str, route: Route, settings: RunSettings) -> bool:
    """True where `scan` takes a file of this name, relative to the input's root."""
    in_place = route.writes and route.output_root == route.root
    made_here = in_place and _stem_ends(name, settings.suffix)
    if made_here or any(part == PRIVATE for part in name.split("/")):
        return False
    parents = ["/".join(name.split("/")[:n]) for n in range(1, name.count("/") + 1)]
    if any(_matches(parent, settings.exclude) for parent in parents):
        return False
    return _wanted_file(name, settings, any_ending=route.kind == "glob")


def _paths(route: Route, settings: RunSettings) -> Iterator[tuple[str, Look]]:
    if route.kind in ("folder", "glob") and is_address(route.source):
        yield from _objects(route, settings)
    elif route.kind == "folder":
        yield from _walk(route, settings)
    elif route.kind == "file":
        yield route.source, look_at(route.source)
    elif route.kind == "list":
        yield from look_at_all(_once(located(path) for path in listed_paths(route.source)))
    else:
        for path in _once(_globbed(route, settings)):
            yield path, look_at(path)


def _objects(route: Route, settings: RunSettings) -> Iterator[tuple[str, Look]]:
    """What a store lists below the root; a folder there is nothing but the start of a name."""
    inside = relative(route.output_root, route.root) + "/"
    fits = matcher(route.source) if route.kind == "glob" else None
    for found in walk(route.root):
        name = relative(found.address, route.root)
        if fits is not None and not fits(name):
            continue
        if would_list(name, route, settings) and not name.startswith(inside):
            yield found.address, found


def _globbed(route: Route, settings: RunSettings) -> Iterator[str]:
    output = os.path.realpath(route.output_root)
    nested = output != os.path.realpath(route.root)
    for path in glob.iglob(route.source, recursive=True):
        if os.path.isdir(path) or not would_list(
            os.path.relpath(path, route.root), route, settings
        ):
            continue
        if nested and os.path.commonpath((output, os.path.realpath(path))) == output:
            continue
        yield path


def _once(paths: Iterator[str]) -> Iterator[str]:
    """Each path the first time that it comes; lists and overlapping globs name some twice."""
    seen: set[int] = set()
    for path in paths:
        digest = hash(path)
        if digest not in seen:
            seen.add(digest)
            yield path


def _walk(route: Route, settings: RunSettings) -> Iterator[tuple[str, Look]]:
    """Depth first; links to folders are followed, except into a folder that they lie in."""
    output = os.path.realpath(route.output_root)
    nested = output != os.path.realpath(route.root)
    open_folders: list[tuple[str, tuple[tuple[int, int], ...]]] = [(route.root, ())]
    while open_folders:
        folder, above = open_folders.pop()
        try:
            here = os.stat(folder)
            identity = (here.st_dev, here.st_ino)
            if identity in above:
                continue
            entries = os.scandir(folder)
        except OSError as error:
            yield folder, error
            continue
        with entries:
            for entry in entries:
                name = entry.path[len(route.root) :].lstrip("/")
                if _is_folder(entry):
                    private = entry.name == PRIVATE or entry.name.startswith(PRIVATE + "-")
                    own = nested and os.path.realpath(entry.path) == output
                    if not (private or own or _matches(name, settings.exclude)):
                        open_folders.append((entry.path, (*above, identity)))
                elif would_list(name, route, settings):
                    try:
                        yield entry.path, entry.stat()
                    except OSError as error:
                        yield entry.path, error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: it fails as a file, with the reason
        return False


def _wanted_file(name: str, settings: RunSettings, *, any_ending: bool) -> bool:
    if os.path.basename(name).startswith(FIELD_RECORDER_JUNK) or _matches(name, settings.exclude):
        return False
    if settings.include:
        return _matches(name, settings.include)
    return any_ending or os.path.splitext(name)[1].lower() in find_audio_suffixes()


def _stem_ends(name: str, suffix: str) -> bool:
    return bool(suffix) and os.path.splitext(name)[0].endswith(suffix)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    base = os.path.basename(name)
    return any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(base, p) for p in patterns)


def _file_kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
