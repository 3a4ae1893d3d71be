"""``raypipe models list | show | verify``."""

from __future__ import annotations

import click


@click.group()
def models() -> None:
    """The models that can be used by name, and what a model file says of itself."""
