"""Options that several commands share, and how they become `RunSettings`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from raypipe.configuration import make_settings
from raypipe.settings import CLIP_RULES, DEFAULT_MODEL, EXECUTORS, RunSettings

Command = TypeVar("Command", bound=Callable[..., Any])

SETTINGS_OPTIONS = (
    click.option("-m", "--model", metavar="NAME|PATH",
                 help="Name of a model (see `raypipe models list`), or a .tflite; "
                 f"{DEFAULT_MODEL} by default."),
    click.option("--rate", "rate_hz", type=int, metavar="HZ",
                 help="Rate of a model that has no card."),
    click.option("--atten-limit", "atten_limit_db", metavar="DB",
                 help="Take at most DB decibels away from any sound; none: all that the model "
                 "takes."),
    click.option("--mix", metavar="SHARE",
                 help="Share of the cleaned sound, 0 to 1; the rest is the input."),
    click.option("-j", "--workers", metavar="N|auto",
                 help="Processes that step the model; auto: one for each core, on a cluster one "
                 "for each of its CPUs at any time."),
    click.option("--max-workers", metavar="N", help="The most that auto may come to."),
    click.option("--worker-memory", "worker_memory_gb", metavar="GB",
                 help="Memory that each worker asks a cluster for."),
    click.option("--lanes", metavar="N|auto", help="Channels that step together in a worker."),
    click.option("--executor", type=click.Choice(EXECUTORS),
                 help="Where to work; auto: small jobs in this process, others on Ray."),
    click.option("--address", metavar="ADDRESS",
                 help="Ray cluster to attach to; auto: the one this machine or job belongs to."),
    click.option("--dashboard", is_flag=True, default=None,
                 help="Show Ray's dashboard of the run, and say where."),
    click.option("--include", multiple=True, metavar="GLOB",
                 help="Only files that match; may be repeated."),
    click.option("--exclude", multiple=True, metavar="GLOB",
                 help="Leave out files and folders that match; may be repeated."),
    click.option("--raw", metavar="LAYOUT",
                 help="Layout of .raw and .pcm files: rate=48000,channels=1,sample=s16le."),
    click.option("--output-format", metavar="FORMAT",
                 help="Container of the output: keep (the default), wav, flac, mp3, ..."),
    click.option("--suffix", metavar="TEXT", help="Put between a name's stem and its ending."),
    click.option("-f", "--overwrite", is_flag=True, default=None,
                 help="Replace outputs that raypipe did not make."),
    click.option("--fresh", is_flag=True, default=None,
                 help="Forget the journal: do everything again."),
    click.option("--clip", type=click.Choice(CLIP_RULES),
                 help="Integer output beyond full scale: count it, or scale the file down."),
    click.option("--keep-truncated", is_flag=True, default=None,
                 help="Process what a truncated file still has."),
    click.option("--max-failures", type=int, metavar="N", help="Stop once N files have failed."),
    click.option("--timeout", "timeout_s", metavar="SECONDS",
                 help="Longest time for one batch before its worker is replaced."),
    click.option("--segment", "segment_s", metavar="SECONDS",
                 help="Length of a segment; never changes the result."),
    click.option("-c", "--config", type=click.Path(exists=True, dir_okay=False),
                 help="TOML file with settings; flags win over it."),
)  # fmt: skip


def in_and_out(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command IN and OUT; OUT may also be given with ``-o``."""

    @click.argument("source", metavar="IN")
    @click.argument("output", metavar="[OUT]", required=False)
    @click.option("-o", "--output", "output_option", metavar="OUT",
                  help="OUT, for those who prefer a flag.")  # fmt: skip
    @wraps(command)
    def with_one_output(output: str | None, output_option: str | None, **arguments: Any) -> int:
        return command(output=one_output(output, output_option), **arguments)

    return with_one_output


def one_output(argument: str | None, option: str | None) -> str:
    """OUT, of which one of the two must be given."""
    if argument is not None and option is None:
        return argument
    if option is not None and argument is None:
        return option
    raise click.UsageError("give OUT once, as the second argument or with -o")


def settings_options(command: Command) -> Command:
    """Give a command all the options that settings are made of."""
    for option in reversed(SETTINGS_OPTIONS):
        command = option(command)
    return command


def some_settings_options(*names: str) -> Callable[[Command], Command]:
    """Give a command those of them that concern it, by the settings' names."""

    def give(command: Command) -> Command:
        for option in reversed(SETTINGS_OPTIONS):
            holder = option(lambda: None)
            if holder.__click_params__[0].name in names:  # type: ignore[attr-defined]
                command = option(command)
        return command

    return give


def settings_of(flags: dict[str, Any]) -> RunSettings:
    """Settings from a command's flags, the config file they name, and the environment."""
    config = flags.pop("config")
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    return make_settings(given, config=config)
