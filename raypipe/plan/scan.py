"""Which files are meant: walks folders, globs and lists, and names each file's output.

Comes in: what the user wrote for IN and OUT. Goes out: a stream of `AudioFile`,
with a `Failed` in the place of a path that cannot be meant. It opens no audio
file and keeps no listing, so a folder of a million files costs no memory and
the first file can start at once.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from raypipe.audio.probe import find_audio_suffixes
from raypipe.audio.target import output_suffix
from raypipe.errors import UsageError
from raypipe.settings import RunSettings
from raypipe.storage import PRIVATE, local_path, name_fits, show
from raypipe.types import AudioFile, Failed

HEADERLESS = (".raw", ".pcm")
"""Endings of files that say nothing of themselves."""

_ESCAPED = re.compile(r"\[([*?[])\]")
"""A sign that `glob.escape` has made harmless."""

FIELD_RECORDER_JUNK = "._"
"""Start of the names of macOS's resource-fork files: they are no audio, whatever their ending."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a run reads and where it writes."""

    kind: str
    """What IN is: ``file``, ``folder``, ``glob`` or ``list``."""
    source: str
    """The file, folder, pattern or list file."""
    root: str
    """Folder that names are relative to."""
    output_root: str
    """Folder that outputs are relative to."""
    output_name: str | None
    """Name of the one output where OUT is a file."""
    output_format: str
    """``keep`` or a format, after OUT's own ending was taken into account."""


def find_route(source: str, output: str, settings: RunSettings) -> Route:
    """Understand IN and OUT.

    Parameters
    ----------
    source : str
        A file, a folder, a glob, or ``@list.txt`` (one path a line, or separated by NUL).
    output : str
        A folder; where IN is one file, also a file: what has the ending of a sound is one.
    settings : RunSettings
        `output_format` and `suffix` are looked at.

    Raises
    ------
    UsageError
        If IN does not exist, or IN and OUT cannot go together.
    """
    source, output = local_path(source), local_path(output)
    if not source or not output:
        raise UsageError("IN and OUT must not be empty")
    into_folder = output.endswith(os.sep)
    output = os.path.abspath(output)
    kind, path = _kind_of(source)
    root = _root_of(kind, path)
    named = os.path.isfile(output) or _ending(output) in find_audio_suffixes()
    if kind == "file" and named and not into_folder and not os.path.isdir(output):
        return _file_to_file(path, root, output, settings)
    if os.path.exists(output) and not os.path.isdir(output):
        raise UsageError(f"{show(output)}: is a file, but {show(source)} needs a folder to go to")
    output_suffix(".wav", settings.output_format)  # an unknown format is refused here
    route = Route(kind, path, root, output, None, settings.output_format)
    _check_nesting(route, settings)
    return route


def _kind_of(source: str) -> tuple[str, str]:
    if source.startswith("@") and not os.path.exists(source):
        if not os.path.isfile(source[1:]):
            raise UsageError(f"{show(source[1:])}: no such list file")
        return "list", source[1:]
    if os.path.isdir(source):
        return "folder", os.path.abspath(source)
    if os.path.lexists(source):
        return "file", os.path.abspath(source)
    if glob.has_magic(source):
        pattern = (
            source if os.path.isabs(source) else os.path.join(glob.escape(os.getcwd()), source)
        )
        if ".." in pattern[len(_fixed_part(pattern)) :].split(os.sep):
            raise UsageError(f"{show(source)}: '..' must not stand behind a wildcard")
        if next(glob.iglob(pattern, recursive=True), None) is None:
            raise UsageError(f"{show(source)}: no file matches this pattern")
        return "glob", pattern
    raise UsageError(f"{show(source)}: no such file or folder")


def _root_of(kind: str, path: str) -> str:
    if kind == "folder":
        return path
    if kind == "file":
        return os.path.dirname(path)
    if kind == "glob":
        return os.path.abspath(_unescaped(_fixed_part(path)))
    common: str | None = None
    try:
        for name in _listed(path):
            folder = os.path.dirname(os.path.abspath(name))
            common = folder if common is None else os.path.commonpath((common, folder))
    except OSError as error:
        raise UsageError(f"{show(path)}: cannot be read: {error.strerror}") from error
    if common is None:
        raise UsageError(f"{show(path)}: lists no file")
    return common


def _fixed_part(pattern: str) -> str:
    """The folders in front of the first wildcard; an escaped one ("[*]") is none."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(_ESCAPED.sub("", part)))
    return "/".join(parts[:fixed]) or "/"


def _unescaped(path: str) -> str:
    """Undo `glob.escape`."""
    return _ESCAPED.sub(r"\1", path)


def _file_to_file(path: str, root: str, output: str, settings: RunSettings) -> Route:
    if os.path.exists(output) and os.path.samefile(path, output):
        raise UsageError(f"{show(path)}: IN and OUT are the same file")
    wanted = settings.output_format
    ending = _ending(output)
    if wanted == "keep" and ending and ending != _ending(path):
        wanted = ending[1:]
    output_suffix(ending, wanted)
    folder, name = os.path.split(output)
    return Route("file", path, root, folder, name, wanted)


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _check_nesting(route: Route, settings: RunSettings) -> None:
    root, out = os.path.realpath(route.root), os.path.realpath(route.output_root)
    if root == out and not settings.suffix:
        raise UsageError(
            f"{show(route.output_root)}: IN and OUT are the same folder, so outputs would replace "
            "inputs; choose another OUT, or give --suffix"
        )
    if root != out and os.path.commonpath((root, out)) == out:
        inside = os.path.relpath(root, out)
        if os.path.lexists(os.path.join(root, inside)):
            raise UsageError(
                f"{show(route.root)}: lies in OUT and holds {show(inside)} itself, so outputs "
                "would land among the inputs; choose another OUT"
            )


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


def _named(
    path: str, found: os.stat_result | OSError, route: Route, settings: RunSettings
) -> AudioFile | Failed:
    name = os.path.relpath(path, route.root) if route.kind != "folder" else path[len(route.root) :]
    name = name.lstrip("/")
    output = output_of(name, route, settings)
    file = AudioFile(path, name, output, 0, 0)
    if isinstance(found, OSError):
        return Failed(file, f"cannot be read: {found.strerror or found}")
    layout = settings.raw if _ending(path) in HEADERLESS else None
    file = replace(file, size=found.st_size, mtime_ns=found.st_mtime_ns, layout=layout)
    if not stat.S_ISREG(found.st_mode):
        return Failed(file, f"is {_file_kind(found.st_mode)}, not a regular file")
    if not name_fits(output):
        return Failed(file, f"its output's name would be longer than 255 bytes: {show(output)}")
    return file


def output_of(name: str, route: Route, settings: RunSettings) -> str:
    """Path of the output for an input of this name, relative to the output's root."""
    if route.output_name is not None:
        return route.output_name
    stem, ending = os.path.splitext(name)
    return stem + settings.suffix + output_suffix(ending, route.output_format)


def would_list(name: str, route: Route, settings: RunSettings) -> bool:
    """True where `scan` takes a file of this name, relative to the input's root."""
    made_here = route.output_root == route.root and _stem_ends(name, settings.suffix)
    if made_here or any(part == PRIVATE for part in name.split("/")):
        return False
    parents = ["/".join(name.split("/")[:n]) for n in range(1, name.count("/") + 1)]
    if any(_matches(parent, settings.exclude) for parent in parents):
        return False
    return _wanted_file(name, settings, any_ending=route.kind == "glob")


def _paths(route: Route, settings: RunSettings) -> Iterator[tuple[str, os.stat_result | OSError]]:
    if route.kind == "folder":
        yield from _walk(route, settings)
        return
    if route.kind == "file":
        paths: Iterator[str] = iter((route.source,))
    elif route.kind == "list":
        paths = _once(os.path.abspath(path) for path in _listed(route.source))
    else:
        paths = _once(_globbed(route, settings))
    for path in paths:
        try:
            yield path, os.stat(path)
        except OSError as error:
            yield path, error


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


def _listed(path: str) -> Iterator[str]:
    """Paths of a list file: separated by NUL if there is one near its head, else one a line."""
    with open(path, "rb") as lines:
        separator = b"\0" if b"\0" in lines.read(65536) else b"\n"
        lines.seek(0)
        rest = b""
        while block := lines.read(1 << 20):
            *whole, rest = (rest + block).split(separator)
            yield from filter(None, map(_entry, whole))
        yield from filter(None, [_entry(rest)])


def _entry(line: bytes) -> str:
    """The path on a line; nothing for an empty line or a comment."""
    plain = line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    return os.fsdecode(plain) if plain.strip() and not plain.startswith(b"#") else ""


def _walk(route: Route, settings: RunSettings) -> Iterator[tuple[str, os.stat_result | OSError]]:
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
