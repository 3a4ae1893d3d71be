from __future__ import annotations

import os
from pathlib import Path

import pytest

from raypipe.errors import UsageError
from raypipe.plan.route import find_route
from raypipe.plan.scan import scan
from raypipe.settings import RunSettings
from raypipe.types import AudioFile, Failed


def listed(source: object, output: object, **flags: object) -> dict[str, str]:
    """Output by name, of everything that is taken; a failed one's reason in brackets."""
    settings = RunSettings(**flags)  # type: ignore[arg-type]
    route = find_route(str(source), str(output), settings)
    found = {}
    for item in scan(route, settings):
        if isinstance(item, Failed):
            found[item.file.name] = f"[{item.reason}]"
        else:
            assert isinstance(item, AudioFile)
            assert Path(item.path).is_file()
            found[item.name] = item.output
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    for name in ("a.wav", "sub/b.flac", "sub/deep er/c.WAV", "notes.txt", "sub/._b.flac", "x.m4a"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def test_a_folder_is_mirrored(tree: Path, tmp_path: Path) -> None:
    assert listed(tree, tmp_path / "out") == {
        "a.wav": "a.wav",
        "sub/b.flac": "sub/b.flac",
        "sub/deep er/c.WAV": "sub/deep er/c.WAV",
        "x.m4a": "x.flac",
    }


def test_format_and_suffix_change_the_name(tree: Path, tmp_path: Path) -> None:
    found = listed(tree, tmp_path / "out", output_format="flac", suffix="_clean")
    assert found["a.wav"] == "a_clean.flac"


def test_include_and_exclude_choose(tree: Path, tmp_path: Path) -> None:
    assert set(listed(tree, tmp_path / "o", include=("*.txt", "*.wav"))) == {"a.wav", "notes.txt"}
    assert set(listed(tree, tmp_path / "o", exclude=("sub",))) == {"a.wav", "x.m4a"}
    assert set(listed(tree, tmp_path / "o", exclude=("sub/*.flac", "x.*"))) == {
        "a.wav",
        "sub/deep er/c.WAV",
    }


def test_a_glob_is_relative_to_its_fixed_part(tree: Path, tmp_path: Path) -> None:
    assert listed(f"{tree}/**/*.flac", tmp_path / "out") == {"sub/b.flac": "sub/b.flac"}


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_a_list_is_relative_to_its_common_folder(
    tree: Path, tmp_path: Path, separator: str
) -> None:
    names = [str(tree / "sub/b.flac"), str(tree / "sub/deep er/c.WAV"), str(tree / "sub/gone.wav")]
    text = tmp_path / "files.txt"
    text.write_text(separator.join(names) + separator)
    assert listed(f"@{text}", tmp_path / "out") == {
        "b.flac": "b.flac",
        "deep er/c.WAV": "deep er/c.WAV",
        "gone.wav": "[cannot be read: No such file or directory]",
    }


def test_one_file_goes_to_a_file_or_into_a_folder(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert listed(tree / "a.wav", tmp_path / "out") == {"a.wav": "a.wav"}
    assert listed(tree / "a.wav", f"{tmp_path}/new/") == {"a.wav": "a.wav"}
    assert listed(tree / "a.wav", tmp_path / "b.flac") == {"a.wav": "b.flac"}
    settings = RunSettings()
    route = find_route(str(tree / "a.wav"), str(tmp_path / "b.flac"), settings)
    assert route.output_format == "flac"


def test_the_output_inside_the_input_is_not_read(tree: Path) -> None:
    out = tree / "out"
    out.mkdir()
    (out / "a.wav").write_bytes(b"x")
    assert "out/a.wav" not in listed(tree, out)


def test_the_input_inside_the_output_is_fine_unless_they_would_mix(tmp_path: Path) -> None:
    root = tmp_path / "all/in"
    root.mkdir(parents=True)
    (root / "a.wav").write_bytes(b"x")
    assert listed(root, tmp_path / "all") == {"a.wav": "a.wav"}
    (root / "in").mkdir()
    with pytest.raises(UsageError, match="outputs would land among the inputs"):
        listed(root, tmp_path / "all")


def test_the_same_folder_needs_a_suffix(tree: Path) -> None:
    with pytest.raises(UsageError, match="IN and OUT are the same folder"):
        listed(tree, tree)
    (tree / "a_clean.wav").write_bytes(b"x")
    assert "a_clean.wav" not in listed(tree, tree, suffix="_clean")


def test_a_link_to_a_folder_is_followed_but_not_in_a_circle(tree: Path, tmp_path: Path) -> None:
    (tree / "sub/loop").symlink_to(tree)
    (tree / "else").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/d.wav").write_bytes(b"x")
    found = listed(tree, tmp_path / "out")
    assert "else/d.wav" in found
    assert not [name for name in found if name.startswith("sub/loop")]


def test_dead_links_and_pipes_fail_with_what_they_are(tree: Path, tmp_path: Path) -> None:
    (tree / "dead.wav").symlink_to("nowhere.wav")
    (tree / "ring.wav").symlink_to("ring.wav")
    os.mkfifo(tree / "pipe.wav")
    found = listed(tree, tmp_path / "out")
    assert found["dead.wav"] == "[cannot be read: No such file or directory]"
    assert found["ring.wav"] == "[cannot be read: Too many levels of symbolic links]"
    assert found["pipe.wav"] == "[is a named pipe, not a regular file]"


def test_names_that_are_no_text_pass_through(tree: Path, tmp_path: Path) -> None:
    odd = [b"new\nline.wav", b"\xff\xfe.wav", b"q" * 251 + b".wav"]
    for name in odd:
        with open(os.path.join(os.fsencode(tree), name), "wb") as file:
            file.write(b"x")
    found = listed(tree, tmp_path / "out")
    for name in odd:
        assert found[os.fsdecode(name)] == os.fsdecode(name)


def test_an_output_name_that_grows_too_long_fails(tree: Path, tmp_path: Path) -> None:
    (tree / ("q" * 251 + ".wav")).write_bytes(b"x")
    found = listed(tree, tmp_path / "out", suffix="_clean")
    assert found["q" * 251 + ".wav"].startswith("[its output's name would be longer than 255 bytes")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nothing", "no such file or folder"),
        ("no*thing", "no file matches this pattern"),
        ("@nothing.txt", "no such list file"),
        ("ftp://host/in", "only paths and addresses that begin with s3://.*, not ftp://"),
        ("", "IN and OUT must not be empty"),
    ],
)
def test_an_input_that_cannot_be_meant_is_refused(
    source: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        listed(source, "out")


def test_a_folder_cannot_go_into_a_file(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"x")
    with pytest.raises(UsageError, match="is a file, but"):
        listed(tree, tmp_path / "out")


def test_an_unknown_format_is_refused_before_the_start(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="wma"):
        listed(tree, tmp_path / "out", output_format="wma")


def test_a_glob_does_not_read_what_was_written(tree: Path, tmp_path: Path) -> None:
    out = tree / "out"
    out.mkdir()
    (out / "a.wav").write_bytes(b"x")
    assert set(listed(f"{tree}/**/*.wav", out)) == {"a.wav"}
    (tree / "a_c.wav").write_bytes(b"x")
    assert set(listed(f"{tree}/*.wav", tree, suffix="_c")) == {"a.wav"}


def test_a_glob_stays_in_its_folder(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'\.\.' must not stand behind a wildcard"):
        listed(f"{tree}/*/../../*.wav", tmp_path / "out")


def test_a_relative_glob_in_a_folder_with_odd_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "[a] *"
    (folder / "b").mkdir(parents=True)
    (folder / "b/c.wav").write_bytes(b"x")
    monkeypatch.chdir(folder)
    assert listed("b/*.wav", tmp_path / "out") == {"c.wav": "c.wav"}
    assert listed("**/*.wav", tmp_path / "out") == {"b/c.wav": "b/c.wav"}


def test_a_path_that_is_listed_twice_is_taken_once(tree: Path, tmp_path: Path) -> None:
    text = tmp_path / "files.txt"
    text.write_text(f"\ufeff{tree}/a.wav\n# a comment\n\n{tree}/sub/../a.wav\n", "utf-8")
    assert listed(f"@{text}", tmp_path / "out") == {"a.wav": "a.wav"}
