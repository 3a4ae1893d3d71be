"""``raypipe report`` and ``raypipe enhance --html``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Raypipe, tree
from tests.page.pages import Page


def test_it_writes_a_page_beside_the_report_and_says_where(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert raypipe("enhance", folder, out, "-q", "--model", "passthrough").code == 1
    ran = raypipe("report", out, "-n", "1")
    assert (ran.code, ran.out) == (0, "")
    path = out / ".raypipe" / "report.html"
    assert ran.err == f"page: {path}\n"
    assert Page(path).names == ["a.wav", "b.flac", "bad.wav", "deep/c d.wav"]
    assert len(Page(path).pictures("after")) == 1
    before = path.stat().st_ino, tree(out)
    assert raypipe("report", out, "--html", tmp_path / "x.HTML", "--files", "0").code == 0
    assert Page(tmp_path / "x.HTML").pictures("after") == []
    assert (path.stat().st_ino, tree(out)) == before


def test_a_run_may_write_its_page_at_once(raypipe: Raypipe, folder: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    ran = raypipe("enhance", folder, out, "--html", page, "--model", "passthrough")
    assert ran.code == 1
    assert ran.err.endswith(f"page: {page}\n")
    assert Page(page).sounds("after") == Page(page).sounds("before") != []
    ran = raypipe("enhance", folder, out, "-q", "--model", "passthrough", "--html")
    assert "page" not in ran.err
    assert Page(out / ".raypipe" / "report.html").column("outcome") == [1, 1, 2, 1]


def test_a_run_that_stops_at_too_many_failures_has_a_page(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    ran = raypipe("enhance", folder, tmp_path / "out", "--max-failures", "1", "--html", page,
                  "--model", "passthrough")  # fmt: skip
    assert ran.code == 1
    assert "The run ended early" in Page(page).words


@pytest.mark.parametrize("command", ["enhance", "report"])
def test_what_is_no_page_is_refused_before_anything_is_done(
    raypipe: Raypipe, folder: Path, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "out"
    words = (folder, out) if command == "enhance" else (out,)
    for html, reason in (
        ("page.txt", "a page's name ends in .html"),
        (tmp_path / "none" / "page.html", "there is no such folder for the page"),
        ("https://host/page.html", "no page can be written there"),
    ):
        ran = raypipe(command, *words, "--html", html)
        assert ran.code == 2
        assert reason in ran.err
        assert ran.err.count("\n") == 1
    assert not out.exists()
    ran = raypipe("enhance", "--html", folder, out)
    assert ran.code == 2
    assert "or --html as the last word" in ran.err


def test_where_nothing_was_done_there_is_no_page(raypipe: Raypipe, tmp_path: Path) -> None:
    ran = raypipe("report", tmp_path / "out", "--html", tmp_path / "page.html")
    assert ran.code == 2
    assert "no run of raypipe has left a report or a journal there" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_the_report_says_where_it_read_and_wrote(
    raypipe: Raypipe, folder: Path, tmp_path: Path
) -> None:
    raypipe("enhance", folder, tmp_path / "out", "-q", "--model", "passthrough")
    told = json.loads((tmp_path / "out" / ".raypipe" / "report.json").read_text())
    assert told["place"]["input"] == str(folder)
    assert told["place"]["output"] == str(tmp_path / "out")
    done = next(entry for entry in told["files"] if entry["path"] == "a.wav")
    assert done["floor_in_db"] == pytest.approx(done["floor_out_db"], abs=0.02)
