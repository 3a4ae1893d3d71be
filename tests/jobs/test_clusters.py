"""``jobs/clusters/``: as far as specs can be checked without a cloud, Kubernetes or Docker."""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

jsonschema = pytest.importorskip("jsonschema")
yaml = pytest.importorskip("yaml")
ray = pytest.importorskip("ray")

from raypipe.cli.job_command import job_command  # noqa: E402
from raypipe.version import VERSION  # noqa: E402
from tests.jobs.kuberay import RAY_JOB  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLUSTERS = ROOT / "jobs" / "clusters"
IMAGE = "registry.example.com/raypipe:0.1.0"
BESIDE_PYTHON = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
HADOLINT = shutil.which("hadolint", path=BESIDE_PYTHON)


def load(name: str) -> Any:
    return yaml.safe_load((CLUSTERS / name).read_text())


def pinned(package: str) -> str:
    """The version in constraints.txt."""
    found = re.search(rf"^{package}==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.fixture
def ray_job() -> Any:
    return load("rayjob.yaml")


def test_every_spec_says_how_to_start_it() -> None:
    assert {path.name for path in CLUSTERS.iterdir()} == {
        "Dockerfile", "autoscaling.yaml", "laptop.sh", "rayjob.yaml",
    }  # fmt: skip
    for path in CLUSTERS.iterdir():
        header = path.read_text().split("\n\n", 2)[0]
        assert "#   start " in path.read_text() or "#   build " in path.read_text(), path.name
        assert header.startswith("#"), path.name


def test_the_ray_job_is_what_kuberay_takes(ray_job: Any) -> None:
    jsonschema.validate(ray_job, RAY_JOB)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.backofLimit", 1),
        ("spec.rayClusterSpec.authOptions.mode", "tokens"),
        ("spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus", 0),
        ("spec.rayClusterSpec.workerGroupSpecs.0.maxReplicas", "4"),
        ("spec.rayClusterSpec.workerGroupSpecs.0.template.spec.containers.0.resources", {}),
        ("spec.ttlSecondsAfterFinished", "1h"),
        ("metadata.name", "RayPipe"),
    ],
)
def test_the_schema_finds_mistakes(ray_job: Any, path: str, value: Any) -> None:
    *folders, last = path.split(".")
    place = broken = copy.deepcopy(ray_job)
    for name in folders:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, RAY_JOB)


def test_the_ray_job_cleans_up_keeps_the_head_free_and_wants_a_token(ray_job: Any) -> None:
    spec, cluster = ray_job["spec"], ray_job["spec"]["rayClusterSpec"]
    assert spec["shutdownAfterJobFinishes"]
    assert spec["ttlSecondsAfterFinished"] > 0
    assert spec["submitterConfig"]["backoffLimit"] == 0
    assert cluster["authOptions"]["mode"] == "token"
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["rayVersion"] == pinned("ray")
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    (group,) = cluster["workerGroupSpecs"]
    workers = group["template"]["spec"]["containers"]
    for (container,) in (head, workers):
        assert container["image"] == IMAGE
        assert container["resources"]["requests"] == container["resources"]["limits"]
    cpus = group["maxReplicas"] * int(workers[0]["resources"]["limits"]["cpu"])
    assert f"--workers {cpus}" in spec["entrypoint"]


def test_the_ray_jobs_command_is_one_that_submit_would_send(ray_job: Any) -> None:
    program, *words = shlex.split(ray_job["spec"]["entrypoint"])
    assert program == "raypipe"
    assert set(job_command(words).words) == {program, *words}
    variables = yaml.safe_load(ray_job["spec"]["runtimeEnvYAML"])["env_vars"]
    assert int(variables["RAY_JOB_STOP_WAIT_TIME_S"]) >= 30


def test_ray_takes_the_autoscaling_spec() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    spec = load("autoscaling.yaml")
    jsonschema.validate(
        spec, json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    )
    whole = prepare_config(copy.deepcopy(spec))
    validate_config(whole)
    assert whole["available_node_types"]["head"]["resources"] == {"CPU": 0}
    cpu = whole["available_node_types"]["cpu"]
    assert cpu["min_workers"] < cpu["max_workers"] <= whole["max_workers"]
    assert whole["docker"]["image"] == IMAGE
    broken = copy.deepcopy(spec) | {"max_worker": 3}
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config(prepare_config(broken))


def test_the_autoscaling_clusters_commands_are_rays_own(tmp_path: Path) -> None:
    """Each ``ray start`` is parsed by the installed Ray, which is stopped before it starts."""
    from ray.scripts.scripts import start

    spec = load("autoscaling.yaml")
    for commands in (spec["head_start_ray_commands"], spec["worker_start_ray_commands"]):
        stop, command = commands
        assert stop == "ray stop"
        mode, *words = shlex.split(command)
        assert mode == "RAY_AUTH_MODE=token", "on worker nodes `ray start` does not set it itself"
        assert words[:2] == ["ray", "start"]
        start.make_context("start", words[2:])
    assert "--num-cpus=0" in spec["head_start_ray_commands"][1]
    assert spec["file_mounts"] == {"/home/ray/.ray/auth_token": "~/.ray/auth_token"}


def test_the_laptops_script_starts_a_locked_head(tmp_path: Path) -> None:
    """Run with a `ray` that only says what it was told."""
    from ray.scripts.scripts import start

    ray_command = tmp_path / "ray"
    ray_command.write_text('#!/bin/sh\necho "$RAY_AUTH_MODE|$*" >> "$0.log"\necho token\n')
    ray_command.chmod(0o755)
    done = subprocess.run(
        [CLUSTERS / "laptop.sh", "--num-cpus", "3"], capture_output=True, text=True, timeout=20,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = (tmp_path / "ray.log").read_text().splitlines()
    assert first == "|get-auth-token --generate"
    mode, _, words = second.partition("|")
    assert mode == "token"
    told = start.make_context("start", words.split()[1:]).params
    assert told["head"]
    assert told["num_cpus"] == 3
    assert told["dashboard_host"] == "127.0.0.1"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, with continued lines joined."""
    text = (CLUSTERS / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.split("\n"))]


def test_the_image_is_pinned_small_and_not_roots() -> None:
    made = instructions()
    bases = [rest.split()[0] for name, rest in made if name == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)
    assert [rest for name, rest in made if name == "USER"] == ["1000"]
    after = made[[name for name, _ in made].index("USER") :]
    assert not any("apt-get" in rest or "pip install" in rest for _, rest in after)
    for name, rest in made:
        if name == "RUN" and "apt-get" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists" in rest
        assert "pip install" not in rest or "--no-cache-dir" in rest
    assert any("-c /wheels/constraints.txt" in rest for _, rest in made)


def test_what_the_image_copies_is_there_and_enough_for_a_wheel() -> None:
    copied: set[str] = set()
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            copied |= set(rest.split()[:-1])
    assert all((ROOT / name).exists() for name in copied)
    assert {"pyproject.toml", "README.md", "raypipe", "constraints.txt"} <= copied


def test_the_specs_name_this_version() -> None:
    from importlib.metadata import version

    assert version("raypipe") in (CLUSTERS / "Dockerfile").read_text()
    assert VERSION in IMAGE


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_has_nothing_to_say() -> None:
    done = subprocess.run(
        [str(HADOLINT), str(CLUSTERS / "Dockerfile")], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
