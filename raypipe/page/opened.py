"""Both sounds of a file, open: the input that the run has read, the output that it made.

Comes in: what is known of a file. Goes out: readers, and remarks on what is not
there any more, or is not what it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from raypipe.audio.rawpcm import HEADERLESS, layout_of
from raypipe.audio.read import SoundReader, open_sound
from raypipe.errors import AudioError, StorageError, UsageError
from raypipe.page.gather import FileRow, Gathered, output_path
from raypipe.results.journal import key_of
from raypipe.settings import check_raw
from raypipe.storage import join, located, show
from raypipe.storage.inputs import input_size
from raypipe.storage.listing import identified, look_at
from raypipe.storage.store import Found
from raypipe.types import AudioFile, RawLayout, SoundInfo


@contextmanager
def opened(
    row: FileRow, gathered: Gathered, new_input: str | None
) -> Iterator[tuple[SoundReader | None, SoundReader | None, list[str]]]:
    """Open a file's input and output, as far as they are there.

    Parameters
    ----------
    row : FileRow
        A file whose output stands.
    gathered : Gathered
        Where from.
    new_input : str or None
        Where the input lies now: the folder, address or file that IN was.

    Yields
    ------
    before, after : SoundReader or None
        None where a remark says why.
    remarks : list of str
        To be added to.
    """
    remarks: list[str] = []
    raw = _journals_layout(row) or _reports_layout(gathered.head)
    with ExitStack() as open_files:
        after = _output(row, gathered, raw, remarks)
        if after is not None:
            open_files.callback(after.close)
        before = _input(row, raw, new_input, remarks)
        if before is not None:
            open_files.callback(before.close)
        yield before, after, remarks


def _output(
    row: FileRow, gathered: Gathered, raw: RawLayout | None, remarks: list[str]
) -> SoundReader | None:
    path = output_path(gathered, row)
    if not path:
        remarks.append("The sound after cannot be read: its path leads out of the output.")
        return None
    there = _there("after", "output", path, raw, remarks)
    if there is None:
        return None
    reader, _ = there
    if row.stamp is not None and not gathered.place.stands(
        row.output, row.stamp[0], None, fresh=True
    ):
        remarks.append("The output was changed since the run.")
    return reader


def _input(
    row: FileRow, raw: RawLayout | None, new_input: str | None, remarks: list[str]
) -> SoundReader | None:
    path = row.input if new_input is None else _moved(row, new_input)
    if not path:
        remarks.append("There is no sound before: where the input lay is not known.")
        return None
    hint = "" if new_input is not None else "; --input says where it lies now"
    there = _there("before", "input", path, raw, remarks, hint)
    if there is None:
        return None
    reader, found = there
    if odd := _difference(row, reader.info):
        reader.close()
        remarks.append(f"The input is another file now ({odd}), so there is no sound before.")
        return None
    if new_input is None and row.key and _key_now(row, path, found, raw) != row.key:
        remarks.append("The input was changed or touched since the run.")
    return reader


def _there(
    side: str, role: str, path: str, raw: RawLayout | None, remarks: list[str], hint: str = ""
) -> tuple[SoundReader, os.stat_result | Found] | None:
    """An open sound and what its listing says; a remark and None where it cannot be had."""
    try:
        found = look_at(path)
        if isinstance(found, OSError):
            remarks.append(f"There is no sound {side}: the {role} {_missing(found)}{hint}.")
            return None
        return open_sound(path, raw=raw, keep_truncated=True), found
    except (AudioError, StorageError) as error:
        remarks.append(f"The sound {side} cannot be read: {reason_of(error)}.")
        return None


def _missing(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "is not there any more"
    return f"cannot be read: {error.strerror or error}"


def _moved(row: FileRow, new_input: str) -> str:
    """Where an input lies now."""
    root = located(new_input)
    try:
        input_size(root)
    except (OSError, StorageError):
        return join(root.rstrip("/") or "/", row.name)
    return root  # IN was one file, and so is this


def _difference(row: FileRow, info: SoundInfo) -> str:
    """What tells an input from the one that the run has read; nothing where nothing does."""
    if row.rate_hz is not None and info.rate_hz != row.rate_hz:
        return f"{info.rate_hz} Hz, it had {row.rate_hz} Hz"
    if row.channels is not None and info.channels != row.channels:
        return f"{info.channels} channels, it had {row.channels}"
    then = row.info.frames if row.info is not None else None
    if then is not None and info.frames is not None and info.frames != then:
        return f"{info.frames} samples, it had {then}"
    return ""


def _key_now(row: FileRow, path: str, found: os.stat_result | Found, raw: RawLayout | None) -> str:
    headerless = os.path.splitext(path)[1].lower() in HEADERLESS
    file = AudioFile(path, row.name, row.output, 0, 0, raw if headerless else None)
    return key_of(identified(file, found))


def _journals_layout(row: FileRow) -> RawLayout | None:
    """The layout of a headerless file as the run was told that made its output."""
    info = row.info
    if info is None or info.container != "RAW":
        return None
    return layout_of(info.subtype, info.endian, info.rate_hz, info.channels)


def _reports_layout(head: dict[str, Any]) -> RawLayout | None:
    """The same as the last run was told, for an output that keeps no journal."""
    told = (head.get("settings") or {}).get("raw")
    try:
        return check_raw(RawLayout(**told)) if isinstance(told, dict) else None
    except (TypeError, UsageError):
        return None


def reason_of(error: Exception) -> str:
    """What an error says, without the path that stands beside it anyway."""
    return show(error.reason if isinstance(error, AudioError) else str(error))
