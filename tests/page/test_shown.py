"""One file's card."""

from __future__ import annotations

import io
import re
import zlib
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf

from raypipe.page.choose import BEST, RANDOM, Chosen
from raypipe.page.excerpt import Excerpt, Side
from raypipe.page.shown import Shown, Tick, shown
from tests.page.pages import decoded, row, with_gain
from tests.signals import bursts, noise

PLENTY = 10_000_000


def side(sound: np.ndarray, rate_hz: int = 16_000) -> Side:
    return Side(sound.astype(np.float32), rate_hz, len(sound), "WAV PCM_16")


def card(before: Side | None, after: Side | None, most: float = PLENTY, **more: object) -> Shown:
    seconds = max(s.sound.shape[1] / s.rate_hz for s in (before, after) if s is not None)
    chosen = Chosen(row("a<b>.wav", **more), BEST)
    return shown(chosen, Excerpt(60.0, 60 + seconds, before, after, ("said",)), most)


def pixels(address: str) -> np.ndarray:
    """Of a PNG as `raypipe.page.png` makes it: one IDAT, no filters."""
    data = decoded(address, "image/png")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    body = zlib.decompress(data[data.index(b"IDAT") + 4 :])
    rows = np.frombuffer(body, np.uint8).reshape(height, width + 1)
    return rows[:, 1:].astype(int)


def rightmost(path: str) -> float:
    return max(float(x) for x in re.findall(r"[ML]([\d.]+) ", path))


def test_both_sides_have_one_scale() -> None:
    loud, quiet = bursts(32_000), 0.01 * bursts(32_000)
    found = card(side(loud), side(quiet), lufs_in=-20.0, lufs_out=-60.0)
    before, after = found.drawn
    alone = card(None, side(quiet)).drawn[0]
    assert (before.key, after.key) == ("before", "after")
    assert after.picture != alone.picture  # drawn on the louder one's scale
    assert after.level != alone.level
    assert after.outline != alone.outline
    assert found.whole[0].change == "−40.0"
    assert float(found.here[0].change.replace("−", "-")) == pytest.approx(-40, abs=0.2)
    assert found.remarks == ("said",)
    assert before.about.startswith("Spectrogram of a<b>.wav before: 1:00.0 to 1:02.0, 0 to 8 kHz")


@pytest.mark.parametrize(
    ("why", "gain_db", "words"),
    [(BEST, 12.34, "gained most: +12.3 dB"), ("", -1.0, "gained −1.0 dB"), ("", None, ""),
     (RANDOM, None, "at random"), (RANDOM, 0.01, "at random: 0.0 dB")],
)  # fmt: skip
def test_a_card_begins_with_its_gain(why: str, gain_db: float | None, words: str) -> None:
    told = row("a.wav") if gain_db is None else with_gain("a.wav", gain_db)
    excerpt = Excerpt(0.0, 1.0, None, side(bursts(16_000)), ())
    assert shown(Chosen(told, why), excerpt, PLENTY).why == words


def test_times_are_those_of_the_file() -> None:
    found = card(None, side(bursts(32_000)))
    assert found.times[0] == Tick(0, "1:00.0")
    assert found.times[-1] == Tick(200, "1:02.0")
    assert len(found.times) <= 6


def test_an_excerpt_is_shortened_until_its_sound_fits() -> None:
    sound = side(bursts(16_000 * 12))
    long = card(sound, sound)
    short = card(sound, sound, 200_000)
    assert long.seconds == 12
    assert 2 <= short.seconds < 12
    size = sum(len(drawn.sound) for drawn in short.drawn) * 3 / 4
    assert 100_000 < size < 201_000
    seconds = [drawn.seconds for drawn in short.drawn]
    assert seconds == pytest.approx([short.seconds] * 2, abs=1e-4)


def test_an_excerpt_whose_bytes_stand_at_its_beginning_is_shortened_with_its_sound() -> None:
    sound = np.zeros((1, 16_000 * 12))
    sound[:, : 16_000 * 4] = noise(16_000 * 4)
    whole = side(sound)
    size = sum(len(drawn.sound) for drawn in card(whole, whole).drawn) * 3 / 4
    short = card(whole, whole, 0.9 * size)
    assert 2 <= short.seconds < 4
    assert sum(len(drawn.sound) for drawn in short.drawn) * 3 / 4 < 0.9 * size + 100
    for drawn in short.drawn:
        heard, rate_hz = sf.read(io.BytesIO(decoded(drawn.sound, "audio/flac")))
        assert len(heard) / rate_hz == pytest.approx(short.seconds, abs=1e-4)


def test_a_sound_that_ends_early_is_not_stretched() -> None:
    sound = noise(32_000)
    before, after = card(side(sound), side(sound[:, :16_000])).drawn
    assert pixels(after.picture).shape == pixels(before.picture).shape
    middle = pixels(before.picture).shape[1] // 2
    near = np.abs(pixels(after.picture) - pixels(before.picture))
    assert np.mean(near[:, : middle - 8]) < 12  # of 255; its own window's grid
    assert not pixels(after.picture)[:, middle + 8 :].any()
    assert pixels(before.picture)[:, middle + 8 :].any()
    for path in (after.outline, after.level, after.floor):
        assert 480 < rightmost(path) <= 500
    for path in (before.outline, before.level, before.floor):
        assert 980 < rightmost(path) <= 1000


def test_marks_of_frequency_have_room_on_a_phone() -> None:
    line = 12 / 152  # of the picture's height there
    for rate_hz in (8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000):
        marks = [tick.at / 200 for tick in card(None, side(bursts(32_000), rate_hz)).frequencies]
        assert (marks[0], marks[-1]) == (0, 1)
        # The outermost stand inside the picture, the others are centred.
        tops = [0, *(at - line / 2 for at in marks[1:-1]), 1 - line]
        assert all(below - above >= line for above, below in pairwise(tops))
        assert len(marks) >= 5


@pytest.mark.parametrize("samples", [1, 100])
def test_what_is_too_short_to_hear_is_shown_all_the_same(samples: int) -> None:
    found = card(side(bursts(samples)), side(bursts(samples)))
    assert [drawn.sound for drawn in found.drawn] == ["", ""]
    assert all(drawn.picture for drawn in found.drawn)


def test_silence_stays_dark() -> None:
    found = card(None, side(np.zeros((1, 16_000))))
    assert found.full == "silence"
    assert found.colours[-1].text == "−60"
    assert found.here[0].after == "–"


def test_a_file_without_any_sound_left_has_its_figures() -> None:
    chosen = Chosen(row(lufs_in=-20.0), BEST)
    found = shown(chosen, Excerpt(0, 0, None, None, ("gone",)), PLENTY)
    assert found.drawn == ()
    assert found.whole[0].before == "−20.0"
