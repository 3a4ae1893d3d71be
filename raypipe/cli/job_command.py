"""A command as it will run on a cluster, checked here before anything is sent.

Comes in: what stands behind ``--`` of ``raypipe submit``. Goes out: a `JobCommand`,
the same command in words that mean the same there: settings from a config file or
the environment become flags, paths are made absolute, and the run is told to use
the cluster that it finds itself in.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import click
from click.core import ParameterSource

from raypipe.cli.enhance import enhance
from raypipe.cli.job_words import Place, Said, said_to_enhance, said_to_score
from raypipe.cli.options import settings_of
from raypipe.cli.score import score
from raypipe.errors import UsageError
from raypipe.settings import RunSettings
from raypipe.storage import show
from raypipe.types import RawLayout

Says = Callable[[Mapping[str, Any], RunSettings, Place], Said]

CAN_BE_SUBMITTED: dict[str, tuple[click.Command, Says]] = {
    "enhance": (enhance, said_to_enhance),
    "score": (score, said_to_score),
}

SETTINGS = frozenset(field.name for field in fields(RunSettings))
HERE = {"executor": "ray", "address": "auto"}
"""In a job ``auto`` is the cluster that the job runs in."""

_PASSWORD = re.compile(r"://[^/?#@]*:[^/?#@]*@")


@dataclass(frozen=True, slots=True)
class JobCommand:
    """What will run, and what people are told of it."""

    words: tuple[str, ...]
    """The command line, from ``raypipe`` on."""
    metadata: dict[str, str]
    """For the list of jobs."""
    paths: tuple[str, ...]
    """What every node must see under the same path."""

    @property
    def entrypoint(self) -> str:
        """As a shell takes it."""
        return shlex.join(self.words)


def job_command(arguments: Sequence[str], working_dir: str | None = None) -> JobCommand:
    """Check a command as the cluster will, and say it in words that hold there.

    Parameters
    ----------
    arguments : sequence of str
        From the command's name on: ``enhance IN OUT --model dtln``.
    working_dir : str, optional
        Folder that travels with the job: relative paths lead into it, here and there.

    Raises
    ------
    click.UsageError, UsageError
        As the command itself would raise them for its options and settings.
    """
    name, *rest = arguments or [""]
    if name not in CAN_BE_SUBMITTED:
        known = ", ".join(CAN_BE_SUBMITTED)
        raise click.UsageError(f"{name!r} cannot be submitted; known: {known}" if name else
                               "give a command behind --: enhance IN OUT ...")  # fmt: skip
    command, says = CAN_BE_SUBMITTED[name]
    folder = working_dir if working_dir and os.path.isdir(working_dir) else None
    with _standing_in(folder):
        context = command.make_context(
            name, list(rest), parent=_root(), help_option_names=["-h", "--help"]
        )
        given = context.params
        typed = {o for o in given if context.get_parameter_source(o) == ParameterSource.COMMANDLINE}
        settings = settings_of(_flags(given, typed))
    said = says(given, settings, _there if folder is None else lambda text: text)
    _refuse_passwords(said.named)
    values = given | {field: getattr(settings, field) for field in SETTINGS} | said.options
    words = ["raypipe", name, *said.arguments]
    plain = RunSettings()
    for option in command.params:
        field = option.name or ""
        if field not in values or field == "config" or not isinstance(option, click.Option):
            continue
        differs = field in SETTINGS and values[field] != getattr(plain, field)
        if field in typed or differs:
            words += _words(option, values[field])
    for what, path in said.written.items() if folder is not None else ():
        if _is_path(path) and not os.path.isabs(_plain(path)):
            raise UsageError(
                f"{show(path)}: {what} would lie in the copy of --working-dir, which goes with the "
                "job; give an address or an absolute path"
            )
    named = dict.fromkeys(said.named)
    paths = tuple(text for text in named if _is_path(text) and os.path.isabs(_plain(text)))
    return JobCommand(tuple(words), said.metadata | {"command": name}, paths)


def _root() -> click.Context | None:
    context = click.get_current_context(silent=True)
    return context.find_root() if context else None


def _flags(given: Mapping[str, Any], typed: set[str]) -> dict[str, Any]:
    """Settings as the command line gives them; where to run is this job's cluster, unless typed.

    What the environment or the config file here say of that is meant for here.
    """
    flags = {name: value for name, value in given.items() if name in SETTINGS or name == "config"}
    if not typed & set(HERE):
        flags |= HERE
    return flags


def _words(option: click.Option, value: Any) -> list[str]:
    name = max(option.opts, key=len)
    if value is None or value is False:
        return []
    if value is True:
        return [name]
    if isinstance(value, RawLayout):
        value = f"rate={value.rate_hz},channels={value.channels},sample={value.sample}"
    many = value if isinstance(value, tuple) else (value,)
    return [word for each in many for word in (name, str(each))]


def _there(text: str) -> str:
    """A path as it can be said on another machine: absolute; addresses stay."""
    if not text or not _is_path(text):
        return text
    sign = "@" if text.startswith("@") else ""
    path = os.path.join(os.getcwd(), text[len(sign) :])
    folder = os.sep if path.endswith(os.sep) else ""
    return sign + os.path.normpath(path).rstrip(os.sep) + folder


def _plain(text: str) -> str:
    return text.removeprefix("file://")


def _is_path(text: str) -> bool:
    return "://" not in text or text.startswith("file://")


def _refuse_passwords(addresses: Sequence[str]) -> None:
    if any(map(_PASSWORD.search, addresses)):
        raise UsageError(
            "an address must not hold a password: the list of jobs shows it; pass keys with "
            "--env NAME"
        )


@contextlib.contextmanager
def _standing_in(folder: str | None) -> Iterator[None]:
    """Inside the ``with`` block relative paths begin in `folder`."""
    before = os.getcwd()
    try:
        os.chdir(folder or before)
        yield
    finally:
        os.chdir(before)
