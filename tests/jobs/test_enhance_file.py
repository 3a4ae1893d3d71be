"""``jobs/enhance_file.py``: one file in, one file out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner, Result

from jobs.enhance_file import main
from raypipe import Enhancer
from raypipe.inference.zoo import SHIPPED
from tests.signals import noise

ROOT = Path(__file__).resolve().parents[2]


def job(source: Path, destination: Path, *more: str) -> Result:
    arguments = ["--source-file", str(source), "--destination-file", str(destination), *more]
    return CliRunner().invoke(main, arguments)


def test_it_runs_as_a_script(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", noise(4000).T, 16_000)
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "enhance_file.py"), "--source-file", "a.wav",
         "--destination-file", "b.wav", "--model-path", str(SHIPPED / "passthrough.tflite")],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert np.array_equal(sf.read(tmp_path / "b.wav")[0], sf.read(tmp_path / "a.wav")[0])


@pytest.mark.parametrize("samples", [0, 1, 48_001])
def test_raw_in_raw_out_has_the_right_length(tmp_path: Path, samples: int) -> None:
    sound = (noise(samples)[0] * 32_000).astype("<i2")
    (tmp_path / "a.raw").write_bytes(sound.tobytes())
    result = job(tmp_path / "a.raw", tmp_path / "b.raw", "--model-path", "recurrent")
    assert (result.exit_code, result.output) == (0, "")
    made = np.frombuffer((tmp_path / "b.raw").read_bytes(), "<i2")
    assert made.shape == sound.shape
    expected = Enhancer("recurrent").process(sound.astype(np.float32) / 2**15, 48_000)
    assert np.allclose(made / 2**15, np.clip(expected, -1, 1), rtol=0, atol=2**-15)


def test_raw_becomes_wav_at_48_khz_unless_told(tmp_path: Path) -> None:
    (tmp_path / "a.PCM").write_bytes(noise(3000, 2).astype("<f4").T.tobytes())
    layout = "rate=22050,channels=2,sample=f32le"
    assert job(tmp_path / "a.PCM", tmp_path / "b.wav", "--raw", layout).exit_code == 0
    info = sf.info(tmp_path / "b.wav")
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (22_050, 2, 3000, "FLOAT")
    assert job(tmp_path / "a.PCM", tmp_path / "c.wav").exit_code == 0
    assert sf.info(tmp_path / "c.wav").samplerate == 48_000


def test_a_destination_that_exists_is_replaced(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", noise(4000).T, 16_000)
    (tmp_path / "b.wav").write_bytes(b"of long ago")
    assert job(tmp_path / "a.wav", tmp_path / "b.wav").exit_code == 0
    assert sf.info(tmp_path / "b.wav").frames == 4000
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "b.wav"}


def test_what_goes_wrong_is_one_sentence_and_a_code(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", noise(4000).T, 16_000)
    (tmp_path / "bad.wav").write_bytes(b"no audio at all")
    out = tmp_path / "b.wav"
    for result, code, words in (
        (job(tmp_path / "gone.wav", out), 2, "does not exist"),
        (job(tmp_path / "bad.wav", out), 1, "enhance_file: bad.wav: "),
        (job(tmp_path / "a.wav", out, "--model-path", "nope"), 4, "no model 'nope'"),
        (job(tmp_path / "a.wav", tmp_path / "b.xyz"), 2, "output format 'xyz' is unknown"),
        (job(tmp_path / "a.wav", tmp_path / "a.wav"), 2, "IN and OUT are the same file"),
        (job(tmp_path / "a.wav", tmp_path / "bad.wav" / "b.wav"), 3, "is a file, not a folder"),
    ):
        assert result.exit_code == code
        assert words in result.stderr
        assert "Traceback" not in result.output
    assert not out.exists()


def test_every_option_has_help() -> None:
    assert all(getattr(option, "help", None) for option in main.params)
    assert main.help
