"""``raypipe models list | show | verify``."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from raypipe.errors import ModelError
from raypipe.storage import show as shown


@click.group()
def models() -> None:
    """Which models can be used by name, and what a model file says of itself."""


@models.command("list")
def list_models() -> None:
    """List the models that come with raypipe."""
    from raypipe.inference.zoo import shipped_models

    table = Table(box=None, pad_edge=False)
    for name in ("name", "task", "rate", "latency", "memory", "what it is"):
        table.add_column(name)
    for model in shipped_models():
        card = model.card
        rate = f"{card.rate_hz} Hz" if card.rate_hz else "any"
        table.add_row(
            card.name, card.task, rate, f"{card.latency} samples", card.memory, card.description
        )
    Console(highlight=False).print(table)


@models.command("show")
@click.argument("model", metavar="NAME|PATH")
@click.option("--rate", "rate_hz", type=int, metavar="HZ", help="Rate where no card states it.")
def show_model(model: str, rate_hz: int | None) -> None:
    """Print a model's card."""
    from raypipe.inference.zoo import find_model

    found = find_model(model, rate_hz)
    click.echo(f"# {shown(found.path)}\n# sha256 {found.sha256}")
    click.echo(found.card.to_toml(), nl=False)


@models.command("verify")
@click.argument("model", metavar="NAME|PATH")
@click.option("--rate", "rate_hz", type=int, metavar="HZ", help="Rate where no card states it.")
def verify_model(model: str, rate_hz: int | None) -> None:
    """Check that a model does what its card says and what lanes need.

    A lane's result must not depend on the width of the batch or on its neighbours, state must
    travel, the stated latency must be the measured one. Exit code 4 if a check fails.
    """
    from raypipe.inference.zoo import find_model, verify

    failed = 0
    console = Console(highlight=False, soft_wrap=True)
    for check in verify(find_model(model, rate_hz)):
        mark = Text("ok    ", "green") if check.ok else Text("FAILED", "red")
        console.print(mark, Text(f"{check.name}: {check.detail}"))
        failed += not check.ok
    if failed:
        raise ModelError(f"{model}: {failed} checks failed")
