"""Help, mistakes and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import raypipe.cli
from raypipe.cli.entry import EXIT_CODES, GO_ON, cli, entry
from raypipe.cli.options import SETTINGS_OPTIONS
from raypipe.cli.submit import MORE_EXIT_CODES
from raypipe.errors import StorageError
from raypipe.settings import RunSettings
from tests.cli.conftest import Raypipe

README = Path(__file__).resolve().parents[2] / "README.md"


def commands(
    command: click.Command = cli, path: str = "raypipe"
) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, f"{path} {name}")


ALL = dict(commands())


@pytest.mark.parametrize("path", ALL)
def test_every_command_and_every_option_has_help(path: str) -> None:
    command = ALL[path]
    assert command.help
    assert len(command.get_short_help_str(60)) > 10
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts}"


@pytest.mark.parametrize("path", ALL)
def test_help_fits_eighty_columns_and_names_the_exit_codes(
    path: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for flag in ("-h", "--help"):
        assert entry([*path.split()[1:], flag]) == 0
        text = capsys.readouterr().out
        assert all(len(line) <= 80 for line in text.splitlines())
        assert all(line.strip() in text for line in EXIT_CODES.splitlines()[1:])
        assert "..." not in text.partition("Commands:")[2].partition("Exit codes")[0]


def test_only_what_keeps_its_work_says_that_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("enhance", "submit", "score", "report", "plan", "bench"):
        assert entry([command, "--help"]) == 0
        ending = capsys.readouterr().out.partition("  130  ")[2].splitlines()[0]
        more = GO_ON if command in ("enhance", "submit") else ""
        assert ending == f"interrupted{more}"


def test_every_setting_has_a_flag_and_every_flag_a_setting() -> None:
    @click.command()
    def nothing() -> None: ...

    for option in SETTINGS_OPTIONS:
        option(nothing)
    flags = {parameter.name for parameter in nothing.params} - {"config"}
    assert flags == set(RunSettings.__dataclass_fields__)


@pytest.mark.parametrize("path", ["raypipe enhance", "raypipe plan"])
def test_short_forms(path: str) -> None:
    short = {
        flag: parameter.name
        for parameter in ALL[path].params
        for flag in parameter.opts
        if re.fullmatch(r"-\w", flag)
    }
    for flag, name in {"-o": "output_option", "-m": "model", "-j": "workers", "-f": "overwrite",
                       "-c": "config"}.items():  # fmt: skip
        assert short[flag] == name
    if path == "raypipe enhance":
        assert (short["-n"], short["-q"]) == ("dry_run", "quiet")


def test_the_readme_has_the_exit_codes_and_commands_that_exist() -> None:
    text = README.read_text()
    told = set(re.findall(r"^  (\d+)  ", EXIT_CODES + MORE_EXIT_CODES, re.M))
    assert told == {"0", "1", "2", "3", "4", "5", "130", "143"}
    assert set(re.findall(r"^\| *`?(\d+)`? *\|", text, re.M)) == told
    words = {path.split()[1] for path in ALL if " " in path}
    for command in re.findall(r"(?:`|bin/)raypipe ([a-z]+)", text):
        assert command in words
    options = {
        flag
        for command in ALL.values()
        for parameter in command.params
        for flag in (*parameter.opts, "--help")
    }
    for line in re.findall(r"raypipe (?:enhance|plan|models)[^`\n]*", text):
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", line)) <= options


def test_without_a_command_there_is_help(raypipe: Raypipe) -> None:
    ran = raypipe()
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: raypipe ")
    assert "-h, --help" in ran.err


def test_the_version_is_told(raypipe: Raypipe) -> None:
    ran = raypipe("--version")
    assert ran.code == 0
    assert ran.out.startswith("raypipe, version ")


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("frob", 2, "raypipe: No such command 'frob'; see raypipe --help"),
        ("models", 2, "raypipe models: Missing command; see raypipe models --help"),
        ("enhance", 2, "raypipe enhance: Missing argument 'IN'; see raypipe enhance --help"),
        ("enhance IN", 2, "raypipe enhance: give OUT once, as the second argument or with -o"),
        ("enhance IN OUT -o OUT", 2, "raypipe enhance: give OUT once"),
        ("plan IN", 2, "raypipe plan: give OUT once"),
        ("enhance IN OUT more", 2, "Got unexpected extra argument (more)"),
        ("enhance IN OUT --frob", 2, "No such option"),
        ("enhance IN OUT --executor magic", 2, "'magic' is not one of 'auto', 'inline', 'ray'"),
        ("enhance IN OUT --clip up", 2, "'up' is not one of 'count', 'scale'"),
        ("enhance IN OUT --log-level loud", 2, "'loud' is not one of"),
        ("enhance IN OUT -c nope.toml", 2, "File 'nope.toml' does not exist"),
        ("enhance IN OUT -c BAD", 2, "key 'wurkers' is not a setting; known: address"),
        ("enhance nope OUT", 2, "raypipe: nope: no such file or folder"),
        ("enhance nope*.wav OUT", 2, "raypipe: nope*.wav: no file matches this pattern"),
        ("enhance @nope OUT", 2, "raypipe: nope: no such list file"),
        ("enhance IN IN", 2, "IN and OUT are the same folder"),
        ("enhance IN/a.wav IN/a.wav", 2, "IN and OUT are the same file"),
        ("enhance IN IN/a.wav", 2, "is a file, but"),
        ("enhance ftp://x/y OUT", 2, "not ftp://"),
        ("enhance IN OUT -j few", 2, "workers must be auto or a whole number, not 'few'"),
        ("enhance IN OUT -j 0", 2, "workers must be auto or at least 1, not 0"),
        ("enhance IN OUT --lanes many", 2, "lanes must be auto or a whole number"),
        ("enhance IN OUT --rate fast", 2, "'fast' is not a valid integer"),
        ("enhance IN OUT --raw 48000", 2, "raw layout '48000' cannot be read"),
        ("enhance IN OUT --output-format xyz", 2, "output format 'xyz' is unknown; known are keep"),
        ("enhance IN OUT --suffix a/b", 2, "suffix must not hold a path separator"),
        ("enhance IN OUT --max-failures 0", 2, "max_failures must be at least 1, not 0"),
        ("enhance IN OUT --timeout soon", 2, "timeout_s must be auto or a number of seconds"),
        ("enhance IN OUT --segment -1", 2, "segment_s must be more than 0 seconds"),
        ("enhance IN BAD/out", 3, "a part of the path is a file, not a folder"),
        ("enhance IN OUT -m nope", 4, "no model 'nope': it is no file, and the known names are"),
        ("enhance IN OUT -m IN/a.wav", 4, "is not a TFLite model"),
        ("enhance IN OUT -m IN", 4, "cannot be read: Is a directory"),
        ("enhance IN OUT -m recurrent --rate 8000", 4, "wanted the 8000 that was asked for"),
        ("plan IN OUT -m nope", 4, "no model 'nope'"),
        ("models show nope", 4, "no model 'nope'"),
        ("models verify IN/a.wav", 4, "is not a TFLite model"),
    ],
)  # fmt: skip
def test_what_a_user_does_wrong_is_one_clear_sentence(
    raypipe: Raypipe, folder: Path, tmp_path: Path, line: str, code: int, words: str
) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("wurkers = 3\n")
    places = {"IN": str(folder), "OUT": str(tmp_path / "out"), "BAD": str(bad)}
    arguments = [re.sub("^(IN|OUT|BAD)", lambda m: places[m[0]], word) for word in line.split()]
    ran = raypipe(*arguments)
    assert ran.code == code
    assert ran.out == ""
    assert words in ran.err
    assert ran.err.startswith("raypipe")
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_two_inputs_for_one_output_are_both_named(raypipe: Raypipe, folder: Path) -> None:
    (folder / "a.flac").write_bytes((folder / "b.flac").read_bytes())
    for command in ("enhance", "plan"):
        ran = raypipe(command, folder, folder.with_name("out"), "--output-format", "mp3")
        assert ran.code == 2
        assert "a.flac" in ran.err
        assert "a.wav" in ran.err
        assert "would both become a.mp3" in ran.err
    assert not folder.with_name("out").exists()


def test_a_file_name_cannot_write_to_the_terminal(raypipe: Raypipe, folder: Path) -> None:
    (folder / "evil\x1b[2J\n.wav").write_bytes(b"no audio")
    ran = raypipe("enhance", folder, folder.with_name("out"))
    assert "\x1b" not in ran.err
    assert r"failed  evil\x1b[2J\n.wav: " in ran.err


def test_a_bug_of_ours_keeps_its_traceback(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def buggy(*arguments: object, **named: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("raypipe.driver.run", buggy)
    with pytest.raises(ZeroDivisionError, match="ours"):
        entry(["enhance", str(folder), str(tmp_path / "out")])


def test_main_leaves_with_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["raypipe", "enhance", str(tmp_path / "nope"), "out"])
    with pytest.raises(SystemExit) as ending:
        raypipe.cli.main()
    assert ending.value.code == 2


def command_line(*arguments: str | Path) -> list[str]:
    code = "from raypipe.cli import main; main()"
    return [sys.executable, "-c", code, *map(str, arguments)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(README.parent)}


def test_a_reader_that_goes_away_ends_it_quietly(folder: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command_line("enhance", folder, tmp_path / "out", "-n"), env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("flags", [["-n"], ["--json"]])
def test_a_standard_output_that_is_full_is_said(
    folder: Path, tmp_path: Path, flags: list[str]
) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_line("enhance", folder, tmp_path / "out", *flags), env=environment(),
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == StorageError.exit_code
    assert done.stderr.startswith("raypipe: the standard output cannot be written: No space left")
    assert done.stderr.count("\n") == 1


def test_a_small_job_is_done_in_about_a_second(folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        command_line("enhance", folder / "a.wav", tmp_path / "x.wav", "--json"),
        env=environment(), capture_output=True, text=True, timeout=10,
    )  # fmt: skip
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["startup_s"] < 1
