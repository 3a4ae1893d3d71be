"""``raypipe plan IN OUT``: what would be done, before anything is written."""

from __future__ import annotations

import click


@click.command()
def plan() -> None:
    """Say what a run would do."""
