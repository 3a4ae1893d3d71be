"""Tags by common names, whatever family they come from.

In comes what mutagen read (ID3, Vorbis comments, MP4 atoms, ASF, APEv2), out go text by
lower-case Vorbis comment names and pictures as FLAC blocks; and back into ID3.
"""

from __future__ import annotations

import base64
from typing import Any, TypeAlias

import mutagen.apev2
import mutagen.asf
import mutagen.flac
import mutagen.id3
import mutagen.mp4

# mutagen's own type hints are incomplete.
apev2: Any = mutagen.apev2
asf: Any = mutagen.asf
flac: Any = mutagen.flac
id3: Any = mutagen.id3
mp4: Any = mutagen.mp4
Picture: TypeAlias = Any
"""A `mutagen.flac.Picture`."""

_ID3_NAMES = {
    "TIT2": "title",
    "TPE1": "artist",
    "TALB": "album",
    "TPE2": "albumartist",
    "TRCK": "tracknumber",
    "TPOS": "discnumber",
    "TDRC": "date",
    "TCON": "genre",
    "TCOM": "composer",
    "TCOP": "copyright",
    "TPUB": "organization",
    "TSRC": "isrc",
    "TBPM": "bpm",
    "TLAN": "language",
    "TIT1": "grouping",
    "TIT3": "subtitle",
    "TENC": "encoded-by",
}
_MP4_NAMES = {
    "\xa9nam": "title",
    "\xa9ART": "artist",
    "\xa9alb": "album",
    "aART": "albumartist",
    "\xa9day": "date",
    "\xa9gen": "genre",
    "\xa9wrt": "composer",
    "\xa9cmt": "comment",
    "\xa9lyr": "lyrics",
    "\xa9grp": "grouping",
    "cprt": "copyright",
    "trkn": "tracknumber",
    "disk": "discnumber",
}
_ASF_NAMES = {
    "title": "title",
    "author": "artist",
    "wm/albumtitle": "album",
    "wm/albumartist": "albumartist",
    "wm/tracknumber": "tracknumber",
    "wm/year": "date",
    "wm/genre": "genre",
    "wm/composer": "composer",
    "copyright": "copyright",
    "description": "comment",
}
_APE_NAMES = {"track": "tracknumber", "year": "date", "disc": "discnumber"}
_FRONT_COVER = 3


def gather(found: Any) -> tuple[dict[str, list[str]], list[Picture]]:
    """Text by name and pictures of a file that mutagen has opened (or None)."""
    tags = None if found is None else found.tags
    if tags is None:
        return {}, []
    if isinstance(tags, id3.ID3):
        return _from_id3(tags)
    if isinstance(tags, flac.VCommentDict):
        return _from_comment(found, tags)
    if isinstance(tags, mp4.MP4Tags):
        return _from_mp4(tags)
    if isinstance(tags, asf.ASFTags):
        return _named(tags, _ASF_NAMES), []
    if isinstance(tags, apev2.APEv2):
        text = {
            _APE_NAMES.get(name.lower(), name.lower()): [str(part) for part in value]
            for name, value in tags.items()
            if isinstance(value, apev2.APETextValue)
        }
        return _filled(text), []
    return {}, []


def to_id3(text: dict[str, list[str]], pictures: list[Picture], tags: Any) -> None:
    """Add text and pictures as ID3v2.4 frames."""
    frames = {name: frame for frame, name in _ID3_NAMES.items()}
    for name, values in text.items():
        if name == "comment":
            tags.add(id3.COMM(encoding=3, lang="und", desc="", text=values))
        elif name == "lyrics":
            tags.add(id3.USLT(encoding=3, lang="und", desc="", text="\n".join(values)))
        elif name in frames:
            tags.add(getattr(id3, frames[name])(encoding=3, text=values))
        else:
            tags.add(id3.TXXX(encoding=3, desc=name, text=values))
    for number, picture in enumerate(pictures):
        tags.add(
            id3.APIC(
                encoding=3,
                mime=picture.mime,
                type=picture.type,
                desc=picture.desc or (str(number) if number else ""),
                data=picture.data,
            )
        )


def picture_text(picture: Picture) -> str:
    """A picture as Ogg comments hold it."""
    return base64.b64encode(picture.write()).decode("ascii")


def _from_id3(tags: Any) -> tuple[dict[str, list[str]], list[Picture]]:
    text: dict[str, list[str]] = {}
    pictures = []
    for frame in tags.values():
        if isinstance(frame, id3.APIC):
            pictures.append(_picture(frame.data, frame.mime, int(frame.type), frame.desc))
        elif isinstance(frame, id3.TXXX):
            text.setdefault(frame.desc.lower(), []).extend(map(str, frame.text))
        elif isinstance(frame, id3.COMM):
            text.setdefault("comment", []).extend(map(str, frame.text))
        elif isinstance(frame, id3.USLT):
            text.setdefault("lyrics", []).append(str(frame.text))
        elif isinstance(frame, id3.TCON):
            text["genre"] = list(frame.genres)
        elif frame.FrameID in _ID3_NAMES:
            text[_ID3_NAMES[frame.FrameID]] = [str(part) for part in frame.text]
    return _filled(text), pictures


def _from_comment(found: Any, tags: Any) -> tuple[dict[str, list[str]], list[Picture]]:
    text: dict[str, list[str]] = {}
    pictures = list(getattr(found, "pictures", []))
    for name, value in tags:
        if name.lower() == "metadata_block_picture":
            pictures.append(flac.Picture(base64.b64decode(value)))
        else:
            text.setdefault(name.lower(), []).append(value)
    return _filled(text), pictures


def _from_mp4(tags: Any) -> tuple[dict[str, list[str]], list[Picture]]:
    text: dict[str, list[str]] = {}
    for name, value in tags.items():
        if name not in _MP4_NAMES or not isinstance(value, list):
            continue
        if name in ("trkn", "disk"):
            text[_MP4_NAMES[name]] = ["/".join(str(n) for n in pair if n) for pair in value]
        else:
            text[_MP4_NAMES[name]] = [str(part) for part in value]
    covers = tags.get("covr", [])
    png = mp4.MP4Cover.FORMAT_PNG
    pictures = [
        _picture(
            bytes(cover),
            "image/png" if getattr(cover, "imageformat", None) == png else "image/jpeg",
            _FRONT_COVER,
            "",
        )
        for cover in covers
    ]
    return _filled(text), pictures


def _named(tags: Any, names: dict[str, str]) -> dict[str, list[str]]:
    text = {
        names[name.lower()]: [str(part) for part in value]
        for name, value in tags.as_dict().items()
        if name.lower() in names
    }
    return _filled(text)


def _filled(text: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without empty values and names, and without what is true of the source file only."""
    kept = {name: [value for value in values if value] for name, values in text.items() if name}
    kept.pop("encoder", None)
    return {name: values for name, values in kept.items() if values}


def _picture(data: bytes, mime: str, kind: int, description: str) -> Picture:
    picture = flac.Picture()
    picture.data, picture.mime, picture.type, picture.desc = data, mime, kind, description
    return picture
