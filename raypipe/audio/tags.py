"""Carrying tags and cover art from the source to the finished file.

In come two paths, out go notes on what could not be carried. Between files of the same
family everything is copied as it stands: side chunks of WAV and AIFF byte for byte, ID3
frames, Vorbis comments with pictures. Between families the common fields and the pictures
go through `tag_fields`. The sound is never touched.
"""

from __future__ import annotations

import os
import struct
from typing import Any

import mutagen
import mutagen.aiff
import mutagen.mp3
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave

from raypipe.audio import chunks, side_chunks, tag_fields
from raypipe.audio.tag_fields import Picture, flac, id3
from raypipe.storage import is_address, storage_error
from raypipe.storage.inputs import kept_open, open_input
from raypipe.types import SoundTarget

_BROKEN = (
    mutagen.MutagenError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    struct.error,
)
"""What mutagen raises on damaged tags, beside its own error."""
_OPENERS: dict[tuple[str, str], Any] = {
    ("FLAC", ""): flac.FLAC,
    ("OGG", "VORBIS"): mutagen.oggvorbis.OggVorbis,
    ("OGG", "OPUS"): mutagen.oggopus.OggOpus,
    ("MP3", ""): mutagen.mp3.MP3,
    ("AIFF", ""): mutagen.aiff.AIFF,
    ("WAV", ""): mutagen.wave.WAVE,
    ("WAVEX", ""): mutagen.wave.WAVE,
}


def copy_tags(source: str, destination: str, target: SoundTarget) -> tuple[str, ...]:
    """Carry what the source says about itself into a finished file.

    Parameters
    ----------
    source : str
        The input file.
    destination : str
        The output file, complete; it is changed in place.
    target : SoundTarget
        What the destination was written as.

    Returns
    -------
    tuple of str
        What could not be carried, in the report's words.

    Raises
    ------
    StorageError
        Where the storage refuses the destination.
    """
    with kept_open(source):
        return _copy(source, destination, target)


def _mutagen_file(source: str) -> Any:
    if not is_address(source):
        return mutagen.File(os.fsencode(source))
    with open_input(source) as file:
        return mutagen.File(file)


def _copy(source: str, destination: str, target: SoundTarget) -> tuple[str, ...]:
    try:
        from_layout = _layout(source)
        if side_chunks.is_bare(from_layout):
            return ()
        to_layout = _layout(destination)
    except OSError as error:
        return (f"tags were not carried: {error.strerror}",)
    if side_chunks.same_family(from_layout, to_layout):
        return _copy_chunks(source, from_layout, destination, to_layout)
    try:
        found = _mutagen_file(source)
        text, pictures = tag_fields.gather(found)
        if not text:
            text = side_chunks.info_fields(source, from_layout)
    except _BROKEN as error:
        return (f"the source's tags are damaged and were left out ({type(error).__name__})",)
    if not text and not pictures:
        return ()
    opener = _OPENERS.get((target.container, target.subtype)) or _OPENERS.get(
        (target.container, "")
    )
    if opener is None:
        names = ", ".join([*sorted(text), *(["pictures"] if pictures else [])])
        return (f"{target.container} takes no tags, left out: {names}",)
    return _save(found, text, pictures, opener, destination)


def _save(
    found: Any,
    text: dict[str, list[str]],
    pictures: list[Picture],
    opener: Any,
    destination: str,
) -> tuple[str, ...]:
    try:
        there = opener(os.fsencode(destination))
        if there.tags is None:
            there.add_tags()
        if isinstance(there.tags, id3.ID3):
            lost = _fill_id3(found, text, pictures, there.tags)
        else:
            lost = _fill_comment(text, pictures, there)
        there.save()
    except _BROKEN as error:
        cause = error.args[0] if error.args else None
        system = cause if isinstance(cause, OSError) else error.__cause__
        if isinstance(system, OSError):
            raise storage_error(system, destination, "write tags to") from error
        return (f"the source's tags could not be written ({type(error).__name__})",)
    except OSError as error:
        raise storage_error(error, destination, "write tags to") from error
    return (f"tags left out: {', '.join(sorted(lost))}",) if lost else ()


def _fill_id3(
    found: Any, text: dict[str, list[str]], pictures: list[Picture], tags: Any
) -> list[str]:
    if found is not None and isinstance(found.tags, id3.ID3):
        for frame in found.tags.values():
            tags.add(frame)
        return []
    tag_fields.to_id3(text, pictures, tags)
    return []


def _fill_comment(text: dict[str, list[str]], pictures: list[Picture], there: Any) -> list[str]:
    tags: Any = there.tags
    lost = []
    for name, values in text.items():
        try:
            tags[name] = values
        except ValueError:
            lost.append(name)
    if isinstance(there, flac.FLAC):
        for picture in pictures:
            there.add_picture(picture)
    elif pictures:
        tags["metadata_block_picture"] = [tag_fields.picture_text(p) for p in pictures]
    return lost


def _copy_chunks(
    source: str, from_layout: chunks.Layout, destination: str, to_layout: chunks.Layout
) -> tuple[str, ...]:
    try:
        opened = open_input(source)
    except OSError as error:
        return (f"side chunks were not carried: {error.strerror}",)
    try:
        with opened as reader:
            wanted, notes = side_chunks.choose(reader, from_layout, to_layout)
            with open(os.fsencode(destination), "r+b") as writer:
                side_chunks.append(reader, wanted, writer, to_layout)
                side_chunks.copy_channel_mask(reader, from_layout, writer, to_layout)
    except OSError as error:
        raise storage_error(error, destination, "write tags to") from error
    return notes


def _layout(path: str) -> chunks.Layout:
    with open_input(path) as file:
        return chunks.walk(file)
