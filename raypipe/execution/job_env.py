"""What a job finds on the cluster: raypipe itself, files, environment variables.

Comes in: what ``raypipe submit`` was told. Goes out: a runtime environment as Ray
wants it, checked before anything is sent: what does not go together, what Ray
would refuse only after the upload, what must never leave this machine.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raypipe.errors import UsageError
from raypipe.execution.auth import MODE, PATH, TEXT
from raypipe.storage import show
from raypipe.version import VERSION

UPLOAD_LIMIT_BYTES = 100 << 20
"""The dashboard takes no larger request, whatever the larger limits of Ray elsewhere."""

ZIP_ENTRY_BYTES = 128
"""A zip's own bytes for a file, but for its name, which stands there twice; Ray compresses not."""

MOST_NAMED = 3
"""So many of the biggest entries are named where a folder is too big."""

STOP_WAIT_VARIABLE = "RAY_JOB_STOP_WAIT_TIME_S"
STOP_WAIT_S = "30"
"""Ray kills a job so long after it asked it to end; its own 3 s are less than a run may need."""

VERSION_VARIABLE = "RAYPIPE_EXPECTED_VERSION"
"""Tells the job which raypipe submitted it, see `check_expected_version`."""

WORKING_DIR_SIGN = "${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}"
"""Stands for the unpacked working directory where Ray calls pip."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEPT_HERE = (TEXT, PATH, MODE)


def runtime_environment(
    *,
    image: str | None = None,
    pip: str | None = None,
    working_dir: str | None = None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Put together what the job needs.

    Parameters
    ----------
    image : str, optional
        Container image with raypipe in it; the nodes need podman.
    pip : str, optional
        A requirement (``raypipe==0.1.0``), or a wheel inside of `working_dir`.
    working_dir : str, optional
        Folder or zip here, or the address of a zip; the job starts in it.
    env : mapping, optional
        Environment variables.

    Returns
    -------
    dict
        Ray's ``runtime_env``.

    Raises
    ------
    UsageError
        If these do not go together, or the folder is too big for an upload.
    """
    if image and (pip or working_dir):
        raise UsageError("--image brings its own packages and files: no --pip, no --working-dir")
    made: dict[str, Any] = {
        "env_vars": {STOP_WAIT_VARIABLE: STOP_WAIT_S, VERSION_VARIABLE: VERSION} | dict(env or {})
    }
    if image:
        made["image_uri"] = image
    if pip:
        made["pip"] = [_carried(pip, working_dir) if pip.endswith(".whl") else pip]
    if working_dir:
        if "://" not in working_dir:
            check_upload(working_dir)
            working_dir = os.path.abspath(working_dir)
        made["working_dir"] = working_dir
    return made


def check_upload(path: str) -> int:
    """The size in bytes of what Ray would upload of a folder or file.

    Files that ``.gitignore`` and ``.rayignore`` name are left out, as Ray leaves them out.

    Raises
    ------
    UsageError
        If it is not there, or too big.
    """
    if os.path.isfile(path):
        sizes = Counter({os.path.basename(path): os.path.getsize(path)})
    elif os.path.isdir(path):
        sizes = _packed_sizes(Path(path).absolute())
    else:
        raise UsageError(f"{show(path)}: no such folder or zip for --working-dir")
    total = sum(sizes.values())
    if total > UPLOAD_LIMIT_BYTES:
        biggest = ", ".join(
            f"{show(name)} ({_mebibytes(size)})" for name, size in sizes.most_common(MOST_NAMED)
        )
        raise UsageError(
            f"{show(path)}: has {_mebibytes(total)}, and Ray takes no more than "
            f"{_mebibytes(UPLOAD_LIMIT_BYTES)} as a working directory; biggest: {biggest}; name "
            "what the job does not need in .rayignore, or keep it where the nodes can read it"
        )
    return total


def environment_variables(
    asked: Sequence[str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Variables for the job from ``NAME=VALUE``, or ``NAME`` for its value here.

    Raises
    ------
    UsageError
        If one is not set here, is no name, or belongs to the token. Values are never quoted.
    """
    environment = os.environ if environment is None else environment
    found = {}
    for text in asked:
        name, sign, value = text.partition("=")
        if not _NAME.fullmatch(name):
            raise UsageError("--env wants NAME=VALUE, or NAME for a variable that is set here")
        if name in _KEPT_HERE:
            raise UsageError(f"--env {name}: the token stays here; the cluster has its own")
        if not sign and name not in environment:
            raise UsageError(f"--env {name}: is not set here; give --env {name}=VALUE")
        found[name] = value if sign else environment[name]
    return found


def check_expected_version(environment: Mapping[str, str] | None = None) -> None:
    """In a job: see that this raypipe is the one that submitted it.

    Raises
    ------
    UsageError
        If it is another.
    """
    environment = os.environ if environment is None else environment
    expected = environment.get(VERSION_VARIABLE, VERSION)
    if expected != VERSION:
        raise UsageError(
            f"the cluster has raypipe {VERSION}, but raypipe {show(expected)} submitted the job; "
            "submit with the same version, or bring it along with --image or --pip"
        )


def _carried(wheel: str, working_dir: str | None) -> str:
    """What pip is told on a node, where the working directory has carried the wheel."""
    if not os.path.isfile(wheel):
        raise UsageError(f"{show(wheel)}: no such wheel for --pip")
    folder = os.path.realpath(working_dir or "")
    inside = os.path.relpath(os.path.realpath(wheel), folder)
    if working_dir is None or not os.path.isdir(folder) or inside.startswith(os.pardir):
        raise UsageError(f"{show(wheel)}: must lie in --working-dir, which carries it to the nodes")
    return f"{WORKING_DIR_SIGN}/{inside}"


def _packed_sizes(folder: Path) -> Counter[str]:
    """Bytes in the zip that Ray would make, by the folder's entries."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import _dir_travel, _get_excludes

    sizes: Counter[str] = Counter()

    def add(path: Path) -> None:
        if path.is_file():
            name = str(path.relative_to(folder))
            entry = name.split(os.sep)[0]
            sizes[entry] += path.stat().st_size + ZIP_ENTRY_BYTES + 2 * len(name.encode())

    silent = logging.getLogger(f"{__name__}.silent")
    silent.disabled = True
    respect_gitignore = os.environ.get("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "0") != "1"
    excludes = [_get_excludes(folder, get_runtime_env_default_excludes())]
    _dir_travel(folder, excludes, add, include_gitignore=respect_gitignore, logger=silent)
    return sizes


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
