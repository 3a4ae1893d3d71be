"""`raypipe submit` on a real cluster that wants a token, from a shell that knows nothing of it.

Made with `ray start`: a head without CPUs, and one worker node.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile as sf

pytest.importorskip("ray")

from raypipe.cli.entry import entry
from tests.cli.conftest import tree
from tests.job_cluster import ROOT, JobCluster, job_cluster
from tests.signals import noise
from tests.stores import S3

pytestmark = [pytest.mark.ray, pytest.mark.slow]

SLOW = ("-m", "python:tests.cli.test_interrupts:slow", "--lanes", "1", "--segment", "1", "-j", "1")
START_S = 150
"""On a machine that has much else to do, a job may take so long to begin."""

FILES = 60
"""A third of a second each with the slow model: longer than any of these tests looks."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[JobCluster]:
    """One for all tests of this file."""
    with job_cluster() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Real sound of several kinds."""
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    sf.write(root / "a.wav", noise(30_000).T, 16_000, "PCM_16")
    sf.write(root / "b.wav", noise(20_000, 2).T, 44_100, "FLOAT")
    sf.write(root / "deep" / "c d.wav", noise(15_000).T, 48_000, "PCM_24")
    return root


@pytest.fixture
def long_job(tmp_path: Path) -> Path:
    """Files that keep the slow model busy for half a minute."""
    root = tmp_path / "long"
    root.mkdir()
    for number in range(FILES):
        sf.write(root / f"{number:02}.wav", noise(16_000, seed=number).T, 16_000, "FLOAT")
    return root


class Printed:
    """What a running command has printed so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.text = ""
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            self.text += line
        stream.close()  # type: ignore[attr-defined]

    def wait_for(self, words: str, limit_s: float = 60) -> None:
        """Until these words have come."""
        end_s = time.monotonic() + limit_s
        while words not in self.text:
            assert time.monotonic() < end_s, f"{words!r} did not come: {self.text}"
            assert self.process.poll() is None or words in self.text, self.text
            time.sleep(0.05)

    def end(self, limit_s: float = 90) -> int:
        """Its exit code."""
        code = self.process.wait(limit_s)
        for reader in self._readers:
            reader.join(10)
        return code


@pytest.fixture
def started(cluster: JobCluster, long_job: Path, tmp_path: Path) -> Iterator[Printed]:
    """A followed job that has done its first files and has many to go."""
    arguments = ("submit", "--address", cluster.url, "--", "enhance", long_job, tmp_path / "out")
    printed = Printed(cluster.start(*arguments, *SLOW))
    try:
        end_s = time.monotonic() + START_S
        while not (tmp_path / "out").exists() or len(tree(tmp_path / "out")) < 2:
            assert time.monotonic() < end_s, printed.text
            time.sleep(0.1)
        yield printed
    finally:
        printed.process.kill()
        printed.end()
        with contextlib.suppress(IndexError):
            cluster.run("submit", "--address", cluster.url, "--stop", name_of(printed.text))


def name_of(text: str) -> str:
    return text.split("raypipe: job ", 1)[1].split()[0]


def assert_same_sound(made: Path, expected: Path) -> None:
    assert tree(made) == tree(expected)
    for name in tree(expected):
        assert (made / name).read_bytes() == (expected / name).read_bytes(), name


def test_a_shell_that_has_set_nothing_gets_what_a_local_run_gives(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    assert "RAY_AUTH_MODE" not in cluster.env
    secret = "aws-secret-of-the-test"
    ran = cluster.run(
        "submit", "--address", cluster.url, "--env", "AWS_SECRET_ACCESS_KEY", "--submission-id",
        "first", "--", "enhance", folder, tmp_path / "out", "-m", "recurrent",
        AWS_SECRET_ACCESS_KEY=secret,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "    3     3        0       0" in ran.stdout, "the run's own summary"
    assert f"{folder}, {tmp_path / 'out'}: every node of the cluster must see" in ran.stderr
    assert "raypipe: AWS_SECRET_ACCESS_KEY: Ray writes a job's variables into logs" in ran.stderr
    assert "raypipe: job first has succeeded" in ran.stderr
    local = ["enhance", str(folder), str(tmp_path / "local"), "-m", "recurrent"]
    assert entry([*local, "--executor", "inline", "-q"]) == 0
    assert_same_sound(tmp_path / "out", tmp_path / "local")

    details = ask(cluster, "first")
    metadata = details["metadata"]
    assert metadata["job_name"] == "raypipe enhance recurrent"
    assert (metadata["in"], metadata["out"]) == (str(folder), str(tmp_path / "out"))
    assert "@" in metadata["submitted_by"]
    assert metadata["raypipe"]
    assert details["entrypoint"].endswith("--model recurrent --executor ray --address auto")
    report = (tmp_path / "out" / ".raypipe" / "report.json").read_text()
    job_log = next(cluster.home.parent.glob("r/*/logs/job-driver-first.log")).read_text()
    for text in (ran.stdout, ran.stderr, report, job_log, repr(details), command_lines()):
        assert cluster.token not in text
    for text in (ran.stdout, ran.stderr, report, job_log, repr(metadata)):
        assert secret not in text


@pytest.mark.cluster
def test_from_bucket_to_bucket_with_keys_that_only_this_shell_has(
    cluster: JobCluster, folder: Path, tmp_path: Path, s3: S3
) -> None:
    for path in folder.rglob("*.wav"):
        s3.put(f"in/{path.relative_to(folder)}", path.read_bytes())
    names = [word for name in s3.environment for word in ("--env", name)]
    ran = cluster.run(
        "submit", "--address", cluster.url, *names, "--", "enhance", f"s3://{s3.bucket}/in",
        f"s3://{s3.bucket}/out", "-m", "recurrent", **s3.environment,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "every node" not in ran.stderr, "these are addresses"
    local = ["enhance", str(folder), str(tmp_path / "local"), "-m", "recurrent"]
    assert entry([*local, "--executor", "inline", "-q"]) == 0
    expected = {name: (tmp_path / "local" / name).read_bytes() for name in tree(tmp_path / "local")}
    assert s3.tree("out") == expected


@pytest.mark.cluster
def test_a_submitted_score_gives_the_rows_of_a_local_one(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    there, here = tmp_path / "there.csv", tmp_path / "here.csv"
    words = ("score", str(folder), "--reference", str(folder), "--csv")
    ran = cluster.run("submit", "--address", cluster.url, "--", *words, there)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "against the reference" in ran.stdout, "the table"
    assert "3 files scored, 0 failed" in ran.stdout
    assert f"raypipe: {folder}, {there}: every node of the cluster must see" in ran.stderr
    assert entry([*words, str(here), "--executor", "inline", "-q"]) == 0
    assert there.read_text() == here.read_text()


def ask(cluster: JobCluster, name: str) -> dict[str, object]:
    """What the Jobs API tells of a job."""
    import json
    import urllib.request

    request = urllib.request.Request(
        f"{cluster.url}/api/jobs/{name}", headers={"Authorization": f"Bearer {cluster.token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(json.load(answer))


def command_lines() -> str:
    """As `ps` shows them to every user of the machine."""
    return "\n".join(
        " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    )


def test_the_jobs_own_exit_code_comes_back(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    (folder / "bad.wav").write_bytes(b"no audio at all")
    submit = ("submit", "--address", cluster.url, "--", "enhance")
    ran = cluster.run(*submit, folder, tmp_path / "out")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "bad.wav" in ran.stdout
    assert "has ended with exit code 1" in ran.stderr
    ran = cluster.run(*submit, tmp_path / "no such folder", tmp_path / "out")
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "no such folder: no such file or folder" in ran.stdout
    ran = cluster.run(*submit, folder, tmp_path / "out", "-m", "no-such-model")
    assert ran.returncode == 4, ran.stdout + ran.stderr


def test_who_is_not_let_in_hears_why(cluster: JobCluster, folder: Path, tmp_path: Path) -> None:
    submit = ("submit", "--address", cluster.url, "--", "enhance", folder, tmp_path / "out")
    for env, words in (
        ({"RAY_AUTH_TOKEN": "wr0ng"}, "does not accept the token from RAY_AUTH_TOKEN;"),
        ({"HOME": str(tmp_path)}, "wants a token, and none was found in RAY_AUTH_TOKEN, "),
        ({"RAY_AUTH_MODE": "disabled"}, "wants a token, but RAY_AUTH_MODE is 'disabled'"),
        ({"RAY_AUTH_TOKEN_PATH": "/no/such"}, "RAY_AUTH_TOKEN_PATH names /no/such, which holds no"),
    ):
        ran = cluster.run(*submit, **env)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert words in ran.stderr
        assert ran.stderr.count("\n") == 1
        assert "wr0ng" not in ran.stderr
    ran = cluster.run(*submit[:2], f"http://{cluster.gcs}", *submit[3:])
    assert ran.returncode == 2
    assert "is not a Ray dashboard, which stands at port 8265" in ran.stderr


@pytest.mark.cluster
def test_the_other_two_places_of_the_token_do_as_well(cluster: JobCluster, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(cluster.token)
    look = ("submit", "--address", cluster.url, "--follow", "no-such-job")
    for env in ({"RAY_AUTH_TOKEN": cluster.token}, {"RAY_AUTH_TOKEN_PATH": str(file)}):
        ran = cluster.run(*look, HOME=str(tmp_path), **env)
        assert f"{cluster.url} has no job no-such-job" in ran.stderr, "let in, and looked"


@pytest.mark.cluster
def test_a_job_that_nobody_waits_for_can_be_followed_later(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    ran = cluster.run(
        "submit", "--address", cluster.url, "--no-wait", "--", "enhance", folder, tmp_path / "out"
    )
    assert ran.returncode == 0, ran.stderr
    name = ran.stdout.strip()
    assert f"raypipe submit --address {cluster.url} --follow {name}" in ran.stderr
    assert f"raypipe submit --address {cluster.url} --stop {name}" in ran.stderr
    first = cluster.run("submit", "--address", cluster.url, "--follow", name)
    again = cluster.run("submit", "--address", cluster.url, "--follow", name)
    assert first.returncode == again.returncode == 0
    assert first.stdout == again.stdout
    assert "3     3        0       0" in first.stdout
    twice = cluster.run(
        "submit", "--address", cluster.url, "--submission-id", name, "--", "enhance", folder,
        tmp_path / "out",
    )  # fmt: skip
    assert twice.returncode == 2
    assert f"refuses the job: Job with submission_id {name} already exists" in twice.stderr


@pytest.mark.cluster
def test_ctrl_c_leaves_the_job_running(
    cluster: JobCluster, started: Printed, long_job: Path, tmp_path: Path
) -> None:
    started.wait_for("raypipe: 0:")  # a progress line, as the log has one each ten seconds
    started.process.send_signal(signal.SIGINT)
    assert started.end(20) == 130
    name = name_of(started.text)
    assert "stopping" not in started.text
    assert f"raypipe: job {name} goes on without you" in started.text
    assert f"raypipe submit --address {cluster.url} --stop {name}" in started.text
    done = len(tree(tmp_path / "out"))
    assert done < FILES
    ran = cluster.run("submit", "--address", cluster.url, "--follow", name)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(tree(tmp_path / "out")) == FILES
    for number in (0, FILES - 1):
        made, given = (folder / f"{number:02}.wav" for folder in (tmp_path / "out", long_job))
        assert np.array_equal(sf.read(made)[0], sf.read(given)[0])


@pytest.mark.cluster
def test_a_stopped_job_ends_in_order_and_can_go_on(
    cluster: JobCluster, started: Printed, long_job: Path, tmp_path: Path
) -> None:
    name = name_of(started.text)
    ran = cluster.run("submit", "--address", cluster.url, "--stop", name)
    assert ran.returncode == 0, ran.stderr
    assert f"job {name} was stopped" in ran.stderr
    assert started.end(30) == 143, started.text
    assert "raypipe: interrupted; run the same command again to go on" in started.text
    assert "so far: " in started.text
    out = tmp_path / "out"
    before = tree(out)
    assert 0 < len(before) < FILES
    assert not list((out / ".raypipe" / "tmp").iterdir())
    again = cluster.run("submit", "--address", cluster.url, "--stop", name)
    assert (again.returncode, "had ended already" in again.stderr) == (0, True)
    ran = cluster.run(
        "submit", "--address", cluster.url, "--", "enhance", long_job, out, *SLOW[:2], "-j", "2"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len(tree(out)) == FILES
    for number in range(FILES):
        made, given = out / f"{number:02}.wav", long_job / f"{number:02}.wav"
        assert np.array_equal(sf.read(made)[0], sf.read(given)[0])


class Line:
    """A line to the dashboard that can be cut: a port whose connections it passes on."""

    def __init__(self, url: str) -> None:
        self._target = int(url.rpartition(":")[2])
        self._open: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._door.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._listen()

    def _listen(self) -> None:
        door = self._door
        threading.Thread(target=self._accept, args=(door,), daemon=True).start()

    def _accept(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End all connections, and take no new ones."""
        for end in (self._door, *self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._open.clear()

    def mend(self) -> None:
        """Take connections again, on the same port."""
        self._door = socket.create_server(("127.0.0.1", self.port))
        self._listen()


@pytest.mark.cluster
def test_a_line_that_is_cut_costs_no_word_of_the_log(
    cluster: JobCluster, long_job: Path, tmp_path: Path
) -> None:
    line = Line(cluster.url)
    submit = ("submit", "--address", line.url, "--", "enhance", long_job, tmp_path / "out")
    printed = Printed(cluster.start(*submit, *SLOW))
    try:
        printed.wait_for("raypipe: 0:", START_S)
        line.cut()
        time.sleep(5)
        line.mend()
        time.sleep(3)
        line.cut()
        time.sleep(1)
        line.mend()
        assert printed.end() == 0, printed.text
    finally:
        printed.process.kill()
        line.cut()
    name = name_of(printed.text)
    ours = ("raypipe: job ", f"raypipe: {long_job}")
    seen = [each for each in printed.text.splitlines() if not each.startswith(ours)]
    direct = cluster.run("submit", "--address", cluster.url, "--follow", name)
    assert seen == direct.stdout.splitlines()


@pytest.mark.cluster
def test_what_a_working_directory_brings_is_found(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    """A model that is nowhere on the nodes, a config file, and input, all by relative paths."""
    shipped = ROOT / "raypipe" / "inference" / "shipped" / "recurrent.tflite"
    (folder / "mine.tflite").write_bytes(shipped.read_bytes())
    (folder / "run.toml").write_text("suffix = '_x'\n")
    ran = cluster.run(
        "submit", "--address", cluster.url, "--working-dir", folder, "--", "enhance", "deep",
        tmp_path / "out", "-m", "mine.tflite", "-c", "run.toml",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert tree(tmp_path / "out") == {"c d_x.wav"}


@pytest.mark.cluster
def test_another_version_on_the_cluster_is_said(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    ran = cluster.run(
        "submit", "--address", cluster.url, "--env", "RAYPIPE_EXPECTED_VERSION=0.0.9", "--",
        "enhance", folder, tmp_path / "out",
    )  # fmt: skip
    assert ran.returncode == 2
    assert "but raypipe 0.0.9 submitted the job; submit with the same version" in ran.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.cluster
def test_the_job_script_runs_where_the_package_is_installed(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    ray = str(Path(cluster.words()[0]).parent / "ray")
    done = subprocess.run(
        [ray, "job", "submit", "--address", cluster.url, "--working-dir", str(ROOT / "jobs"), "--",
         "python", "enhance_folder.py", str(folder), str(tmp_path / "out"), "-m", "recurrent"],
        env=cluster.env | {"RAY_AUTH_MODE": "token"}, capture_output=True, text=True, timeout=120,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    local = ["enhance", str(folder), str(tmp_path / "local"), "-m", "recurrent"]
    assert entry([*local, "--executor", "inline", "-q"]) == 0
    assert_same_sound(tmp_path / "out", tmp_path / "local")


def test_a_run_attaches_to_a_locked_cluster_without_being_told_the_mode(
    cluster: JobCluster, folder: Path, tmp_path: Path
) -> None:
    ran = cluster.run("enhance", folder, tmp_path / "out", "--address", cluster.gcs)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert tree(tmp_path / "out") == tree(folder)
    for env, words in (
        ({"RAY_AUTH_TOKEN": "wr0ng"}, "does not accept the token from RAY_AUTH_TOKEN;"),
        ({"HOME": str(tmp_path)}, "wants a token, and none was found in RAY_AUTH_TOKEN, "),
    ):
        ran = cluster.run("enhance", folder, tmp_path / "no", "--address", cluster.gcs, **env)
        assert ran.returncode == 2
        assert f"raypipe: the cluster at {cluster.gcs} {words}" in ran.stderr
        assert "wr0ng" not in ran.stderr


@pytest.mark.cluster
def test_an_open_cluster_is_attached_to_by_who_has_a_token(folder: Path, tmp_path: Path) -> None:
    with job_cluster(auth="disabled") as cluster:
        assert (cluster.home / ".ray" / "auth_token").exists()
        ran = cluster.run("enhance", folder, tmp_path / "out", "--address", cluster.gcs)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        ran = cluster.run("submit", "--address", cluster.url, "enhance", folder, tmp_path / "out2")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert str(cluster.home.parent) not in command_lines(), "nothing of it is left"
