"""A model's bytes on a node where its path does not lead: one copy for all processes there.

::

    ~/.cache/raypipe/models/<sha256>.tflite

Comes in: the bytes, as they came from the driver. Goes out: a path, since LiteRT
maps a file into memory once for all processes that open it. What lies there is
trusted for its digest alone, never for its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from raypipe.errors import ModelError


def copy_of(content: memoryview | bytes, sha256: str) -> Path:
    """Where a model with this content lies on this machine; it is put there if it does not yet.

    Parameters
    ----------
    content : bytes-like
        The ``.tflite``.
    sha256 : str
        Its digest, as the driver computed it.

    Raises
    ------
    ModelError
        If the content is not what the digest says, or no folder takes it.
    """
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"model {sha256[:12]}: its bytes did not arrive whole")
    cause: OSError | None = None
    for folder in _folders():
        path = folder / f"{sha256}.tflite"
        if _digest(path) == sha256:
            return path
        try:
            _put(path, content)
        except OSError as error:
            cause = error
        else:
            return path
    raise ModelError(f"model {sha256[:12]}: cannot be kept on this node: {cause}") from cause


def _folders() -> Iterator[Path]:
    """The user's cache; where there is none, a new folder that nobody else can write into."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    yield Path(root) / "raypipe" / "models"
    with contextlib.suppress(OSError):
        yield Path(tempfile.mkdtemp(prefix="raypipe-"))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _put(path: Path, content: memoryview | bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:12]}-{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
