"""A command in words that mean the same on a cluster."""

from __future__ import annotations

import os
import shlex
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import pytest

from raypipe.cli.enhance import enhance
from raypipe.cli.job_command import job_command
from raypipe.cli.options import settings_of
from raypipe.errors import UsageError
from raypipe.settings import RunSettings
from tests.test_settings import OTHER

# What the environment says goes along with a job, so it must say nothing of the model.
pytestmark = pytest.mark.usefixtures("default_model")

S3 = ("s3://bucket/in", "s3://bucket/out")
HERE = ["--executor", "ray", "--address", "auto"]


def settings_there(words: tuple[str, ...]) -> RunSettings:
    """What the command stands for on a machine that has set nothing."""
    assert words[:2] == ("raypipe", "enhance")
    context = enhance.make_context("enhance", list(words[2:]), help_option_names=["-h", "--help"])
    names = {field.name for field in fields(RunSettings)} | {"config"}
    return settings_of({name: value for name, value in context.params.items() if name in names})


def test_the_run_uses_the_cluster_that_it_finds_itself_in() -> None:
    made = job_command(["enhance", *S3, "-m", "dtln-int8"])
    assert made.words == ("raypipe", "enhance", *S3, "--model", "dtln-int8", *HERE)
    assert made.paths == ()
    assert made.metadata == {
        "job_name": "raypipe enhance dtln-int8",
        "command": "enhance",
        "model": "dtln-int8",
        "in": S3[0],
        "out": S3[1],
    }


@pytest.mark.parametrize(
    "where", [["--executor", "inline"], ["--address", "10.0.0.1:6379"], ["--executor", "auto"]]
)
def test_who_says_where_to_work_is_heard(where: list[str]) -> None:
    words = list(job_command(["enhance", *S3, *where]).words)
    assert words[4:] == where


def test_what_this_machine_says_of_where_to_work_is_not_meant_for_the_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "run.toml"
    config.write_text('address = "10.0.0.1:6379"\n')
    with monkeypatch.context() as patch:
        patch.setenv("RAYPIPE_EXECUTOR", "inline")
        words = job_command(["enhance", *S3, "--config", str(config)]).words
    assert list(words[4:]) == HERE


def test_every_setting_arrives_from_flags_environment_and_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "run.toml"
    config.write_text("workers = 7\nlanes = 8\nclip = 'scale'\nraw = {rate = 8000, channels = 2}\n")
    typed = ["-c", str(config), "--include", "*.wav", "--include", "a b'*", "--clip", "count",
             "--timeout", "1.5", "-f", "--suffix", "_x"]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setenv("RAYPIPE_LANES", "9")
        patch.setenv("RAYPIPE_EXCLUDE", "*.mp3")
        made = job_command(["enhance", *S3, *typed])
    assert "run.toml" not in made.entrypoint
    assert ("--clip", "count") in zip(made.words, made.words[1:], strict=False), "it was said"
    expected = replace(
        RunSettings(), workers=7, lanes=9, include=("*.wav", "a b'*"), exclude=("*.mp3",),
        timeout_s=1.5, overwrite=True, suffix="_x", executor="ray", address="auto",
    )  # fmt: skip
    assert replace(settings_there(made.words), raw=None) == expected
    assert tuple(shlex.split(made.entrypoint)) == made.words
    raw = settings_there(made.words).raw
    assert raw is not None
    assert (raw.rate_hz, raw.channels, raw.sample) == (8000, 2, "s16le")


@pytest.mark.parametrize("name", sorted(OTHER))
def test_no_setting_is_left_behind(name: str, tmp_path: Path) -> None:
    value: Any = OTHER[name]
    text = str(value).lower() if isinstance(value, bool) else value
    if name == "raw":
        text = {"rate": 8000}
    config = tmp_path / "run.toml"
    config.write_text(f"{name} = {_toml(text)}\n")
    there = settings_there(job_command(["enhance", *S3, "-c", str(config)]).words)
    if name not in ("executor", "address"):
        assert getattr(there, name) == value


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) and value not in ("true", "false") else str(value)


def test_paths_become_absolute_and_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    made = job_command(["enhance", "a b/../noisy", "out/", "--report", "r.json", "-m", "x.tflite"])
    at = str(tmp_path)
    assert made.words[2:4] == (f"{at}/noisy", f"{at}/out/")
    assert f"--report {at}/r.json" in made.entrypoint
    assert f"--model {at}/x.tflite" in made.entrypoint
    assert made.paths == (f"{at}/noisy", f"{at}/out/", f"{at}/r.json", f"{at}/x.tflite")
    listed = job_command(["enhance", "@list.txt", S3[1]])
    assert listed.words[2] == f"@{at}/list.txt"
    assert listed.paths == (f"{at}/list.txt",)
    assert job_command(["enhance", "*.wav", S3[1]]).words[2] == f"{at}/*.wav"


def test_relative_paths_lead_into_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("lanes = 3\n")
    made = job_command(
        ["enhance", "noisy", S3[1], "-c", "run.toml", "-m", "my.tflite"], str(tmp_path)
    )
    assert made.words[2:] == ("noisy", S3[1], "--model", "my.tflite", "--lanes", "3", *HERE)
    assert made.paths == ()
    with pytest.raises(UsageError, match=r"^out: OUT would lie in the copy of --working-dir"):
        job_command(["enhance", "noisy", "out"], str(tmp_path))
    assert job_command(["enhance", "noisy", "/mnt/out"], str(tmp_path)).paths == ("/mnt/out",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give a command behind --"),
        (["plan", *S3], "'plan' cannot be submitted; known: enhance, score"),
        (["enhance", "a"], "give OUT once"),
        (["enhance", "a", "b", "-o", "c"], "give OUT once"),
        (["enhance"], "Missing parameter: source"),
        (["enhance", *S3, "--modle", "x"], "No such option"),
        (["enhance", *S3, "--clip", "hard"], "not one of"),
        (["enhance", *S3, "-c", "/no/such.toml"], "does not exist"),
    ],
)
def test_what_the_command_would_not_take_is_refused_here(arguments: list[str], words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        job_command(arguments)


def test_settings_that_cannot_be_meant_are_refused_here() -> None:
    with pytest.raises(UsageError, match="workers must be auto or a whole number, not 'many'"):
        job_command(["enhance", *S3, "-j", "many"])


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="an address must not hold a password") as refused:
        job_command(["enhance", "s3://key:s3cret@bucket/in", S3[1]])
    assert "s3cret" not in str(refused.value)


def test_the_current_folder_stays_what_it_was(tmp_path: Path) -> None:
    before = Path.cwd()
    with pytest.raises(click.UsageError):
        job_command(["enhance", "in"], str(tmp_path))
    assert Path.cwd() == before


def test_a_page_is_written_where_the_job_can_leave_it() -> None:
    at = os.getcwd()
    made = job_command(["enhance", "in", "out", "--html", "page.html"])
    assert f"--html {at}/page.html" in made.entrypoint
    assert f"{at}/page.html" in made.paths
    made = job_command(["enhance", "in", "out", "--html"])
    assert made.words[made.words.index("--html") + 1] == "auto"
    assert len(made.paths) == 2
    made = job_command(["enhance", "s3://b/in", "s3://b/out", "--html"])
    assert "--html s3://b/out/.raypipe/report.html" in made.entrypoint
    assert "--html" not in job_command(["enhance", "in", "out"]).words


def test_score_goes_there_with_its_own_paths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    at = str(tmp_path)
    made = job_command(
        ["score", "noisy", "-r", "clean", "--dnsmos", "nets", "--csv", "s.csv", "--json", "-", "-q",
         "--include", "*.wav", "-j", "3"],
    )  # fmt: skip
    assert made.words == (
        "raypipe", "score", f"{at}/noisy", "--reference", f"{at}/clean", "--dnsmos", f"{at}/nets",
        "--csv", f"{at}/s.csv", "--json", "-", "--quiet", "--workers", "3", *HERE,
        "--include", "*.wav",
    )  # fmt: skip
    assert made.paths == tuple(f"{at}/{name}" for name in ("noisy", "clean", "nets", "s.csv"))
    assert made.metadata == {
        "job_name": "raypipe score", "command": "score", "in": f"{at}/noisy",
        "reference": f"{at}/clean",
    }  # fmt: skip


def test_score_takes_from_the_environment_what_concerns_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "run.toml"
    config.write_text("max_failures = 7\nlanes = 8\nmodel = 'dtln'\n")
    made = job_command(["score", "s3://b/in", "-r", "s3://b/clean", "-c", str(config)])
    assert made.words == (
        "raypipe", "score", "s3://b/in", "--reference", "s3://b/clean", *HERE,
        "--max-failures", "7",
    )  # fmt: skip
    assert made.paths == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["s3://b/in", "-r", "s3://key:s3cret@b/clean"], "an address must not hold a password"),
        (["noisy", "--csv", "s.csv"], "^s.csv: --csv would lie in the copy of --working-dir"),
        (["noisy", "--csv", "-", "--json", "-"], "only one of --csv and --json can be printed"),
        (["noisy", "--lanes", "4"], "No such option"),
    ],
)
def test_what_score_would_not_take_or_the_job_would_lose_is_refused_here(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    with pytest.raises((UsageError, click.UsageError), match=words):
        job_command(["score", *arguments], str(tmp_path))
