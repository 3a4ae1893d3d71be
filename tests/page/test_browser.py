"""Pages in a real browser: nothing is blocked, the table works, the players play."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from raypipe.page.build import write_page
from raypipe.page.gather import Gathered
from raypipe.storage import place_at
from tests.page.browser import Browser, Tab, find_chromium
from tests.page.pages import page_of, row, with_gain


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("there is no Chromium")
    with Browser(program, tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def path(output: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    page_of(output, path, most_shown=20)
    return path


NAMES = "[...document.querySelectorAll('#rows tbody th')].map(t => t.firstChild.textContent)"
COUNT = "document.getElementById('count').textContent"


def press(tab: Tab, label: str) -> None:
    tab.run(f"[...document.querySelectorAll('#rows thead button')]"
            f".find(b => b.textContent === {label!r}).click()")  # fmt: skip


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_a_phone_and_a_desk_and_says_nothing_on_the_console(
    browser: Browser, path: Path, width: int
) -> None:
    tab = browser.open(path, width)
    assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.run("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert tab.said == []
    assert tab.asked == []


def test_the_table_sorts_and_filters(browser: Browser, path: Path) -> None:
    tab = browser.open(path, 1280)
    names = tab.run(NAMES)
    assert names == sorted(names)
    assert len(names) == 12
    press(tab, "Length")
    assert tab.run(NAMES)[0] == "deep/long.wav"
    assert tab.run(NAMES)[-3:] == ["empty.wav", "no sound.wav", "short.wav"]  # none is known
    press(tab, "Length")
    assert tab.run(NAMES)[0] == "one sample.wav"
    assert tab.run("document.querySelectorAll('[aria-sort=ascending]').length") == 1
    tab.run("const o = document.getElementById('outcome'); o.value = '2'; "
            "o.dispatchEvent(new Event('change'))")  # fmt: skip
    assert sorted(tab.run(NAMES)) == ["empty.wav", "no sound.wav", "short.wav"]
    tab.run("const f = document.getElementById('find'); f.value = 'HEADER promises'; "
            "f.dispatchEvent(new Event('input'))")  # fmt: skip
    tab.until(f"{COUNT} === '1 of 12 files'")
    assert tab.run(NAMES) == ["short.wav"]


def test_both_sounds_load_and_one_control_switches_between_them(
    browser: Browser, path: Path
) -> None:
    tab = browser.open(path, 1280)
    loaded = tab.run(
        """await Promise.all([...document.querySelectorAll('audio')].map(a => new Promise(r => {
             const done = () => r([a.duration - a.closest('.card').dataset.seconds, a.error]);
             a.preload = 'metadata'; a.onloadedmetadata = a.onerror = done; a.load(); })))"""
    )
    assert len(loaded) == 16
    assert all(error is None and abs(off_s) < 0.001 for off_s, error in loaded)
    tab.run("window.card = [...document.querySelectorAll('.card')]"
            ".find(c => c.querySelector('h3').textContent === 'deep/long.wav');"
            "card.querySelector('.play').click()")  # fmt: skip
    begin_s = tab.run("Number(card.dataset.start)")
    shown_s = "card.querySelector('.time').textContent.split(':').reduce((m, s) => 60 * m + +s, 0)"
    tab.until(f"{shown_s} > {begin_s + 0.3}")
    assert tab.run("card.querySelector('.play').getAttribute('aria-label')") == "Pause"
    before = tab.run("card.querySelector('.seek').value")
    tab.run("card.querySelector('[role=radio][data-side=before]').click()")
    assert tab.run("card.querySelector('[aria-checked=true]').textContent") == "Before"
    assert tab.run("card.classList.contains('playing')")
    assert int(tab.run("card.querySelector('.seek').value")) >= int(before)
    tab.run("card.querySelector('.play').click()")
    assert tab.run("card.querySelector('.play').getAttribute('aria-label')") == "Play"
    assert tab.said == []


def test_tens_of_thousands_of_files_are_drawn_in_pieces(browser: Browser, tmp_path: Path) -> None:
    place = place_at(str(tmp_path))
    files = [
        replace(with_gain(f"folder {n // 1000:03}/take {n:06}.wav", n % 300 / 10), seconds=n / 7,
                format="WAV", subtype="PCM_16", rate_hz=48_000, channels=1)
        for n in range(30_000)
    ]  # fmt: skip
    files[20_000] = row(files[20_000].name, "failed", reason="is </script> broken", output="")
    gathered = Gathered(str(tmp_path), place, {}, files, ())
    write_page(gathered, str(tmp_path / "page.html"), most_shown=0)
    assert (tmp_path / "page.html").stat().st_size < 3_000_000
    tab = browser.open(tmp_path / "page.html", 1280)
    assert tab.run(COUNT) == "30,000 files"
    assert len(tab.run(NAMES)) == 100
    tab.run("document.getElementById('more').click()")
    assert tab.run(NAMES)[-1] == "folder 000/take 000199.wav"
    press(tab, "Length")
    assert tab.run(NAMES)[0] == "folder 029/take 029999.wav"
    tab.run("const f = document.getElementById('find'); f.value = '</script>'; "
            "f.dispatchEvent(new Event('input'))")  # fmt: skip
    tab.until(f"{COUNT} === '1 of 30,000 files'")
    assert tab.run(NAMES) == ["folder 020/take 020000.wav"]
    assert tab.said == []
