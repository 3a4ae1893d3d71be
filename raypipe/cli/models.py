"""``raypipe models list | show | verify``."""

from __future__ import annotations

import textwrap

import click

from raypipe.cli.quiet import c_libraries_silenced
from raypipe.cli.words import counted, say
from raypipe.errors import ModelError
from raypipe.storage import show as shown

LINE = 80


@click.group(no_args_is_help=False)
def models() -> None:
    """List, show and verify models."""


@models.command("list")
def list_models() -> None:
    """List the models that come with raypipe.

    Those with the task "test" are for measuring and for tests.
    """
    from raypipe.inference.zoo import shipped_models

    cards = [model.card for model in shipped_models()]
    width = max(len(card.name) for card in cards) + 2
    for card in cards:
        rate = f"{card.rate_hz} Hz" if card.rate_hz else "any rate"
        latency = f"{counted(card.latency, 'sample')} latency"
        facts = f"{card.task}, {rate}, {card.memory}, {latency}. {card.description}"
        say(
            textwrap.fill(
                facts, LINE, initial_indent=card.name.ljust(width), subsequent_indent=" " * width
            )
        )


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
