"""A page as a browser's parser takes it apart, and runs to make pages of."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

import raypipe
from raypipe.page.build import write_page
from raypipe.page.excerpt import Excerpt, excerpt_of
from raypipe.page.gather import FileRow, gather

RATE_HZ = 8000
"""Of recordings made by `made`."""


@dataclass
class Page(HTMLParser):
    """What stands in a page."""

    path: Path
    text: str = ""
    """Everything that is read, but for scripts and styles."""
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    scripts: dict[str, str] = field(default_factory=dict)
    """By type; the page's own script has none."""

    def __post_init__(self) -> None:
        super().__init__()
        self._inside: str | None = None
        self.feed(self.path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        self._inside = f"{tag}:{found.get('type', '')}" if tag in ("script", "style") else None

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.text += f" {data}"
        else:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data

    @property
    def words(self) -> str:
        """The text with single spaces."""
        return " ".join(self.text.split())

    @property
    def data(self) -> dict[str, Any]:
        """What the table is made of."""
        told: dict[str, Any] = json.loads(self.scripts["script:application/json"])
        return told

    @property
    def names(self) -> list[str]:
        """Files in the table."""
        names, before = [], ""
        for shared, rest in zip(
            self.data["columns"]["shared"], self.data["columns"]["rest"], strict=True
        ):
            before = before[:shared] + rest
            names.append(before)
        return names

    def column(self, name: str) -> list[Any]:
        """One of the table's."""
        values: list[Any] = self.data["columns"][name]
        return values

    def all(self, tag: str) -> list[dict[str, str]]:
        """Attributes of all elements of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    def sounds(self, side: str) -> list[bytes]:
        """What the players of one side play, in the order of the cards."""
        found = [audio["src"] for audio in self.all("audio") if audio["data-side"] == side]
        return [decoded(address, "audio/flac") for address in found]

    def pictures(self, side: str) -> list[bytes]:
        """Spectrograms of one side, in the order of the cards."""
        found = [i for i in self.all("img") if f" {side}: " in i["alt"]]
        return [decoded(image["src"], "image/png") for image in found]


def decoded(address: str, kind: str) -> bytes:
    head, _, body = address.partition(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(body)


def run(source: Path | str, output: Path | str, **settings: Any) -> raypipe.RunReport:
    """A run in this process."""
    return raypipe.enhance(
        str(source), str(output), **({"model": "passthrough", "executor": "inline"} | settings)
    )


def page_of(output: Path | str, path: Path, **more: Any) -> Page:
    """The page about an output."""
    write_page(gather(str(output)), str(path), **more)
    return Page(path)


def row(name: str = "a.wav", outcome: str = "done", **more: Any) -> FileRow:
    """A file of which levels are known."""
    return FileRow(name, outcome, **({"output": name} | more))


def with_gain(name: str, gain_db: float) -> FileRow:
    """A file that stands by so much higher above its noise floor than before."""
    return row(name, lufs_in=-20.0, lufs_out=-20.0, floor_in_db=-50.0, floor_out_db=-50.0 - gain_db)


def made(tmp_path: Path, sound: np.ndarray, name: str = "a.wav", rate_hz: int = RATE_HZ) -> Path:
    """A folder for runs to read, with this recording in it."""
    root = tmp_path / "in"
    root.mkdir(exist_ok=True)
    subtype = None if name.endswith("mp3") else "FLOAT"
    sf.write(root / name, sound.T, rate_hz, subtype)
    return root


def excerpt(tmp_path: Path, seconds: float = 5.0, new_input: str | None = None) -> Excerpt:
    """Of the first file of a run."""
    gathered = gather(str(tmp_path / "out"))
    return excerpt_of(gathered.files[0], gathered, seconds, new_input)
