"""What `raypipe submit` says before, and without, a cluster.

With one: `tests/end_to_end/test_submit.py`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from raypipe.cli.submit import _ending, _new_id, submit
from raypipe.errors import ClusterError
from raypipe.execution.jobs_api import JobState
from tests.cli.conftest import Raypipe

NOBODY = "http://127.0.0.1:9"
S3 = ("s3://bucket/in", "s3://bucket/out")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a command behind --, or --follow ID, or --stop ID"),
        (("--follow", "a", "--stop", "b"), "give a command behind --"),
        (("--follow", "a", "--", "enhance", *S3), "give a command behind --"),
        (("--", "enhance", *S3, "--modle", "dtln"), "raypipe enhance: No such option '--modle'"),
        (("--", "enhance", "s3://bucket/in"), "give OUT once"),
        (("enhance", *S3, "--lanes", "0"), "lanes must be auto or at least 1, not 0"),
        (("--env", "NOT_SET_ANYWHERE", "enhance", *S3), "--env NOT_SET_ANYWHERE: is not set here"),
        (("--env", "RAY_AUTH_TOKEN=x", "enhance", *S3), "the token stays here"),
        (("--image", "i", "--pip", "raypipe", "enhance", *S3), "--image brings its own"),
        (("--working-dir", "/no/such", "enhance", *S3), "/no/such: no such folder or zip"),
    ],
)
def test_what_is_wrong_is_said_before_the_cluster_is_asked(
    raypipe: Raypipe, arguments: tuple[str, ...], words: str
) -> None:
    ran = raypipe("submit", "--address", NOBODY, *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_a_folder_that_is_too_big_is_refused_before_the_cluster_is_asked(
    raypipe: Raypipe, tmp_path: Path
) -> None:
    with (tmp_path / "night.wav").open("wb") as file:
        file.truncate(101 << 20)
    ran = raypipe("submit", "--address", NOBODY, "--working-dir", tmp_path, "enhance", *S3)
    assert ran.code == 2
    assert "biggest: night.wav (101.0 MiB)" in ran.err


def test_nobody_there(raypipe: Raypipe) -> None:
    ran = raypipe("submit", "--address", NOBODY, "--", "enhance", "noisy", "cleaned")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"raypipe: no Ray dashboard can be reached at {NOBODY}: Connection refused\n"


def test_the_submitted_commands_own_help_is_shown(raypipe: Raypipe) -> None:
    ran = raypipe("submit", "--", "enhance", "--help")
    assert ran.code == 0
    assert "Run a model over IN" in ran.out


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        (JobState("SUCCEEDED", 0, ""), 0, "has succeeded"),
        (JobState("FAILED", 1, ""), 1, "has ended with exit code 1"),
        (JobState("FAILED", 4, ""), 4, "has ended with exit code 4"),
        (JobState("FAILED", 127, ""), 127, "the cluster has no raypipe"),
        (JobState("FAILED", -9, ""), 137, "has ended with exit code 137"),
        (JobState("STOPPED", None, ""), 143, "was stopped; submit the same command again"),
        (JobState("STOPPED", None, "", "score"), 143, "was stopped\n"),
    ],
)
def test_the_jobs_ending_becomes_our_exit_code(
    capsys: pytest.CaptureFixture[str], state: JobState, code: int, words: str
) -> None:
    assert _ending("job", state) == code
    assert words in capsys.readouterr().err


def test_a_job_that_never_began_is_the_clusters_failure() -> None:
    state = JobState("FAILED", None, "Failed to set up runtime environment.\nmore\nand more")
    with pytest.raises(
        ClusterError, match=r"^job j could not run: Failed to set up runtime env"
    ) as e:
        _ending("j", state)
    assert "more" not in str(e.value)
    assert e.value.exit_code == 5


def test_ids_are_new_each_time_and_sort_by_time() -> None:
    made = {_new_id() for _ in range(20)}
    assert len(made) == 20
    assert all(name.startswith("raypipe-2") for name in made)


def test_a_job_of_another_version_is_refused_by_the_command(
    raypipe: Raypipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("RAYPIPE_EXPECTED_VERSION", "0.0.9")
        ran = raypipe("enhance", tmp_path, tmp_path / "out")
    assert ran.code == 2
    assert "but raypipe 0.0.9 submitted the job" in ran.err
    assert not (tmp_path / "out").exists()


def test_ray_is_not_imported_for_help() -> None:
    code = (
        "import sys, raypipe.cli.entry; sys.exit('ray' in sys.modules or 'aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_every_option_has_help() -> None:
    for option in submit.params:
        assert option.name == "arguments" or getattr(option, "help", None), option.name
    assert submit.help
