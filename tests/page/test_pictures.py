"""Colours, PNG, spectrograms, curves and sounds: each against what is known of it."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
import soundfile as sf

from raypipe.page import curves
from raypipe.page.colours import STEPS, colour_map
from raypipe.page.png import png
from raypipe.page.sound import playable
from raypipe.page.spectrogram import HEIGHT, LOWEST_DB, hertz, mel, shades, spectrogram
from tests.signals import noise


def oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB bytes to OKLab: the way back, by Ottosson's other two matrices."""
    coded = rgb / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929],
         [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    ).T  # fmt: skip
    return np.cbrt(cones) @ np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468],
         [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    ).T  # fmt: skip


def test_equal_steps_of_the_colour_map_look_equal() -> None:
    colours = oklab(colour_map().astype(float))
    assert len(colours) == STEPS
    eighth = colours[::8]  # single steps are rounded to bytes
    lightness = np.diff(eighth[:, 0])
    assert lightness.min() > 0
    assert lightness.max() / lightness.min() < 1.35
    distance = np.linalg.norm(np.diff(eighth, axis=0), axis=1)
    assert distance.max() / distance.min() < 2


def test_a_png_is_what_any_reader_takes_it_for() -> None:
    pixels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    data = png(pixels, colour_map())
    chunks, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(5, 8)
    assert np.array_equal(rows[:, 1:], pixels)
    assert not rows[:, 0].any()
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(data)).convert("RGB")
    assert np.array_equal(np.asarray(image), colour_map()[pixels])


@pytest.mark.parametrize(
    ("rate_hz", "at_hz", "bins"), [(8000, 500, 1), (48_000, 500, 1), (192_000, 30_000, 20)]
)
def test_a_sine_of_full_scale_reads_0_db_in_its_bin(rate_hz: int, at_hz: int, bins: int) -> None:
    sound = np.sin(2 * np.pi * at_hz * np.arange(rate_hz) / rate_hz)[None].astype(np.float32)
    picture = spectrogram(sound, rate_hz, rate_hz / 2)
    middle = picture[:, picture.shape[1] // 2]
    row = int(np.argmax(middle))
    assert -3 - 10 * np.log10(bins) < middle[row] <= 0.01
    expected = HEIGHT * (1 - float(mel(at_hz) / mel(rate_hz / 2)))
    assert abs(row + 0.5 - expected) < 1.5
    assert middle[: row // 2].max() < -60  # far above it


def test_a_click_stands_in_its_own_column() -> None:
    sound = np.zeros((1, 16_000), np.float32)
    sound[0, 12_000] = 1
    picture = spectrogram(sound, 16_000, 8000)
    loudest = int(np.argmax(picture.mean(axis=0)))
    assert loudest / picture.shape[1] == pytest.approx(0.75, abs=0.01)
    assert picture[:, : picture.shape[1] // 2].max() == LOWEST_DB


def test_above_its_own_nyquist_frequency_a_sound_has_nothing() -> None:
    picture = spectrogram(noise(16_000), 16_000, 24_000)
    edge = round(HEIGHT * (1 - float(mel(8000) / mel(24_000))))
    assert picture[: edge - 1].max() == LOWEST_DB
    assert picture[edge + 1 :].min() > -120


@pytest.mark.parametrize("samples", [1, 2, 63, 640])
def test_the_shortest_sounds_have_a_picture(samples: int) -> None:
    picture = spectrogram(noise(samples), 16_000, 8000)
    assert picture.shape[0] == HEIGHT
    assert np.isfinite(picture).all()


def test_mels_go_back_to_hertz() -> None:
    assert hertz(mel(np.array([0.0, 1000, 20_000]))) == pytest.approx([0, 1000, 20_000])


def test_shades_are_held_at_both_ends() -> None:
    found = shades(np.array([[-200.0, -90, -45, 0, 20]], np.float32), -90, 0, 256)
    assert found.tolist() == [[0, 0, 128, 255, 255]]


def test_levels_of_noise_and_its_floor() -> None:
    sound = np.concatenate([noise(16_000, level=0.001), noise(16_000, level=0.5)], axis=1)
    levels = curves.levels_db(sound, 16_000)
    assert len(levels) == 40
    assert levels[5] == pytest.approx(20 * np.log10(0.001 / 3**0.5), abs=0.5)
    assert levels[35] == pytest.approx(20 * np.log10(0.5 / 3**0.5), abs=0.5)
    floor = curves.floor_db(levels)
    assert floor[15] == pytest.approx(levels[:20].mean(), abs=1)
    assert curves.levels_db(np.zeros((1, 1), np.float32), 16_000).tolist() == [curves.LOWEST_DB]


def test_outlines_keep_the_one_loud_sample() -> None:
    sound = np.zeros((2, 100_000), np.float32)
    sound[1, 77_777] = -0.5
    low, high = curves.outline(sound)
    assert low[int(curves.COLUMNS * 0.77777)] == -0.5
    assert np.count_nonzero(low) == 1
    assert not high.any()


def test_paths_stay_in_their_box() -> None:
    path = curves.outline_path(np.array([[-2.0], [3.0]], np.float32), 1.0)
    assert path == "M0 0L1000 0L1000 200L0 200Z"
    assert curves.outline_path(np.array([[-2.0], [3.0]], np.float32), 1.0, 0.5).startswith(
        "M0 0L500"
    )


def test_levels_stand_in_the_middle_of_their_time() -> None:
    assert curves.line_path(np.array([-30.0]), -100, 0, 0.04, 0.04) == "M0 60L500 60L1000 60"
    path = curves.line_path(np.array([-30.0, -40, -50]), -100, 0, 0.12, 0.24)
    assert path == "M0 60L104.2 60L312.5 80L458.3 100L500 100"


@pytest.mark.parametrize(
    ("rate_hz", "heard_hz"), [(4000, 8000), (8000, 8000), (44_100, 44_100), (192_000, 48_000)]
)
def test_sounds_are_played_at_rates_that_browsers_know(rate_hz: int, heard_hz: int) -> None:
    sound = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)[None].astype(np.float32)
    data = playable(sound, rate_hz)
    assert data is not None
    heard, found_hz = sf.read(io.BytesIO(data))
    assert (found_hz, len(heard)) == (heard_hz, heard_hz)
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(heard_hz) / heard_hz)
    middle = slice(heard_hz // 4, -heard_hz // 4)
    assert np.abs(heard - wanted)[middle].max() < 1e-3


def test_what_is_beyond_full_scale_is_held_there() -> None:
    data = playable(np.full((1, 8000), 2.0, np.float32), 8000)
    assert data is not None
    assert sf.read(io.BytesIO(data), dtype="int16")[0].max() == 32767
    assert playable(np.zeros((1, 100), np.float32), 8000) is None


def test_sounds_that_no_integer_can_hold_are_played_without_a_warning() -> None:
    for rate_hz in (8000, 96_000):
        sound = np.full((1, rate_hz), -3e38, np.float32)
        data = playable(sound, rate_hz)
        assert data is not None
        assert sf.read(io.BytesIO(data), dtype="int16")[0].min() == -32768
