"""Paths and addresses: what they are, how they are printed, what went wrong with them.

Comes in: what a user wrote, or what the system said. Goes out: an absolute path
or an address (``s3://bucket/key``), and sentences that name it without its secrets.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from urllib.parse import unquote

from raypipe.errors import StorageError, UsageError

PRIVATE = ".raypipe"
NAME_MAX_BYTES = 255
KEY_MAX_BYTES = 1024
"""Longest key of S3, Google Cloud Storage and Azure's blobs."""

PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs",
    "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "http": "aiohttp", "https": "aiohttp",
}  # fmt: skip
"""Kinds of addresses, and the package that each needs beside fsspec."""

ALIASES = {"s3a": "s3", "gcs": "gs"}

READ_ONLY = ("http", "https")

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_USER = re.compile(r"(?<=://)[^/@]*@")
_WORDS = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted",
    errno.EIO: "the device reports an input/output error",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
}


def storage_error(error: OSError, path: str | os.PathLike[str], doing: str) -> StorageError:
    """Turn what the system said into one sentence that names path and cause.

    Parameters
    ----------
    error : OSError
        As raised by the system.
    path : path
        What was being worked on.
    doing : str
        The verb: ``write``, ``create``, ``publish``.
    """
    cause = _WORDS.get(error.errno or 0) or error.strerror or str(error)
    return StorageError(f"{show(os.fspath(path))}: cannot {doing}: {cause}")


def show(path: str) -> str:
    """A path as it can be printed.

    Control signs and undecodable bytes are escaped; a web address loses its user, password and
    query, which may be secrets.
    """
    if scheme_of(path) in READ_ONLY:
        path = without_secrets(path)
    plain = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def scheme_of(path: str) -> str:
    """``s3`` of an address, nothing of a path."""
    found = _ADDRESS.match(path)
    return found[1].lower() if found else ""


def is_address(path: str) -> bool:
    """True for ``s3://bucket/key`` and the like, False for a path on this machine."""
    return _ADDRESS.match(path) is not None


def without_secrets(address: str) -> str:
    """A web address without user, password, query and fragment; others as they are."""
    if scheme_of(address) not in READ_ONLY:
        return address
    return _USER.sub("", re.split("[?#]", address, maxsplit=1)[0])


def path_or_address(path: str | os.PathLike[str]) -> str:
    """What a user wrote, as the rest of raypipe takes it.

    Returns
    -------
    str
        A path on this machine (for ``file://`` too), or an address.

    Raises
    ------
    UsageError
        If it is an address of an unknown kind.
    """
    text = os.fspath(path)
    scheme = scheme_of(text)
    if not scheme:
        return text
    if scheme == "file":
        from fsspec.core import split_protocol  # heavy, and needed for addresses only

        return str(split_protocol(text)[1])
    if scheme not in PACKAGES:
        raise UsageError(
            f"{show(text)}: only paths and addresses that begin with s3://, gs://, az://, "
            f"http:// or https:// can be used, not {scheme}://"
        )
    return ALIASES.get(scheme, scheme) + text[len(scheme) :]


def absolute(path: str) -> str:
    """An absolute path; an address is one already, and loses what changes at each download."""
    return without_secrets(path) if is_address(path) else os.path.abspath(path)


def join(root: str, name: str) -> str:
    """A path or address below `root`."""
    return f"{root.rstrip('/')}/{name}" if is_address(root) else os.path.join(root, name)


def located(path: str | os.PathLike[str]) -> str:
    """What a user wrote as an absolute path, or as an address that can be opened."""
    plain = path_or_address(path)
    return plain if is_address(plain) else os.path.abspath(plain)


def as_tree(path: str) -> str:
    """A path in one tree that holds this machine and all stores: ``/s3/bucket/key``."""
    scheme = scheme_of(path)
    if not scheme:
        return os.path.abspath(path)
    rest = without_secrets(path)[len(scheme) + 3 :]
    return f"/{scheme}/{unquote(rest) if scheme in READ_ONLY else rest}".rstrip("/")


def from_tree(path: str) -> str:
    """The path or address that stands there in `as_tree`'s tree."""
    scheme, _, rest = path[1:].partition("/")
    return f"{scheme}://{rest}" if scheme in PACKAGES and rest else path


def relative(path: str, root: str) -> str:
    """Name of a path below a root; as it is written, doubled slashes and dots included."""
    if not is_address(path) and not is_address(root):
        return os.path.relpath(path, root)
    tree, top = as_tree(path), as_tree(root).rstrip("/")
    return tree[len(top) + 1 :] if tree.startswith(top + "/") else os.path.relpath(tree, top or "/")


def free_bytes(path: str) -> int | None:
    """Bytes free where `path` is or would be; None where nobody tells."""
    if is_address(path):
        return None
    while path and not os.path.exists(path):
        path = os.path.dirname(os.path.abspath(path))
    try:
        return shutil.disk_usage(path or ".").free
    except OSError:
        return None


def too_long(relative: str, root: str) -> str:
    """Why a name is too long below `root`, in the words of a reason; nothing where it fits."""
    encoding = sys.getfilesystemencoding()
    if is_address(root):
        key = join(root, relative).partition("://")[2].partition("/")[2]
        fits, most = len(key.encode("utf-8", "surrogateescape")) <= KEY_MAX_BYTES, KEY_MAX_BYTES
    else:
        parts = relative.split("/")
        fits = all(len(p.encode(encoding, "surrogateescape")) <= NAME_MAX_BYTES for p in parts)
        most = NAME_MAX_BYTES
    return "" if fits else f"its output's name would be longer than {most} bytes"
