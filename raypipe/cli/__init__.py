"""The command line: one file per command; errors become exit codes here and nowhere else."""

from __future__ import annotations

import sys

from raypipe.cli.entry import entry


def main() -> None:
    """Run ``raypipe`` and leave with its exit code."""
    sys.exit(entry(sys.argv[1:]))
