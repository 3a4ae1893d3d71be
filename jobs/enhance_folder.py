"""A folder or bucket in, the same cleaned out, as a job on a Ray cluster.

    ray job submit --working-dir jobs -- python enhance_folder.py s3://bucket/in s3://bucket/out

It is ``raypipe enhance`` with all its options, told to work on the cluster that it finds itself in.
``raypipe submit -- enhance IN OUT`` does the same without this file, checks the command first, and
ends with the job's own exit code, where ``ray job submit`` knows only 0 and 1. The nodes need the
installed package, nothing else of the source tree.
"""

from __future__ import annotations

import sys

from raypipe.cli import main

HERE = ("--executor", "ray", "--address", "auto")


def on_this_cluster(arguments: list[str]) -> list[str]:
    """The arguments of ``raypipe enhance``; those that say where to work win."""
    named = {word.partition("=")[0] for word in arguments}
    return arguments if named & {"--executor", "--address"} else [*arguments, *HERE]


if __name__ == "__main__":
    sys.argv[1:] = ["enhance", *on_this_cluster(sys.argv[1:])]
    main()
