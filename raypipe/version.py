"""The version, as the installed package states it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("raypipe")
except PackageNotFoundError:  # run from a source tree that is not installed
    VERSION = "0+unknown"
