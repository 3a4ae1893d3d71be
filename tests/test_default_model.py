"""What a user gets who names no model, whichever door they come in by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

import raypipe
from jobs.enhance_file import main as enhance_file
from raypipe.cli.entry import entry
from raypipe.cli.job_command import job_command
from raypipe.inference.zoo import find_model
from raypipe.settings import DEFAULT_MODEL, RunSettings
from tests.signals import bursts

RATE_HZ = 44_100

pytestmark = pytest.mark.usefixtures("default_model")


def test_it_is_shipped_and_is_for_noise() -> None:
    assert RunSettings().model == DEFAULT_MODEL
    card = find_model(DEFAULT_MODEL).card
    assert (card.name, card.task, card.rate_hz) == (DEFAULT_MODEL, "denoise", 48_000)


def test_every_door_leads_to_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.wav"
    sf.write(source, bursts(9000)[0], RATE_HZ, "FLOAT")
    raypipe.enhance(source, tmp_path / "named.wav", model=DEFAULT_MODEL)
    wanted = (tmp_path / "named.wav").read_bytes()
    assert wanted != source.read_bytes()
    raypipe.enhance(source, tmp_path / "python.wav")
    assert entry(["enhance", str(source), str(tmp_path / "command.wav"), "-q"]) == 0
    files = ["--source-file", str(source), "--destination-file", str(tmp_path / "job.wav")]
    assert CliRunner().invoke(enhance_file, files).exit_code == 0
    for name in ("python", "command", "job"):
        assert (tmp_path / f"{name}.wav").read_bytes() == wanted, name
    sound, cleaned = (sf.read(path, dtype="float32")[0] for path in (source, tmp_path / "job.wav"))
    assert np.array_equal(raypipe.Enhancer().process(sound, RATE_HZ), cleaned)
    batch = {"amplitude": [sound], "sample_rate": np.array([RATE_HZ])}
    assert np.array_equal(raypipe.EnhanceBatches()(batch)["amplitude"][0], cleaned)


def test_a_submitted_job_has_the_default_of_the_cluster() -> None:
    made = job_command(["enhance", "s3://bucket/in", "s3://bucket/out"])
    assert "--model" not in made.words
    assert made.metadata["model"] == DEFAULT_MODEL


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 44_100, 96_000])
@pytest.mark.parametrize("frames", [0, 1, 479, 1441, 9001])
def test_length_and_channels_stay_at_any_rate(rate_hz: int, frames: int) -> None:
    sound = bursts(frames, 2)
    made = raypipe.Enhancer(lanes=2).process(sound, rate_hz)
    assert (made.shape, made.dtype) == (sound.shape, np.float32)


@pytest.mark.parametrize("rate_hz", [8000, 44_100])
def test_strength_at_the_doors(rate_hz: int, tmp_path: Path) -> None:
    sound = bursts(9000, 2)
    sf.write(tmp_path / "a.wav", sound.T, rate_hz, "FLOAT")
    full = raypipe.Enhancer().process(sound, rate_hz)
    half = raypipe.Enhancer(mix=0.5).process(sound, rate_hz)
    assert np.max(np.abs(half - (sound + full) / 2)) < 1e-6
    assert raypipe.Enhancer(atten_limit_db=0).process(sound, rate_hz).tobytes() == sound.tobytes()
    flags = ["enhance", str(tmp_path / "a.wav"), str(tmp_path / "b.wav"), "-q", "--mix", "0.5"]
    assert entry(flags) == 0
    assert np.array_equal(sf.read(tmp_path / "b.wav", dtype="float32")[0], half.T)
    report = raypipe.enhance(tmp_path / "a.wav", tmp_path / "c.wav", atten_limit_db=0)
    assert report.settings["atten_limit_db"] == 0
    assert np.array_equal(sf.read(tmp_path / "c.wav", dtype="float32")[0], sound.T)


def test_a_strength_that_cannot_be_meant_is_a_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sf.write(tmp_path / "a.wav", bursts(100)[0], RATE_HZ)
    assert entry(["enhance", str(tmp_path), str(tmp_path / "o"), "--atten-limit", "-3"]) == 2
    said = capfd.readouterr().err
    assert said == "raypipe: atten_limit_db must be none or at least 0 dB, not -3.0\n"
    with pytest.raises(raypipe.UsageError, match="mix must be from 0 to 1, not 2"):
        raypipe.Enhancer(mix=2)
    with pytest.raises(raypipe.UsageError, match="mix must be from 0 to 1, not 2"):
        raypipe.EnhanceBatches(mix=2)


def test_another_strength_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    sf.write(tmp_path / "in/a.wav", bursts(9000)[0], RATE_HZ)
    out = tmp_path / "out"
    assert raypipe.enhance(tmp_path / "in", out).totals.done == 1
    assert raypipe.enhance(tmp_path / "in", out, atten_limit="none").totals.skipped == 1
    assert raypipe.enhance(tmp_path / "in", out, atten_limit=12).totals.done == 1
    assert raypipe.enhance(tmp_path / "in", out, atten_limit_db=12.0).totals.skipped == 1
