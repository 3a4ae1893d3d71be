"""``raypipe submit -- enhance IN OUT`` or ``score IN``: the same command, as a job on a cluster."""

from __future__ import annotations

import getpass
import re
import secrets
import shlex
import socket
import sys
import time
from typing import TYPE_CHECKING

import click

from raypipe.cli.interrupts import interrupts_heard
from raypipe.cli.job_command import JobCommand, job_command
from raypipe.cli.words import say
from raypipe.errors import ClusterError, UsageError
from raypipe.execution.job_env import environment_variables, runtime_environment
from raypipe.storage import show
from raypipe.version import VERSION

if TYPE_CHECKING:
    from raypipe.execution.jobs_api import JobsApi, JobState

INTERRUPTED = 130
STOPPED = 143
"""128 and the number of SIGTERM, which is what a stopped job gets."""
COMMAND_NOT_FOUND = 127

SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL")
"""Names of variables that hold one."""

MORE_EXIT_CODES = f"""\
  These are the job's own. Besides:
  2    the cluster cannot be reached, or refuses
  5    the cluster was lost, or could not start the job
  130  you have left; the job goes on
  {STOPPED}  the job was stopped
"""
"""What `raypipe submit --help` says behind the exit codes of all commands."""


@click.command(context_settings={"allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- COMMAND IN ...")
@click.option("--address", metavar="URL",
              help="The cluster's dashboard: http://HEAD:8265. Default: RAY_API_SERVER_ADDRESS or "
              "RAY_ADDRESS, else this machine's.")  # fmt: skip
@click.option("--image", metavar="IMAGE", help="Container image with raypipe, for podman on nodes.")
@click.option("--pip", metavar="REQUIREMENT",
              help="raypipe for pip on the nodes: raypipe==VERSION, or a wheel in --working-dir.",
              )  # fmt: skip
@click.option("--working-dir", metavar="DIR",
              help="Folder that is uploaded; relative paths then lead into it.")  # fmt: skip
@click.option("--env", "env", multiple=True, metavar="NAME[=VALUE]",
              help="Environment variable for the job, NAME alone for its value here; may be "
              "repeated. Ray logs it on the nodes: secrets are better given to them.")  # fmt: skip
@click.option("--submission-id", metavar="ID", help="Name of the job; default: one is made.")
@click.option("--no-wait", is_flag=True, help="Print the job's id and leave.")
@click.option("--follow", metavar="ID", help="Follow a job that was submitted earlier.")
@click.option("--stop", metavar="ID", help="Ask a job to end.")
def submit(
    arguments: tuple[str, ...],
    address: str | None,
    image: str | None,
    pip: str | None,
    working_dir: str | None,
    env: tuple[str, ...],
    submission_id: str | None,
    no_wait: bool,
    follow: str | None,
    stop: str | None,
) -> int:
    """Run enhance or score as a job on a Ray cluster, and follow it.

    The command is checked here first. The cluster's nodes must have raypipe (or get it by --image
    or --pip) and must see IN and OUT: addresses of buckets, or paths that are the same everywhere.
    An enhance that was stopped goes on when it is submitted again; a score begins anew. Ray's token
    is found where Ray keeps it; nothing needs to be set. Ctrl-C leaves the job running.
    """
    if sum(map(bool, (arguments, follow, stop))) != 1:
        raise click.UsageError("give a command behind --, or --follow ID, or --stop ID")
    if follow:
        return _follow(_reach(address), follow)
    if stop:
        return _stop(_reach(address), stop)
    command = job_command(arguments, working_dir)
    variables = environment_variables(env)
    runtime_env = runtime_environment(
        image=image, pip=pip, working_dir=working_dir, env=variables
    )  # fmt: skip
    api = _reach(address)
    if command.paths:
        names = ", ".join(show(path) for path in command.paths)
        _tell(f"{names}: every node of the cluster must see this path")
    for secret in filter(SECRET.search, variables):
        _tell(f"{secret}: Ray writes a job's variables into logs on the nodes; a role is safer")
    name = submission_id or _new_id()
    try:
        api.submit(
            command.entrypoint,
            submission_id=name,
            runtime_env=runtime_env,
            metadata=_metadata(command),
        )
    except KeyboardInterrupt:
        _tell(f"interrupted while job {show(name)} was being submitted; it may run")
        _tell_next(api, name)
        return INTERRUPTED
    except ClusterError as error:
        raise ClusterError(f"{error}; job {show(name)} may run there all the same") from error
    if no_wait:
        _tell_next(api, name)
        say(name)
        return 0
    _tell(f"job {show(name)} was submitted to {api.address}; Ctrl-C leaves it running")
    return _follow(api, name)


def _reach(address: str | None) -> JobsApi:
    from raypipe.execution.jobs_api import JobsApi, jobs_address

    return JobsApi(jobs_address(address))


def _follow(api: JobsApi, name: str) -> int:
    from raypipe.execution.job_log import follow

    try:
        with interrupts_heard(""):
            api.state(name)  # says at once that there is no such job
            state = follow(api, name, _pass_on)
    except KeyboardInterrupt:
        _tell(f"job {show(name)} goes on without you")
        _tell_next(api, name)
        return INTERRUPTED
    return _ending(name, state)


def _ending(name: str, state: JobState) -> int:
    """Say how the job ended; the exit code."""
    if state.status == "SUCCEEDED":
        _tell(f"job {show(name)} has succeeded")
        return 0
    if state.status == "STOPPED":
        _tell_stopped(name, state)
        return STOPPED
    code = state.exit_code
    if code is None:
        raise ClusterError(f"job {show(name)} could not run: {_first_line(state.message)}")
    if code < 0:  # a signal ended it
        code = 128 - code
    if code == COMMAND_NOT_FOUND:
        _tell("the cluster has no raypipe: use an image that has it, or bring it with --pip")
    _tell(f"job {show(name)} has ended with exit code {code}")
    return code


def _stop(api: JobsApi, name: str) -> int:
    """Ask it to end, and wait until it has."""
    if not api.stop(name):
        _tell(f"job {show(name)} had ended already")
        return 0
    while not (state := api.state(name)).ended:
        time.sleep(0.5)
    _tell_stopped(name, state)
    return 0


def _metadata(command: JobCommand) -> dict[str, str]:
    """What the list of jobs shows besides the command line; Ray wants strings."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a name for its user
        user = "unknown"
    return command.metadata | {
        "raypipe": VERSION,
        "submitted_by": f"{user}@{socket.gethostname()}",
    }


def _new_id() -> str:
    """Sorts by time in a list, and is known before the cluster has answered."""
    return f"raypipe-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def _pass_on(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"the standard output cannot be written: {error.strerror}") from error


def _tell(words: str) -> None:
    click.echo(f"raypipe: {words}", err=True)


def _tell_stopped(name: str, state: JobState) -> None:
    goes_on = "" if state.command == "score" else "; submit the same command again to go on"
    _tell(f"job {show(name)} was stopped{goes_on}")


def _tell_next(api: JobsApi, name: str) -> None:
    where, job = shlex.quote(api.address), shlex.quote(name)
    _tell(f"follow it:  raypipe submit --address {where} --follow {job}")
    _tell(f"stop it:    raypipe submit --address {where} --stop {job}")


def _first_line(text: str) -> str:
    return show(text.strip().splitlines()[0]) if text.strip() else "the cluster does not say why"
