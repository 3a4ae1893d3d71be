"""What IN and OUT mean: a file, a folder, a glob or a list, here or in a store.

Comes in: the two words that the user wrote. Goes out: a `Route` with absolute
paths, or a `UsageError` that says why they cannot go together.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from raypipe.audio.probe import find_audio_suffixes
from raypipe.audio.target import output_suffix
from raypipe.errors import UsageError
from raypipe.plan.listfile import listed_paths
from raypipe.settings import RunSettings
from raypipe.storage import (
    as_tree,
    from_tree,
    is_address,
    join,
    located,
    path_or_address,
    relative,
    scheme_of,
    show,
    without_secrets,
)
from raypipe.storage.listing import exists, is_folder, walk
from raypipe.storage.paths import READ_ONLY

_ESCAPED = re.compile(r"\[([*?[])\]")
"""A sign that `glob.escape` has made harmless."""

_NO_DOT = r"(?!\.)"
_FOLDERS = rf"(?:{_NO_DOT}[^/]+/)*"
_SIGNS = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
"""Of a glob: a star, a question mark, a set of letters, a letter."""


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
    writes: bool = True
    """False where no output is made: settings that name outputs are then not looked at."""


def find_route(source: str, output: str, settings: RunSettings) -> Route:
    """Understand IN and OUT.

    Parameters
    ----------
    source : str
        A file, a folder, a glob, or ``@list.txt`` (one path or address a line, or separated by
        NUL). An address is a file, a folder (all objects whose names begin with it) or a glob;
        ``http://`` and ``https://`` are files.
    output : str
        A folder; where IN is one file, also a file: what has the ending of a sound is one.
    settings : RunSettings
        `output_format` and `suffix` are looked at.

    Raises
    ------
    UsageError
        If IN does not exist, or IN and OUT cannot go together.
    """
    if not source or not output:
        raise UsageError("IN and OUT must not be empty")
    into_folder = output.endswith(os.sep)
    output = _output_at(output)
    kind, path = _kind_of(path_or_address(source))
    root = _root_of(kind, path)
    named = os.path.isfile(output) or ending_of(output) in find_audio_suffixes()
    if kind == "file" and named and not into_folder and not _is_folder(output):
        return _file_to_file(path, root, output, settings)
    if os.path.exists(output) and not os.path.isdir(output):
        raise UsageError(f"{show(output)}: is a file, but {show(source)} needs a folder to go to")
    output_suffix(".wav", settings.output_format)  # an unknown format is refused here
    route = Route(kind, path, root, output, None, settings.output_format)
    _check_nesting(route, settings)
    return route


def find_source(source: str) -> Route:
    """Understand IN where nothing is written: outputs are named as inputs are, and never looked at.

    Raises
    ------
    UsageError
        If IN does not exist.
    """
    if not source:
        raise UsageError("IN must not be empty")
    kind, path = _kind_of(path_or_address(source))
    root = _root_of(kind, path)
    return Route(kind, path, root, root, None, "keep", writes=False)


def _output_at(output: str) -> str:
    """OUT as an absolute path, or as the address of a folder or an object."""
    output = located(output)
    if not is_address(output):
        return output
    if scheme_of(output) in READ_ONLY:
        raise UsageError(f"{show(output)}: can be read from, but not written to")
    output = output.rstrip("/")
    if not output.partition("://")[2]:
        raise UsageError(f"{show(output)}//: names no bucket")
    return output


def _is_folder(path: str) -> bool:
    return is_folder(path) if is_address(path) else os.path.isdir(path)


def _kind_of(source: str) -> tuple[str, str]:
    if source.startswith("@") and not os.path.exists(source):
        listed = path_or_address(source[1:])
        if not (exists(listed) if is_address(listed) else os.path.isfile(listed)):
            raise UsageError(f"{show(listed)}: no such list file")
        return "list", listed
    if is_address(source):
        return _kind_of_address(source)
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


def _kind_of_address(source: str) -> tuple[str, str]:
    folder = source.rstrip("/")
    if not folder.partition("://")[2]:
        raise UsageError(f"{show(source)}: names no bucket")
    if scheme_of(source) in READ_ONLY:
        if not exists(source):
            raise UsageError(f"{show(source)}: no such file on the server")
        return "file", source
    if not source.endswith("/") and exists(source):
        return "file", source
    if is_folder(folder):
        return "folder", folder
    if glob.has_magic(source):
        if not is_address(_fixed_part(source)):
            raise UsageError(f"{show(source)}: the bucket's name must not be a pattern")
        fits, root = matcher(source), _fixed_part(source)
        if not any(fits(relative(found.address, root)) for found in walk(root)):
            raise UsageError(f"{show(source)}: no object matches this pattern")
        return "glob", source
    raise UsageError(f"{show(source)}: no such object, nor a folder with anything in it")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Tells whether a name below the fixed part of an address's pattern fits it.

    As for local globs: no wildcard stands for ``/`` or for a dot at a name's beginning, but that
    ``**`` stands for any folders, or none.
    """
    parts = pattern[len(_fixed_part(pattern)) :].lstrip("/").split("/")
    inner = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            inner += _FOLDERS + (_FOLDERS[3:-3] if last else "")
        else:
            inner += ("" if part.startswith(".") else _NO_DOT) + _part_of(part)
            inner += "" if last else "/"
    found = re.compile(inner, re.DOTALL)
    return lambda name: found.fullmatch(name) is not None


def _part_of(pattern: str) -> str:
    """Regular expression for one name's pattern."""
    found = ""
    for sign in _SIGNS.findall(pattern):
        if sign[0] == "[" and len(sign) > 1:
            inner = sign[1:-1].replace("\\", "\\\\")
            found += f"[^{inner[1:]}/]" if inner[0] == "!" else f"[{inner}]"
        else:
            found += {"*": "[^/]*", "?": "[^/]"}.get(sign[0], re.escape(sign))
    return found


def _root_of(kind: str, path: str) -> str:
    if kind == "folder":
        return path
    if kind == "file":
        return from_tree(os.path.dirname(as_tree(path)))
    if kind == "glob":
        fixed = _fixed_part(path)
        return fixed if is_address(path) else os.path.abspath(_unescaped(fixed))
    common: str | None = None
    try:
        for name in listed_paths(path):
            folder = os.path.dirname(as_tree(located(name)))
            common = folder if common is None else os.path.commonpath((common, folder))
    except OSError as error:
        raise UsageError(f"{show(path)}: cannot be read: {error.strerror}") from error
    if common is None:
        raise UsageError(f"{show(path)}: lists no file")
    return from_tree(common)


def _fixed_part(pattern: str) -> str:
    """The folders in front of the first wildcard; an escaped one ("[*]") is none."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(_ESCAPED.sub("", part)))
    return "/".join(parts[:fixed]) or "/"


def _unescaped(path: str) -> str:
    """Undo `glob.escape`."""
    return _ESCAPED.sub(r"\1", path)


def _file_to_file(path: str, root: str, output: str, settings: RunSettings) -> Route:
    if path == output or (os.path.exists(output) and _same_file(path, output)):
        raise UsageError(f"{show(path)}: IN and OUT are the same file")
    wanted = settings.output_format
    ending = ending_of(output)
    if wanted == "keep" and ending and ending != ending_of(path):
        wanted = ending[1:]
    output_suffix(ending, wanted)
    folder, _, name = output.rpartition("/")
    return Route("file", path, root, folder or "/", name, wanted)


def _same_file(path: str, output: str) -> bool:
    return not is_address(path) and os.path.samefile(path, output)


def _check_nesting(route: Route, settings: RunSettings) -> None:
    if is_address(route.root) != is_address(route.output_root):
        return
    root, out = _real(route.root), _real(route.output_root)
    if root == out and not settings.suffix:
        raise UsageError(
            f"{show(route.output_root)}: IN and OUT are the same folder, so outputs would replace "
            "inputs; choose another OUT, or give --suffix"
        )
    if root != out and os.path.commonpath((root, out)) == out:
        inside = os.path.relpath(root, out)
        if _anything_at(join(route.root, inside)):
            raise UsageError(
                f"{show(route.root)}: lies in OUT and holds {show(inside)} itself, so outputs "
                "would land among the inputs; choose another OUT"
            )


def _real(path: str) -> str:
    return as_tree(path) if is_address(path) else os.path.realpath(path)


def _anything_at(path: str) -> bool:
    return exists(path) or (is_address(path) and is_folder(path))


def ending_of(path: str) -> str:
    """A path's ending in lower case, with its dot."""
    return os.path.splitext(without_secrets(path))[1].lower()
