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
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace

from raypipe.audio.probe import find_audio_suffixes
from raypipe.audio.target import output_suffix
from raypipe.errors import UsageError
from raypipe.settings import RunSettings
from raypipe.storage import PRIVATE, local_path, name_fits, show
from raypipe.types import AudioFile, Failed

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
        A folder, or a file where IN is one file.
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
    kind, path = _kind_of(source)
    root = _root_of(kind, path)
    if kind == "file" and not (os.path.isdir(output) or output.endswith(os.sep)):
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
        return "folder", source
    if os.path.lexists(source):
        return "file", source
    if glob.has_magic(source):
        if next(glob.iglob(source, recursive=True), None) is None:
            raise UsageError(f"{show(source)}: no file matches this pattern")
        return "glob", source
    raise UsageError(f"{show(source)}: no such file or folder")


def _root_of(kind: str, path: str) -> str:
    if kind == "folder":
        return path
    if kind == "file":
        return os.path.dirname(path)
    if kind == "glob":
        parts = path.split("/")
        fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        return "/".join(parts[:fixed]) or ("/" if path.startswith("/") else "")
    common: str | None = None
    for name in _listed(path):
        folder = os.path.dirname(os.path.abspath(name))
        common = folder if common is None else os.path.commonpath((common, folder))
    if common is None:
        raise UsageError(f"{show(path)}: lists no file")
    return common


def _file_to_file(path: str, root: str, output: str, settings: RunSettings) -> Route:
    if os.path.exists(output) and os.path.samefile(path, output):
        raise UsageError(f"{show(path)}: IN and OUT are the same file")
    wanted = settings.output_format
    ending = os.path.splitext(output)[1].lower()
    if wanted == "keep" and ending and ending != os.path.splitext(path)[1].lower():
        wanted = ending[1:]
    output_suffix(ending, wanted)
    folder, name = os.path.split(output)
    return Route("file", path, root, folder or ".", name, wanted)


def _check_nesting(route: Route, settings: RunSettings) -> None:
    root, out = (os.path.realpath(p or ".") for p in (route.root, route.output_root))
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
    """List the inputs, one at a time.

    Yields
    ------
    AudioFile
        An input, not yet opened.
    Failed
        A path that is listed but cannot be taken: gone, no regular file, too long a name.
    """
    for path, entry_stat in _paths(route, settings):
        yield _named(path, entry_stat, route, settings)


def _named(
    path: str, found: os.stat_result | OSError, route: Route, settings: RunSettings
) -> AudioFile | Failed:
    base = os.path.abspath(route.root) if route.kind == "list" else route.root
    full = os.path.abspath(path) if route.kind == "list" else path
    name = os.path.relpath(full, base or ".") if route.kind != "folder" else full[len(base) :]
    name = name.lstrip("/")
    output = output_of(name, route, settings)
    file = AudioFile(path, name, output, 0, 0)
    if isinstance(found, OSError):
        return Failed(file, f"cannot be read: {found.strerror or found}")
    file = replace(file, size=found.st_size, mtime_ns=found.st_mtime_ns)
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


def _paths(route: Route, settings: RunSettings) -> Iterator[tuple[str, os.stat_result | OSError]]:
    if route.kind == "folder":
        yield from _walk(route, settings)
        return
    if route.kind == "file":
        paths: Iterator[str] = iter((route.source,))
    elif route.kind == "list":
        paths = _listed(route.source)
    else:
        matches = glob.iglob(route.source, recursive=True)
        paths = (p for p in matches if not os.path.isdir(p) and _wanted_file(p, p, settings))
    for path in paths:
        try:
            yield path, os.stat(path)
        except OSError as error:
            yield path, error


def _listed(path: str) -> Iterator[str]:
    """Paths of a list file: separated by NUL if there is one in it, else one a line."""
    with open(path, "rb") as lines:
        if b"\0" in lines.read(65536):
            lines.seek(0)
            yield from (os.fsdecode(p) for p in lines.read().split(b"\0") if p)
            return
        lines.seek(0)
        for line in lines:
            text = line.rstrip(b"\r\n")
            if text.strip() and not text.startswith(b"#"):
                yield os.fsdecode(text)


def _walk(route: Route, settings: RunSettings) -> Iterator[tuple[str, os.stat_result | OSError]]:
    """Depth first; links to folders are followed, except into a folder that they lie in."""
    output = os.path.realpath(route.output_root)
    beside_inputs = output == os.path.realpath(route.root)
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
                    skipped = entry.name == PRIVATE or entry.name.startswith(PRIVATE + "-")
                    if skipped or _matches(name, settings.exclude):
                        continue
                    if not beside_inputs and os.path.realpath(entry.path) == output:
                        continue
                    open_folders.append((entry.path, (*above, identity)))
                elif _wanted_file(entry.name, name, settings) and not (
                    beside_inputs and os.path.splitext(name)[0].endswith(settings.suffix)
                ):
                    try:
                        yield entry.path, entry.stat()
                    except OSError as error:
                        yield entry.path, error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: it fails as a file, with the reason
        return False


def _wanted_file(base: str, name: str, settings: RunSettings) -> bool:
    if _matches(name, settings.exclude) or os.path.basename(base).startswith(FIELD_RECORDER_JUNK):
        return False
    if settings.include:
        return _matches(name, settings.include)
    return os.path.splitext(base)[1].lower() in find_audio_suffixes()


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    base = os.path.basename(name)
    return any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(base, p) for p in patterns)


def _file_kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")
