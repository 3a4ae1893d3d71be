"""What the commands that can be submitted say besides settings, in words that hold on a cluster.

Comes in: a command's arguments and options, and how a path is said there. Goes out: a `Said`; one
function a command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raypipe.cli.options import one_output
from raypipe.cli.page import BESIDE, NAME
from raypipe.cli.score import STANDARD_OUTPUT, refuse_two_printed
from raypipe.settings import RunSettings
from raypipe.storage import PRIVATE, is_address, join

Place = Callable[[str], str]
"""Says a path as it is to be said there."""


@dataclass(frozen=True, slots=True)
class Said:
    """A command's own words."""

    arguments: tuple[str, ...]
    """IN, or IN and OUT."""
    options: dict[str, Any]
    """By name: those that are no settings, and settings that are paths."""
    metadata: dict[str, str]
    """For the list of jobs."""
    named: tuple[str, ...]
    """Every path and address among these words."""
    written: dict[str, str]
    """What is to be left there, by what the user calls it."""


def said_to_enhance(given: Mapping[str, Any], settings: RunSettings, place: Place) -> Said:
    """Words of ``enhance IN OUT``."""
    source = place(given["source"])
    output = place(one_output(given["output"], given["output_option"]))
    report = given["report"] and place(given["report"])
    html = _page(given["html"], output, place)
    model = _model(settings.model, place)
    page = "" if html == BESIDE else html
    return Said(
        (source, output),
        {"report": report, "html": html, "model": model},
        {"job_name": f"raypipe enhance {settings.model}", "model": settings.model,
         "in": source, "out": output},
        (source.removeprefix("@"), output, *filter(None, (report, page)), model),
        {"OUT": output},
    )  # fmt: skip


def said_to_score(given: Mapping[str, Any], settings: RunSettings, place: Place) -> Said:
    """Words of ``score IN``."""
    refuse_two_printed(given["csv_path"], given["json_path"])
    source = place(given["source"])
    options = {
        name: given[name]
        and (given[name] if given[name] == STANDARD_OUTPUT else place(given[name]))
        for name in ("reference", "dnsmos", "csv_path", "json_path")
    }
    files = {flag: options[name] for flag, name in (("--csv", "csv_path"), ("--json", "json_path"))}
    written = {flag: path for flag, path in files.items() if path not in (None, STANDARD_OUTPUT)}
    read = tuple(path for path in (options["reference"], options["dnsmos"]) if path)
    metadata = {"job_name": "raypipe score", "in": source}
    if options["reference"]:
        metadata["reference"] = options["reference"]
    named = (source.removeprefix("@"), *read, *written.values())
    return Said((source,), options, metadata, named, written)


def _model(model: str, place: Place) -> str:
    """A model that is a file is meant as one there, too."""
    return place(model) if model.endswith(".tflite") and "://" not in model else model


def _page(html: str | None, output: str, place: Place) -> str | None:
    """The page of a job that writes into a bucket goes there, too: its own folder is forgotten."""
    if html is None:
        return None
    if html != BESIDE:
        return place(html)
    return join(join(output, PRIVATE), NAME) if is_address(output) else html
