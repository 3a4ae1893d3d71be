"""The page: everything that is known of a run, drawn and written as one HTML file.

Comes in: a `Gathered`. Goes out: a file that needs nothing but a browser. Its
style, its script, its pictures and its sound stand inside it, and its own
Content-Security-Policy forbids it to ask for anything else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime, timezone
from importlib.resources import files as resources
from typing import IO, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from raypipe.page import curves
from raypipe.page.choose import HOW, Chosen, choose, which
from raypipe.page.colours import STEPS, colour_map
from raypipe.page.excerpt import excerpt_of
from raypipe.page.gather import Gathered
from raypipe.page.headline import headline
from raypipe.page.png import png
from raypipe.page.shown import Shown, shown
from raypipe.page.sound import data_address
from raypipe.page.table import kept_rows, script_json, table_data
from raypipe.page.words import counted, grouped
from raypipe.storage import show, write_text

EXCERPT_S = 12.0
"""Length of an excerpt, at most."""

SOUND_BYTES = 7_000_000
"""What all sounds of a page may take, before they are written as text, which adds a third."""
LEAST_SOUND_BYTES = 400_000
"""Of one file, where many are asked for: some 3 s of 48 kHz."""

TEMPLATES = "templates"


def write_page(
    gathered: Gathered,
    path: str,
    *,
    most_shown: int = 8,
    new_input: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
    now: datetime | None = None,
) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    gathered : Gathered
        What it tells of.
    path : str
        File or address.
    most_shown : int
        Files that are shown with pictures and sound; only these are decoded.
    new_input : str, optional
        Where the inputs lie now, if not where the run has read them.
    tell : callable, optional
        Is told what is being done.
    now : datetime, optional
        The time that the page says it was made at.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    chosen = choose(gathered.files, most_shown)
    cards: list[Shown] = []
    most_bytes = max(SOUND_BYTES / max(1, len(chosen)), LEAST_SOUND_BYTES)
    for number, each in enumerate(chosen):
        tell(f"looking at file {number + 1} of {len(chosen)}: {show(each.row.name)}")
        excerpt = excerpt_of(each.row, gathered, EXCERPT_S, new_input)
        cards.append(shown(each, excerpt, most_bytes))
    tell("writing the page")
    context = _context(gathered, chosen, cards, now or datetime.now(timezone.utc))

    def write(out: IO[str]) -> None:
        for piece in _template().generate(context):
            out.write(piece)

    write_text(path, write, "write the page")


def _context(
    gathered: Gathered, chosen: Sequence[Chosen], cards: list[Shown], now: datetime
) -> dict[str, Any]:
    files = gathered.files
    kept = kept_rows(files)
    style, script = _style(), _resource("page.js")
    head = headline(gathered)
    gains = any(each.row.gain_db is not None for each in chosen)
    return {
        "policy": _policy(style, script),
        "style": Markup(style),  # noqa: S704 - both are files of this package
        "script": Markup(script),  # noqa: S704
        "data": Markup(script_json(table_data(kept))),  # noqa: S704 - escaped by `script_json`
        "made_at": f"{now:%Y-%m-%d %H:%M} UTC",
        "remarks": gathered.remarks,
        "failures": grouped((r.reason, r.name) for r in files if r.outcome == "failed"),
        "skips": grouped((r.reason, r.name) for r in files if r.outcome == "skipped"),
        "notes": grouped((note, r.name) for r in files for note in r.notes),
        "cards": cards,
        "which": which(chosen, len(files)),
        "how": HOW if gains else "",
        "left_out": counted(len(files) - len(kept), "file") if len(kept) < len(files) else "",
        "rows": len(kept),
        "box": (curves.BOX_WIDTH, curves.BOX_HEIGHT),
        "scale": data_address("image/png", _scale()),
    } | {f.name: getattr(head, f.name) for f in fields(head)}


def _scale() -> bytes:
    return png(np.arange(STEPS, dtype=np.uint8)[None], colour_map())


def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("raypipe.page", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = show
    return environment.get_template("page.html")


def _style() -> str:
    """The style sheet, with a class for each place that a mark can have along an axis."""
    places = "".join(f".x{at}{{left:{at / 2:g}%}}.y{at}{{top:{at / 2:g}%}}" for at in range(201))
    return _resource("page.css") + places + "\n"


def _resource(name: str) -> str:
    return (resources("raypipe.page") / TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing but this very style and script, and what stands in data addresses."""
    return (
        "default-src 'none'; img-src data:; media-src data:; "
        f"style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
