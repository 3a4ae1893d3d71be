"""What a job brings along, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ray")

from ray._private import ray_constants
from ray._private.runtime_env.packaging import create_package

from raypipe.errors import UsageError
from raypipe.execution.job_env import (
    STOP_WAIT_VARIABLE,
    UPLOAD_LIMIT_BYTES,
    VERSION_VARIABLE,
    check_expected_version,
    check_upload,
    environment_variables,
    runtime_environment,
)
from raypipe.version import VERSION


def test_the_limit_is_that_of_rays_dashboard() -> None:
    assert UPLOAD_LIMIT_BYTES == ray_constants.DASHBOARD_CLIENT_MAX_SIZE


def make_big(path: Path, size: int) -> None:
    """A file of that size that takes no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def test_a_folder_that_is_too_big_is_refused_with_its_biggest_entries(tmp_path: Path) -> None:
    make_big(tmp_path / "audio" / "a.wav", 70 << 20)
    make_big(tmp_path / "audio" / "deep" / "b.wav", 10 << 20)
    make_big(tmp_path / "model.tflite", 30 << 20)
    (tmp_path / "job.py").write_text("pass")
    with pytest.raises(UsageError) as refused:
        runtime_environment(working_dir=str(tmp_path))
    said = str(refused.value)
    assert f"{tmp_path}: has 110.0 MiB, and Ray takes no more than 100.0 MiB" in said
    assert "biggest: audio (80.0 MiB), model.tflite (30.0 MiB), job.py (0.0 MiB);" in said


def test_what_ray_leaves_out_does_not_count(tmp_path: Path) -> None:
    for name in ("ignored/a.wav", "also.bin", ".git/pack", ".venv/lib", "deep/__pycache__/x"):
        make_big(tmp_path / name, 200 << 20)
    (tmp_path / ".gitignore").write_text("ignored/\n")
    (tmp_path / ".rayignore").write_text("*.bin\n")
    make_big(tmp_path / "job.py", 1000)
    assert 1000 < check_upload(str(tmp_path)) < 10_000


def test_the_size_is_that_of_the_package_that_ray_makes(tmp_path: Path) -> None:
    folder = tmp_path / "job"
    for number in range(50):
        make_big(folder / f"{number:03}" / "file.txt", 100 * number)
    package = tmp_path / "package.zip"
    create_package(str(folder), package, include_gitignore=True)
    checked = check_upload(str(folder))
    assert package.stat().st_size <= checked <= package.stat().st_size + 50 * 64


def test_a_zip_is_checked_as_it_is(tmp_path: Path) -> None:
    make_big(tmp_path / "job.zip", UPLOAD_LIMIT_BYTES + 1)
    with pytest.raises(UsageError, match=r"job\.zip: has 100\.0 MiB"):
        check_upload(str(tmp_path / "job.zip"))
    with pytest.raises(UsageError, match=r"gone: no such folder or zip for --working-dir"):
        check_upload(str(tmp_path / "gone"))


def test_each_way_to_bring_raypipe_along(tmp_path: Path) -> None:
    wheel = tmp_path / "dist" / "raypipe-1-py3-none-any.whl"
    make_big(wheel, 10)
    assert runtime_environment() == {
        "env_vars": {STOP_WAIT_VARIABLE: "30", VERSION_VARIABLE: VERSION}
    }
    assert runtime_environment(image="r/raypipe:1")["image_uri"] == "r/raypipe:1"
    assert runtime_environment(pip="raypipe==1")["pip"] == ["raypipe==1"]
    made = runtime_environment(pip=str(wheel), working_dir=str(tmp_path))
    assert made["working_dir"] == str(tmp_path)
    assert made["pip"] == ["${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/dist/raypipe-1-py3-none-any.whl"]
    assert runtime_environment(working_dir="s3://b/job.zip")["working_dir"] == "s3://b/job.zip"


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"")
    (tmp_path / "job").mkdir()
    with pytest.raises(UsageError, match=r"--image brings its own"):
        runtime_environment(image="i", pip="raypipe")
    for folder in (None, str(tmp_path / "job"), "s3://bucket/job.zip"):
        with pytest.raises(UsageError, match=r"x\.whl: must lie in --working-dir"):
            runtime_environment(pip=str(tmp_path / "x.whl"), working_dir=folder)
    with pytest.raises(UsageError, match=r"y\.whl: no such wheel"):
        runtime_environment(pip=str(tmp_path / "y.whl"), working_dir=str(tmp_path))


def test_variables_come_with_a_value_or_from_here() -> None:
    here = {"AWS_ENDPOINT_URL": "http://minio:9000", "KEY": "of here"}
    asked = ["AWS_ENDPOINT_URL", "KEY=other=than here", "EMPTY="]
    assert environment_variables(asked, here) == {
        "AWS_ENDPOINT_URL": "http://minio:9000",
        "KEY": "other=than here",
        "EMPTY": "",
    }
    assert runtime_environment(env={"A": "1", STOP_WAIT_VARIABLE: "5"})["env_vars"] == {
        "A": "1",
        STOP_WAIT_VARIABLE: "5",
        VERSION_VARIABLE: VERSION,
    }


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("=v3ry-s3cret", "wants NAME=VALUE"),
        ("MY KEY=v3ry-s3cret", "wants NAME=VALUE"),
        ("v3ry-s3cret", "wants NAME=VALUE"),
        ("GONE", "--env GONE: is not set here"),
        ("RAY_AUTH_TOKEN=v3ry-s3cret", "RAY_AUTH_TOKEN: the token stays here"),
        ("RAY_AUTH_MODE=disabled", "RAY_AUTH_MODE: the token stays here"),
    ],
)
def test_a_variable_that_cannot_be_meant_is_refused_without_its_value(
    asked: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        environment_variables([asked], {})
    assert "v3ry-s3cret" not in str(refused.value)


def test_a_job_knows_which_raypipe_it_was_submitted_by() -> None:
    check_expected_version({})
    check_expected_version({VERSION_VARIABLE: VERSION})
    with pytest.raises(
        UsageError, match=rf"the cluster has raypipe {VERSION}, but raypipe 0\.0\.9"
    ):
        check_expected_version({VERSION_VARIABLE: "0.0.9"})
