"""``raypipe report OUT``: one page that shows and plays what runs into OUT have done."""

from __future__ import annotations

import click

from raypipe.cli.page import (
    BESIDE,
    DEFAULT_SHOWN,
    NAME,
    NAME_HERE,
    checked_page,
    page_path,
    write_page_of,
)
from raypipe.cli.quiet import c_libraries_silenced
from raypipe.storage import PRIVATE

MOST_SHOWN = 100
"""Each takes a few seconds and up to a megabyte or two of the page."""


@click.command()
@click.argument("output", metavar="OUT")
@click.option("--html", metavar="FILE", callback=checked_page,
              help=f"Where to write the page. Default: OUT/{PRIVATE}/{NAME}; for a bucket "
              f"{NAME_HERE} in the current folder.")  # fmt: skip
@click.option("--input", "new_input", metavar="IN",
              help="Where the inputs lie now, if they were moved.")  # fmt: skip
@click.option("-n", "--files", "most_shown", type=click.IntRange(0, MOST_SHOWN),
              default=DEFAULT_SHOWN, show_default=True, metavar="N",
              help="Files to show with pictures and sound.")  # fmt: skip
def report(output: str, html: str | None, new_input: str | None, most_shown: int) -> int:
    """Write one HTML page about what was done to OUT.

    Totals, outcomes, a table of all files that sorts and filters; and for some files, those that
    gained most, those that gained least and some at random, spectrograms, waveforms, levels and
    the sound before and after. The page needs nothing but a browser and can be sent as it is.

    It is made of the report and the journal that every run leaves in OUT, and of a few stretches
    of the sounds themselves. OUT may be a bucket.
    """
    path = page_path(html or BESIDE, output)
    with c_libraries_silenced():
        from raypipe.page.gather import gather

        write_page_of(gather(output), path, most_shown=most_shown, new_input=new_input)
    return 0
