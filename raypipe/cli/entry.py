"""The ``raypipe`` command group, and what each kind of ending means for the shell."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from raypipe.cli.enhance import enhance
from raypipe.cli.models import models
from raypipe.cli.plan import plan
from raypipe.errors import RaypipeError
from raypipe.storage import show
from raypipe.version import VERSION

INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    every file was done or skipped
  1    some files failed (the report says which and why)
  2    a setting or path that cannot be meant; nothing was done
  3    the storage or the journal refused
  4    the model is missing, broken or misdescribed
  130  interrupted; run the same command again to go on
"""


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="raypipe")
def cli() -> None:
    """Run audio models over recordings: a file or a folder of any size, exact to the bit."""


for command in (enhance, plan, models):
    command.epilog = command.epilog or EXIT_CODES
    cli.add_command(command)


def entry(arguments: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        Without the program's name.

    Returns
    -------
    int
        Exit code, see `EXIT_CODES`.
    """
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = cli.main(list(arguments), prog_name="raypipe", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("raypipe: interrupted; run the same command again to go on", err=True)
        return INTERRUPTED
    except RaypipeError as error:
        click.echo(f"raypipe: {show(str(error))}", err=True)
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nobody reads any more
        return 1
    return code if isinstance(code, int) else 0


_interrupts = 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first signal stops the run in order, the second at once."""
    global _interrupts
    _interrupts += 1
    if _interrupts > 1:
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt
