"""The ``raypipe`` command group, and what each kind of ending means for the shell."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import click

from raypipe.cli.bench import bench
from raypipe.cli.enhance import enhance
from raypipe.cli.interrupts import INTERRUPTED, interrupts_heard
from raypipe.cli.models import models
from raypipe.cli.plan import plan
from raypipe.cli.report import report
from raypipe.cli.score import score
from raypipe.cli.submit import MORE_EXIT_CODES, submit
from raypipe.cli.top import top
from raypipe.errors import RaypipeError
from raypipe.execution.job_env import check_expected_version
from raypipe.storage import show
from raypipe.version import VERSION

EXIT_CODES = """\b
Exit codes:
  0    every file was done or skipped
  1    some files failed (the report says which and why)
  2    a setting or path that cannot be meant; nothing was done
  3    the storage or the journal refused
  4    the model is missing, broken or misdescribed
  130  interrupted
"""
GO_ON = "; run the same command again to go on"
"""What can be said where what was done is kept."""
EXIT_CODES_GO_ON = EXIT_CODES.rstrip() + GO_ON + "\n"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES_GO_ON,
    no_args_is_help=False,
)
@click.version_option(VERSION, prog_name="raypipe")
def cli() -> None:
    """Run audio models over recordings: a file or a folder of any size, exact to the bit."""


for command in (plan, report, score, models, bench, top, *models.commands.values()):
    command.epilog = EXIT_CODES
enhance.epilog = EXIT_CODES_GO_ON
submit.epilog = EXIT_CODES_GO_ON + MORE_EXIT_CODES
for command in (enhance, plan, report, score, models, bench, top, submit):
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
    if not arguments:
        context = click.Context(cli, info_name="raypipe", **cli.context_settings)
        click.echo(cli.get_help(context), err=True)
        return click.UsageError.exit_code
    try:
        with interrupts_heard():
            check_expected_version()
            code = cli.main(list(arguments), prog_name="raypipe", standalone_mode=False)
    except click.ClickException as error:
        click.echo(_sentence(error), err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(arguments[0])
    except SystemExit as ending:
        if ending.code == signal.SIGTERM:  # while Ray starts, a handler of its own is in place
            return _interrupted(arguments[0])
        raise
    except RaypipeError as error:
        lines = [show(line) for line in str(error).split("\n")]  # a model card to fill in has some
        click.echo("raypipe: " + "\n".join(lines), err=True)
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - nobody reads any more
        return RaypipeError.exit_code
    return code if isinstance(code, int) else 0


def _interrupted(command: str) -> int:
    goes_on = command in (enhance.name, submit.name)
    click.echo(f"raypipe: interrupted{GO_ON if goes_on else ''}", err=True)
    return INTERRUPTED


def _sentence(error: click.ClickException) -> str:
    """What click complains of, in one line that says where help is."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context else "raypipe"
    return f"{command}: {show(error.format_message().rstrip('.'))}; see {command} --help"
