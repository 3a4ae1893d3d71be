"""The command line: one file per command; errors become exit codes here and nowhere else."""

from __future__ import annotations

import os
import sys

from raypipe.cli.entry import entry
from raypipe.cli.interrupts import INTERRUPTED


def main() -> None:
    """Run ``raypipe`` and leave with its exit code."""
    code = entry(sys.argv[1:])
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # a Ray that was interrupted may crash while Python takes itself down
    sys.exit(code)
