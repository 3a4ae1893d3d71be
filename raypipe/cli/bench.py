"""``raypipe bench``: how fast models step on this machine, and what ``auto`` makes of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from raypipe.cli.quiet import c_libraries_silenced
from raypipe.cli.words import counted, say

if TYPE_CHECKING:
    from raypipe.inference.speed import LaneSpeed
    from raypipe.inference.zoo import ModelFile
    from raypipe.tuning import Tuned


@click.command()
@click.option("-m", "--model", "names", multiple=True, metavar="NAME|PATH",
              help="Model to measure; may be repeated. Default: all but test models.")  # fmt: skip
@click.option("--rate", "rate_hz", type=int, metavar="HZ", help="Rate of a model that has no card.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bench(names: tuple[str, ...], rate_hz: int | None, as_json: bool) -> None:
    """Measure models on this machine.

    For each model and number of lanes: the time of a frame of one lane on one core, how many
    times real time that is, and how near it comes to the bare graph, which is the limit. What
    --lanes auto and --workers auto then stand for is remembered for later runs.
    """
    from rich.console import Console

    from raypipe.inference.speed import lane_speeds
    from raypipe.inference.zoo import find_model
    from raypipe.tuning import Tuned, choose_lanes, choose_workers, keep

    facts = []
    for name in names or _default_models():
        with c_libraries_silenced(), Console(stderr=True).status(f"measuring {name}"):
            model = find_model(name, rate_hz)
            speeds = lane_speeds(model)
            lanes = choose_lanes(speeds)
            auto = Tuned(lanes, choose_workers(model, lanes))
        keep(model, auto)
        facts.append(_facts(model, speeds, auto))
        if not as_json:
            _print(model, speeds, auto)
    if as_json:
        say(json.dumps({"models": facts}))


def _default_models() -> list[str]:
    from raypipe.inference.zoo import pulled_models, shipped_models

    here = [*pulled_models(), *shipped_models()]
    return [model.card.name for model in here if model.card.task != "test"]


def _facts(model: ModelFile, speeds: list[LaneSpeed], auto: Tuned) -> dict[str, Any]:
    return {
        "model": model.card.name,
        "rate_hz": model.card.rate_hz,
        "speeds": [asdict(speed) for speed in speeds],
        "auto": asdict(auto),
    }


def _print(model: ModelFile, speeds: list[LaneSpeed], auto: Tuned) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=model.card.name, title_justify="left", box=None, pad_edge=False)
    for name in ("lanes", "us a frame", "x real time a core", "bare graph us", "of the limit"):
        table.add_column(name, justify="right")
    for speed in speeds:
        bare = "-" if speed.bare_us is None else f"{speed.bare_us:.2f}"
        share = "-" if speed.bare_us is None else f"{speed.bare_us / speed.frame_us:.2f}"
        table.add_row(
            str(speed.lanes), f"{speed.frame_us:.2f}", f"{speed.x_real_time:.0f}", bare, share,
        )  # fmt: skip
    Console(highlight=False).print(table)
    at_rate = "" if model.card.rate_hz else ", at 48 kHz"
    say(f"auto: {counted(auto.lanes, 'lane')} in {counted(auto.workers, 'worker')}{at_rate}\n")
