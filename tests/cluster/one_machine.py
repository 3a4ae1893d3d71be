"""Ray nodes that share this machine's address, for where no network namespace can be made.

Runs as a script of its own, as `ray.cluster_utils.Cluster` lives in the process that makes it::

    python -m tests.cluster.one_machine NODES    prints the address, then obeys one word a line:
                                                 ``kill``: SIGKILL for one worker node's processes
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STORE_BYTES = 200_000_000


@contextmanager
def one_machine(
    nodes: int, **more: str
) -> Iterator[tuple[subprocess.Popen[str], str, dict[str, str]]]:
    """The script, the cluster's address, and the environment in which a driver reaches it.

    `more` is what the nodes are to find in their environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        token = Path(folder, "token")
        token.write_text(secrets.token_hex(16))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYPIPE_"))}
        environment = {**kept, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        script = subprocess.Popen(
            [sys.executable, "-m", __name__, str(nodes)],
            env={**environment, **more}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert script.stdin is not None and script.stdout is not None
        try:
            yield script, script.stdout.readline().split()[-1], environment
        finally:
            script.stdin.close()
            script.wait(60)
            script.stdout.close()


def say(script: subprocess.Popen[str], word: str) -> None:
    """Give an order, and wait until it is carried out."""
    assert script.stdin is not None and script.stdout is not None
    script.stdin.write(word + "\n")
    script.stdin.flush()
    assert script.stdout.readline().strip() == "done"


def main(nodes: int) -> None:
    """Obey until there is nobody left to give orders."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": STORE_BYTES},
    )
    made = [cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES) for _ in range(nodes)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(made.pop(), allow_graceful=False)
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
