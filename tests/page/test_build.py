"""Whole pages: what is in them, what cannot get out of its place, what they may ask for."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import raypipe.page.build
from raypipe.page.gather import Gathered, gather_run
from raypipe.storage import place_at
from tests.page.pages import Page, page_of, row, run
from tests.signals import bursts, noise

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)

HOSTILE = (
    "<img src=x onerror=alert(1)>.wav",
    "</script><script>alert(1)<|script>.wav".replace("/", "\u2215"),
    '"onmouseover="alert(1)" x="&quot;&amp;.wav',
    "<!--<script>.wav",
    "{{ 7 * 7 }}{% raw %}.wav",
    "line\u2028break\u202egnp.wav",
    "new\nline\ttab\x1b[31m.wav",
    "🎧 ünï 'quotes' `ticks` ${x}.wav",
)


@pytest.fixture(scope="module")
def page(output: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    return page_of(output, tmp_path_factory.mktemp("page") / "page.html", most_shown=20, now=NOON)


def test_it_holds_every_file_and_the_right_totals(page: Page) -> None:
    assert page.names == [
        "deep/long.wav", "deep/phone.wav", "empty.wav", "high.wav", "lossy.mp3", "many.wav",
        "mono.wav", "no sound.wav", "one sample.wav", "short.wav", "silence.wav", "stereo.flac",
    ]  # fmt: skip
    assert page.column("outcome") == [0, 0, 2, 0, 0, 0, 0, 2, 0, 2, 0, 0]
    assert "files 12" in page.words
    assert "9 done 0 skipped 3 failed" in page.words
    assert "of sound 2.7 minutes" in page.words  # 150 + 2 + 1 + 2.2 + 1 + 3 + 0 + 1 + 2 s
    assert "is empty (0 bytes)" in page.words
    assert "header promises 48000 samples" in page.words
    assert "Made 2026-05-01 12:00 UTC" in page.words


def test_before_and_after_are_the_same_samples(page: Page, recordings: Path) -> None:
    before, after = page.sounds("before"), page.sounds("after")
    assert len(before) == 8  # all that are done but for the one of one sample
    names = re.findall(r"<h3>(.*?)</h3>\n    <p class=\"factline\">", page.path.read_text("utf-8"))
    assert len(names) == len(page.pictures("before")) == len(page.pictures("after")) == 9
    pictures = zip(names, page.pictures("before"), page.pictures("after"), strict=True)
    heard_names = [name for name in names if name != "one sample.wav"]
    sounds = zip(heard_names, before, after, strict=True)
    lossy = ["lossy.mp3"]  # coded once more
    assert [name for name, one, other in pictures if one != other] == lossy
    assert [name for name, one, other in sounds if one != other] == lossy
    heard = [sf.read(io.BytesIO(sound), dtype="int16", always_2d=True) for sound in before]
    original = sf.read(recordings / "stereo.flac", dtype="float32")[0]
    nearest = np.rint(original * 32768).astype(np.int16)
    assert sum(rate == 48_000 and np.array_equal(sound, nearest) for sound, rate in heard) == 1


def test_an_output_that_is_a_sample_late_gives_another_sound(
    recordings: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(recordings / "mono.wav", tmp_path / "in")
    run(tmp_path / "in", tmp_path / "out")
    sound, rate_hz = sf.read(tmp_path / "in" / "mono.wav", dtype="int16")
    sf.write(tmp_path / "out" / "mono.wav", np.roll(sound, 1), rate_hz, "PCM_16")
    page = page_of(tmp_path / "out", tmp_path / "page.html")
    assert page.sounds("before") != page.sounds("after")


def test_the_same_run_gives_the_same_page(output: Path, tmp_path: Path, page: Page) -> None:
    again = page_of(output, tmp_path / "again.html", most_shown=20, now=NOON)
    assert again.path.read_bytes() == page.path.read_bytes()


def test_nothing_may_be_asked_for_and_all_that_stands_there_may_run(page: Page) -> None:
    text = page.path.read_text("utf-8")
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", text)
    assert not re.search(r"\son\w+=", re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL))
    assert ' style="' not in text
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'; img-src data:; media-src data:; ")
    for kind, rule in (("style:", "style-src"), ("script:", "script-src")):
        digest = base64.b64encode(hashlib.sha256(page.scripts[kind].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}';" in policy
    assert len(page.all("script")) == 2


def test_names_that_would_break_out_stay_names(tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for number, name in enumerate(HOSTILE):
        if number % 2:
            (root / name).write_bytes(b"no sound")
        else:
            sf.write(root / name, bursts(8000).T, 16_000, "PCM_16", format="WAV")
    run(root, tmp_path / "out")
    page = page_of(tmp_path / "out", tmp_path / "page.html")
    plain = page_of(tmp_path / "out", tmp_path / "none.html", most_shown=0)
    assert len(page.names) == len(HOSTILE)
    assert {"script", "img", "audio", "span"} < {tag for tag, _ in page.tags}
    assert len(page.all("script")) == len(plain.all("script")) == 2
    assert not plain.all("img")
    assert all(i["src"].startswith("data:image/png;base64,") for i in page.all("img"))
    assert not any(name.startswith("on") for _, found in page.tags for name in found)
    assert "{{ 7 * 7 }}{% raw %}.wav" in page.names
    for sign in ("\n", "\t", "\x1b", "\u2028", "\u202e"):
        assert not any(sign in name for name in page.names)
        assert sign in "\n\t" or sign not in page.path.read_text("utf-8")


def test_where_no_gain_is_known_none_is_spoken_of(tmp_path: Path) -> None:
    gathered = Gathered(
        str(tmp_path), place_at(str(tmp_path)), {}, [row("a.wav"), row("b.wav")], ()
    )
    for most, words in ((1, "1 of 2 files, chosen at random."), (8, "All 2 files.")):
        raypipe.page.build.write_page(gathered, str(tmp_path / "page.html"), most_shown=most)
        page = Page(tmp_path / "page.html")
        assert f"See and hear {words}" in page.words
        assert "Gain is" not in page.words


def test_only_the_files_that_are_shown_are_opened(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    excerpt_of = raypipe.page.build.excerpt_of

    def counted(row, *rest):  # type: ignore[no-untyped-def]
        opened.append(row.name)
        return excerpt_of(row, *rest)

    monkeypatch.setattr(raypipe.page.build, "excerpt_of", counted)
    told: list[str] = []
    page = page_of(output, tmp_path / "page.html", most_shown=2, tell=told.append)
    assert len(opened) == len(page.pictures("after")) == 2
    assert told[0] == f"looking at file 1 of 2: {opened[0]}"
    assert told[-1] == "writing the page"
    assert len(page.names) == 12


def test_the_sounds_stay_below_what_they_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for number in range(2):  # white noise: FLAC cannot make it smaller
        sf.write(root / f"{number}.wav", noise(8000 * 13, 2, seed=number).T, 8000, "PCM_16")
    run(root, tmp_path / "out")
    monkeypatch.setattr(raypipe.page.build, "SOUND_BYTES", 600_000)
    monkeypatch.setattr(raypipe.page.build, "LEAST_SOUND_BYTES", 0)
    page = page_of(tmp_path / "out", tmp_path / "page.html")
    sizes = [len(sound) for side in ("before", "after") for sound in page.sounds(side)]
    assert len(sizes) == 4
    assert 500_000 < sum(sizes) <= 600_000


def test_a_run_from_file_to_file_has_a_page_too(recordings: Path, tmp_path: Path) -> None:
    source, target = recordings / "mono.wav", tmp_path / "mono.wav"
    result = run(source, target)
    gathered = gather_run(result, str(target), str(source))
    raypipe.page.build.write_page(gathered, str(tmp_path / "page.html"))
    page = Page(tmp_path / "page.html")
    assert page.names == ["mono.wav"]
    assert page.sounds("before") == page.sounds("after") != []


def test_a_page_that_cannot_be_written_leaves_what_was_there(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.html").write_text("before")

    def broken(text: str) -> str:
        raise RuntimeError(text)

    monkeypatch.setattr(raypipe.page.build, "_policy", lambda *texts: broken("no"))
    with pytest.raises(RuntimeError):
        page_of(output, tmp_path / "page.html", most_shown=0)
    assert (tmp_path / "page.html").read_text() == "before"
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]
