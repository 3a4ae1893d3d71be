"""What IN and OUT mean: a file, a folder, a glob or a list, and where each leads.

Comes in: the two words that the user wrote. Goes out: a `Route` with absolute
paths, or a `UsageError` that says why they cannot go together.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass

from raypipe.audio.probe import find_audio_suffixes
from raypipe.audio.target import output_suffix
from raypipe.errors import UsageError
from raypipe.plan.listfile import listed_paths
from raypipe.settings import RunSettings
from raypipe.storage import path_or_address, show

_ESCAPED = re.compile(r"\[([*?[])\]")
"""A sign that `glob.escape` has made harmless."""


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
    source, output = path_or_address(source), path_or_address(output)
    if not source or not output:
        raise UsageError("IN and OUT must not be empty")
    into_folder = output.endswith(os.sep)
    output = os.path.abspath(output)
    kind, path = _kind_of(source)
    root = _root_of(kind, path)
    named = os.path.isfile(output) or ending_of(output) in find_audio_suffixes()
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
        for name in listed_paths(path):
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
    ending = ending_of(output)
    if wanted == "keep" and ending and ending != ending_of(path):
        wanted = ending[1:]
    output_suffix(ending, wanted)
    folder, name = os.path.split(output)
    return Route("file", path, root, folder, name, wanted)


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


def ending_of(path: str) -> str:
    """A path's ending in lower case, with its dot."""
    return os.path.splitext(path)[1].lower()
