"""Pages in a real browser: nothing is blocked, the table works, the players play."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from raypipe.page.build import write_page
from raypipe.page.gather import Gathered
from raypipe.page.words import clock
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


LONG = (
    "window.card = [...document.querySelectorAll('.card')]"
    ".find(c => c.querySelector('h3').textContent === 'deep/long.wav')"
)
HEARD = "card.querySelector('[aria-checked=true]').textContent"
PLAYING = "card.classList.contains('playing')"


def press_key(tab: Tab, key: str) -> None:
    """Where the focus is."""
    tab.run(f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', "
            f"{{key: {key!r}, bubbles: true}}))")  # fmt: skip


def test_seeking_while_it_plays_draws_no_more_than_once_a_frame(
    browser: Browser, path: Path
) -> None:
    tab = browser.open(path, 1280)
    tab.run("""window.asked = new Map(); const plain = requestAnimationFrame.bind(window);
               window.requestAnimationFrame = (f) => plain((now) => {
                 asked.set(now, (asked.get(now) || 0) + 1); f(now); })""")
    tab.run(f"{LONG}; card.querySelector('.play').click()")
    tab.until(PLAYING)
    tab.run("""const seek = card.querySelector('.seek');
               for (let at = 0; at < 20; at += 1) {
                 seek.value = String(10 * at); seek.dispatchEvent(new Event('input'));
                 await new Promise((done) => setTimeout(done, 5)); }
               asked.clear()""")
    tab.until("asked.size > 3")
    assert tab.run("Math.max(...asked.values())") == 1
    assert tab.run(PLAYING)


def test_a_second_press_while_it_loads_takes_the_first_one_back(
    browser: Browser, path: Path
) -> None:
    tab = browser.open(path, 1280)
    tab.run("""window.decoded = 0; const plain = BaseAudioContext.prototype.decodeAudioData;
               BaseAudioContext.prototype.decodeAudioData = async function (bytes) {
                 const sound = await plain.call(this, bytes); decoded += 1; return sound; }""")
    tab.run(f"{LONG}; card.querySelector('.play').click(); card.querySelector('.play').click()")
    tab.until("decoded === 2")
    tab.run("await new Promise((done) => setTimeout(done, 100))")
    assert not tab.run(PLAYING)
    tab.run("card.querySelector('.play').click()")
    tab.until(PLAYING)


def test_of_two_files_that_were_begun_the_last_one_is_heard(browser: Browser, path: Path) -> None:
    tab = browser.open(path, 1280)
    tab.run(f"{LONG}; window.short = [...document.querySelectorAll('.play')].find(b => "
            "b.closest('.card').dataset.seconds < 3); "
            "card.querySelector('.play').click(); short.click()")  # fmt: skip
    tab.until("short.closest('.card').classList.contains('playing')")
    tab.until("short.closest('.card').querySelector('.time').textContent > '0:00.4'")
    assert not tab.run(PLAYING)


def test_a_key_switches_what_is_heard_wherever_the_focus_is(browser: Browser, path: Path) -> None:
    tab = browser.open(path, 1280)
    tab.run(f"{LONG}; card.querySelector('.play').click()")
    tab.until(PLAYING)
    tab.run("document.activeElement.blur(); card.querySelector('.area').click()")
    assert tab.run(HEARD) == "After"
    press_key(tab, "b")
    assert tab.run(HEARD) == "Before"
    press_key(tab, "B")  # with caps lock
    assert tab.run(HEARD) == "After"
    tab.run("document.getElementById('find').focus()")
    press_key(tab, "b")
    assert tab.run(HEARD) == "After"
    assert "the key b switches" in tab.run("document.getElementById('sound').innerText")


def test_times_beyond_an_hour_are_those_of_the_axis(
    browser: Browser, path: Path, tmp_path: Path
) -> None:
    text = path.read_text("utf-8")
    late = tmp_path / "late.html"
    late.write_text(re.sub(r'data-start="[\d.]+"', 'data-start="3725.5"', text), "utf-8")
    tab = browser.open(late, 1280)
    assert tab.run("document.querySelector('.time').textContent") == clock(3725.5, 1) == "1:02:05.5"


def test_heads_of_columns_are_called_what_stands_on_them(browser: Browser, path: Path) -> None:
    tab = browser.open(path, 1280)
    heads = tab.run("""[...document.querySelectorAll('#rows thead button')].map((button) =>
                       [button.textContent, button.ariaLabel || button.textContent])""")
    assert len(heads) == 13
    assert all(name.startswith(label) for label, name in heads)


def test_on_paper_the_table_says_how_much_of_it_there_is(browser: Browser, tmp_path: Path) -> None:
    files = [row(f"a recording of some length {n:03}.wav") for n in range(150)]
    gathered = Gathered(str(tmp_path), place_at(str(tmp_path)), {}, files, ())
    write_page(gathered, str(tmp_path / "page.html"), most_shown=0)
    tab = browser.open(tmp_path / "page.html", 720)
    told = "document.getElementById('printed')"
    assert not tab.run(f"{told}.checkVisibility()")
    tab.call("Emulation.setEmulatedMedia", {"media": "print"})
    assert tab.run(f"{told}.checkVisibility()")
    assert tab.run(f"{told}.textContent") == "100 of 150 files."
    assert tab.run("document.querySelector('#rows tbody th').getBoundingClientRect().width") > 90
    assert tab.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    tab.run("document.getElementById('more').click()")
    assert tab.run(f"{told}.textContent") == ""


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
