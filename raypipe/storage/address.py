"""From an address to the store behind it: one for each process, made when it is first used.

Credentials, endpoints and regions come by each library's usual means: the
environment, its own files, and fsspec's configuration
(``FSSPEC_S3_ENDPOINT_URL=...`` or ``~/.config/fsspec/*.json``).
"""

from __future__ import annotations

import os
import threading
from typing import Any

from raypipe.errors import StorageError, UsageError
from raypipe.storage.paths import PACKAGES, READ_ONLY, scheme_of, show
from raypipe.storage.store import Store
from raypipe.storage.troubles import Trouble, trouble_of, words_of

_stores: dict[tuple[str, str], Store] = {}
_lock = threading.Lock()


def store_of(address: str) -> Store:
    """The store that an address lies in.

    Raises
    ------
    UsageError
        If the package for this kind of address is not installed.
    StorageError
        If the library behind it cannot be set up, for want of credentials mostly.
    """
    scheme = scheme_of(address)
    host = address.partition("://")[2].partition("/")[0]
    name = (scheme, "" if PACKAGES.get(scheme) in ("s3fs", "aiohttp") else host)
    with _lock:
        if name not in _stores:
            _stores[name] = _made(scheme, address)
        return _stores[name]


def forget_stores() -> None:
    """Make them anew: connections do not outlive a fork, nor settings a change of them."""
    global _lock
    _lock = threading.Lock()
    _stores.clear()


os.register_at_fork(after_in_child=forget_stores)


def _made(scheme: str, address: str) -> Store:
    try:
        from fsspec.config import conf
        from fsspec.core import url_to_fs

        options = _options(scheme, conf.get(scheme, {}))
        fs, _ = url_to_fs(address, use_listings_cache=False, skip_instance_cache=True, **options)
    except ImportError as error:
        raise UsageError(
            f"{scheme}:// addresses need the package {PACKAGES[scheme]}: "
            "pip install 'raypipe[cloud]'"
        ) from error
    except Exception as error:
        if trouble_of(error) is Trouble.CREDENTIALS or isinstance(error, ValueError):
            raise StorageError(
                f"{show(address)}: cannot be reached: no account or credentials are given in the "
                f"way that {PACKAGES[scheme]} wants them ({words_of(error)})"
            ) from error
        raise
    if PACKAGES.get(scheme) == "s3fs":
        from raypipe.storage.s3 import S3Store

        fs.retries = 1  # ours are enough
        return S3Store(fs)
    if scheme in READ_ONLY:
        from raypipe.storage.web import WebStore

        return WebStore(fs)
    return Store(fs)


def _options(scheme: str, given: dict[str, Any]) -> dict[str, Any]:
    """What raypipe sets itself, on top of what the user's configuration says."""
    if PACKAGES.get(scheme) == "s3fs":
        config = {"retries": {"total_max_attempts": 1, "mode": "standard"}}
        return {"config_kwargs": {**given.get("config_kwargs", {}), **config}}
    if scheme in READ_ONLY:
        headers = {**given.get("headers", {}), "Accept-Encoding": "identity"}
        client = {"trust_env": True, **given.get("client_kwargs", {})}  # proxies, ~/.netrc
        return {"headers": headers, "client_kwargs": client}
    return {}
