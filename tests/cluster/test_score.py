"""Measuring on three real nodes, a head without CPUs: the rows of one process, whoever dies."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import soundfile as sf

pytest.importorskip("pesq")
import raypipe
from benchmarks.chaos import bucket
from benchmarks.chaos.rounds import RUN_S
from benchmarks.chaos.weather import Weather
from benchmarks.kill import wait_for
from benchmarks.nodes import Cluster
from tests.cluster import nodes as hiding
from tests.cluster.conftest import Nodes
from tests.conftest import SHARED
from tests.quality.speech import hiss, syllables

pytestmark = [pytest.mark.ray, pytest.mark.slow]

COMMAND = (sys.executable, "-c", "from raypipe.cli import main; main()", "score")
FILES = 8
LONG_S = 16.0
"""More than is heard whole: excerpts are read again."""
NETWORKS = SHARED / "models" / "dnsmos"

ADDRESSES = ("127.0.0.2", "127.0.0.3")
"""Of the nodes that see less than the driver."""

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy files in a tree and clean ones of the same names; two that cannot be measured."""
    root = tmp_path_factory.mktemp("score")
    for number in range(FILES):
        rate_hz = (16_000, 48_000)[number % 2]
        sound = syllables(LONG_S if number == 3 else 1.5 + number / 8, rate_hz, seed=number)
        name = f"{'deep/' * (number % 3)}{number}"
        for side, ending, added_db in (("noisy", ".wav", -20 - number), ("clean", ".flac", -90)):
            path = root / side / (name + ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, sound + hiss(len(sound), added_db, seed=number), rate_hz)
    (root / "noisy/bad.wav").write_bytes(b"no audio at all")
    sf.write(root / "noisy/alone.wav", hiss(1000) / 10, 16_000)
    return root


@pytest.fixture(scope="module")
def wanted(folder: Path) -> Rows:
    """What one process says."""
    report = raypipe.score(
        folder / "noisy", reference=folder / "clean", dnsmos=networks(), executor="inline"
    )
    assert (report.scored, report.failed) == (FILES, 2)
    return list(report.rows())


def networks() -> Path | None:
    """DNSMOS's, where they lie beside this checkout."""
    return NETWORKS if NETWORKS.is_dir() else None


class Scoring:
    """The command on the head, under way."""

    def __init__(self, cluster: Cluster, out: Path, source: str, reference: str) -> None:
        self._cluster, self._out = cluster, out
        words = [source, "--reference", reference, "--json", str(out), "-q"]
        if (found := networks()) is not None:
            words += ["--dnsmos", str(found)]
        self.process = cluster.head.run(
            *COMMAND, *words, "--address", cluster.address,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def at_work(self) -> list[psutil.Process]:
        """PESQ's processes, one below each worker that has got so far with a file."""
        found = []
        for node in self._cluster.workers:
            for worker in node.actors("worker"):
                with contextlib.suppress(psutil.Error):
                    found += [p for p in worker.children() if _measures(p)]
        return found

    def end(self) -> Rows:
        """The rows, once it is through; what failed it must have said."""
        said, complaints = self.process.communicate(timeout=RUN_S)
        assert self.process.returncode == 1, complaints  # two files cannot be measured
        lines = complaints.splitlines()  # a busy machine may make it speak of waiting, too
        failed = sorted(line.split(":")[0] for line in lines if not line.startswith("raypipe: "))
        assert failed == ["failed  alone.wav", "failed  bad.wav"], complaints
        told = self._out.read_text()
        assert self._cluster.token not in said + complaints + told
        return list(json.loads(told)["files"])


def _measures(process: psutil.Process) -> bool:
    return any("raypipe.quality.pesq" in word for word in process.cmdline())


def without_place(rows: Sequence[dict[str, Any]], place: str) -> Rows:
    """Rows whose reasons do not name the place any more."""
    return [row | {"reason": (row["reason"] or "").replace(place, "DIR")} for row in rows]


def test_a_folder_has_the_same_rows_though_a_worker_is_killed(
    nodes: Nodes, folder: Path, wanted: Rows, tmp_path: Path
) -> None:
    run = Scoring(nodes.cluster, tmp_path / "s.json", f"{folder}/noisy", f"{folder}/clean")
    try:
        assert wait_for(lambda: len(run.at_work()) == 2, RUN_S), "both nodes measure"
        pesq, _ = run.at_work()
        pesq.parent().kill()  # type: ignore[union-attr]
        assert run.process.poll() is None, "it was in the middle"
        assert wait_for(lambda: not pesq.is_running(), 10), "it ends with its worker"
        assert run.end() == wanted
    finally:
        run.process.kill()


@pytest.fixture
def store(nodes: Nodes) -> Iterator[bucket.Bucket]:
    """A bucket that the nodes reach as the cluster's environment says."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with bucket.server() as port:
        made = bucket.Bucket(port)
        with Weather(nodes.cluster.gateway, ("127.0.0.1", port), bucket.PORT):
            yield made
        made.client.close()


@pytest.mark.cluster
def test_a_bucket_has_the_same_rows_as_a_folder(
    nodes: Nodes, store: bucket.Bucket, folder: Path, wanted: Rows, tmp_path: Path
) -> None:
    source, reference = (store.put(folder / name, name) for name in ("noisy", "clean"))
    run = Scoring(nodes.cluster, tmp_path / "s.json", source, reference)
    try:
        rows = run.end()
    finally:
        run.process.kill()
    assert without_place(rows, reference) == without_place(wanted, f"{folder}/clean")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, as sockets lie in it."""
    path = Path(tempfile.mkdtemp(prefix="rp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.cluster
def test_nodes_that_would_give_other_rows_are_named_before_the_start(
    folder: Path, short: Path
) -> None:
    """One lacks a package, on one the folder of references is an empty mount point."""
    (short / "sitecustomize.py").write_text("import sys\nsys.modules['pystoi'] = None\n")
    with hiding.cluster(short / "ray", 0) as made:
        made.add(PYTHONPATH=f"{short}:{made.env['PYTHONPATH']}").started()
        made.add(hidden=[folder / "clean"]).started()
        code, said = made.run(
            folder / "noisy", "--reference", folder / "clean", "-q", command="score"
        ).end()
    assert code == 2
    assert len(said.strip().splitlines()) == 1
    poor, blind = (said.partition(f"node {address} (")[2][8:] for address in ADDRESSES)
    assert poor.startswith(") has no pystoi, which the driver has; install the same on every node")
    assert blind.startswith(f") cannot see {folder}/clean/")
    assert ".flac: no such file; mount it there, or use a bucket" in blind
