"""Makes the picture of the README: a card of a real page, as Chromium shows it.

``python -m tests.page.make_picture`` runs the default model over a recording of
audio_samples and writes audio_samples/report.webp. Comes in: that recording, a
Chromium. Goes out: the picture; ``--model`` takes another model.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from pathlib import Path

from raypipe.page.build import write_page
from raypipe.page.gather import gather_run
from raypipe.settings import RunSettings
from tests.page.browser import Browser, find_chromium
from tests.page.pages import run

SAMPLES = Path(__file__).resolve().parents[2] / "audio_samples"
RECORDING = "audio_file_48k.raw"
PICTURE = SAMPLES / "report.webp"
WIDTH = 1216
QUALITY = 82
"""Of WebP, in per cent: about 100 kB."""


def make(model: str, picture: Path) -> None:
    """Run, draw and photograph."""
    program = find_chromium()
    if program is None:
        sys.exit("there is no Chromium")
    # Chromium's children may write into its profile for a moment after it has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        source, output = SAMPLES / RECORDING, folder / RECORDING
        result = run(source, output, model=model, raw="rate=48000")
        page = folder / "page.html"
        write_page(gather_run(result, str(output), str(source)), str(page))
        with Browser(program, folder / "profile") as browser:
            tab = browser.open(page, WIDTH)
            tab.run("document.documentElement.style.overflow = 'hidden'")  # no scroll bar
            box = tab.run("(({x, y, width, height}) => ({x, y, width, height}))"
                          "(document.querySelector('.card').getBoundingClientRect())")  # fmt: skip
            told = tab.call("Page.captureScreenshot", {
                "format": "webp", "quality": QUALITY, "captureBeyondViewport": True,
                "clip": box | {"scale": 1},
            })  # fmt: skip
    picture.write_bytes(base64.b64decode(told["data"]))
    print(f"{picture}: {picture.stat().st_size:,} bytes")


def main() -> None:
    """The command."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    words.add_argument("--model", default=RunSettings().model)
    words.add_argument("--picture", type=Path, default=PICTURE)
    given = words.parse_args()
    make(given.model, given.picture)


if __name__ == "__main__":
    main()
