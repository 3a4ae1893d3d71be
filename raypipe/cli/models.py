"""``raypipe models list | show | pull | verify``."""

from __future__ import annotations

import textwrap
from pathlib import Path

import click

from raypipe.cli.quiet import c_libraries_silenced
from raypipe.cli.words import counted, gigabytes, say
from raypipe.errors import ModelError
from raypipe.storage import show as shown

LINE = 80


@click.group(no_args_is_help=False)
def models() -> None:
    """List, show, pull and verify models."""


@models.command("list")
def list_models() -> None:
    """List the models that are here, and those that can be pulled.

    Those with the task "test" are for measuring and for tests.
    """
    from raypipe.inference.pull import name_to_pull
    from raypipe.inference.zoo import models_to_pull, pulled_models, shipped_models

    told = {}
    for model in sorted(
        [*pulled_models(), *shipped_models()], key=lambda model: model.card.task == "test"
    ):
        card = model.card
        rate = f"{card.rate_hz} Hz" if card.rate_hz else "any rate"
        latency = f"{counted(card.latency, 'sample')} latency"
        told[card.name] = f"{card.task}, {rate}, {card.memory}, {latency}. {card.description}"
    for name in models_to_pull():
        told[name] = f"not here yet: raypipe models pull {name_to_pull(name)}"
    width = max(len(name) for name in told) + 2
    for name, facts in told.items():
        say(
            textwrap.fill(
                facts, LINE, initial_indent=name.ljust(width), subsequent_indent=" " * width
            )
        )


@models.command("pull")
@click.argument("model", metavar="NAME")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder with the files as they are published; without it they are downloaded.",
)
def pull_model(model: str, source: Path | None) -> None:
    """Get a published model and make it ready for use.

    Its files are checked against the sha256 that raypipe knows, and what is made of them goes to
    the folder RAYPIPE_MODELS, or to raypipe's place among your data.
    """
    from raypipe.inference.pull import pull

    for path in pull(model, source):
        say(f"{shown(str(path))}: {gigabytes(path.stat().st_size)}")


@models.command("show")
@click.argument("model", metavar="NAME|PATH")
@click.option("--rate", "rate_hz", type=int, metavar="HZ", help="Rate where no card states it.")
def show_model(model: str, rate_hz: int | None) -> None:
    """Print a model's card, as TOML."""
    from raypipe.inference.zoo import find_model

    with c_libraries_silenced():
        found = find_model(model, rate_hz)
    say(f"# {shown(found.path)}\n# sha256 {found.sha256}\n{found.card.to_toml().rstrip()}")


@models.command("verify")
@click.argument("model", metavar="NAME|PATH")
@click.option("--rate", "rate_hz", type=int, metavar="HZ", help="Rate where no card states it.")
def verify_model(model: str, rate_hz: int | None) -> None:
    """Check that a model does what its card says and what lanes need.

    A lane's result must not depend on the width of the batch or on its neighbours, state must
    travel, the stated latency must be the measured one. Exit code 4 if a check fails.
    """
    from raypipe.inference.zoo import find_model, verify

    with c_libraries_silenced():
        checks = verify(find_model(model, rate_hz))
    for check in checks:
        mark = click.style("ok    ", "green") if check.ok else click.style("FAILED", "red")
        say(f"{mark} {check.name}: {check.detail}")
    failed = sum(not check.ok for check in checks)
    if failed:
        raise ModelError(f"{shown(model)}: {counted(failed, 'check')} failed")
