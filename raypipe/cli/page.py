"""Where a page goes, and writing it before a person: what `report` and `enhance` share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from raypipe.errors import UsageError
from raypipe.storage import PRIVATE, is_address, located, path_or_address, scheme_of, show
from raypipe.storage.paths import READ_ONLY

if TYPE_CHECKING:
    from raypipe.page.gather import Gathered

ENDINGS = (".html", ".htm")
BESIDE = "auto"
"""Of ``--html``: where the report lies, too."""
NAME = "report.html"
NAME_HERE = "raypipe-report.html"
DEFAULT_SHOWN = 8
"""Files with pictures and sound."""


def checked_page(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """What ``--html`` was given; IN or OUT where it stands before them and has no word of its own.

    Raises
    ------
    click.UsageError
        Where that is no name of a page.
    """
    if value is None or value == BESIDE or value.lower().endswith(ENDINGS):
        return value
    raise click.UsageError(
        f"--html {show(value)}: a page's name ends in .html; give one, or --html as the last word",
        context,
    )


def page_path(html: str, output: str) -> str:
    """Where the page is to be written.

    Parameters
    ----------
    html : str
        What `checked_page` lets through: a file, an address, or `BESIDE`.
    output : str
        OUT.

    Raises
    ------
    UsageError
        If no page can be written there.
    """
    if html == BESIDE:
        private = os.path.join(path_or_address(output), PRIVATE)
        if is_address(private) or not os.path.isdir(private):
            return NAME_HERE
        return os.path.join(private, NAME)
    path = path_or_address(html)
    if is_address(path):
        if scheme_of(path) in READ_ONLY:
            raise UsageError(f"{show(path)}: no page can be written there")
        return path
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) and folder != located(output):
        raise UsageError(f"{show(html)}: there is no such folder for the page")
    return path


def write_page_of(
    gathered: Gathered,
    path: str,
    *,
    most_shown: int = DEFAULT_SHOWN,
    new_input: str | None = None,
    quiet: bool = False,
) -> None:
    """Write the page, say how far it is, and where it is."""
    from rich.console import Console
    from rich.markup import escape

    from raypipe.page.build import write_page

    console = Console(stderr=True, highlight=False, quiet=quiet)
    with console.status("choosing files") as status:
        write_page(
            gathered,
            path,
            most_shown=most_shown,
            new_input=new_input,
            tell=lambda text: status.update(escape(text)),
        )
    if not quiet:
        click.echo(f"page: {show(path)}", err=True)
