"""The worker that measures: what it gives for real files, and for those that cannot be."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from raypipe.execution.isolated import Isolated
from raypipe.execution.scorer import ScoreJob, Scorer
from raypipe.quality.dnsmos import WHOLE_S
from raypipe.quality.measures import measure
from raypipe.quality.reference import si_sdr_db
from raypipe.types import AudioFile, FrameBatch, Refused, Scored, Segment, Stepped
from tests.quality.speech import hiss, syllables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clean").mkdir()
    return tmp_path


def scored(job: ScoreJob, path: Path, worker: Scorer | None = None) -> Scored | Refused:
    file = AudioFile(str(path), path.name, path.name, path.stat().st_size, 0)
    with closing(worker or Scorer(job, "w")) as scorer:
        result, made = scorer.step(FrameBatch(7, (Segment(3, file, 0, 0),), 1.0))
    assert result.number == 7
    (answer,) = result.answers
    if isinstance(answer, Refused):
        assert made == {0: []}
        return answer
    (row,) = made[0]
    assert isinstance(answer, Stepped)
    assert (answer.ticket, answer.ended, answer.read) == (3, True, row.frames)
    return row


def speech(seconds: float, rate_hz: int, noise_db: float) -> tuple[np.ndarray, np.ndarray]:
    clean = syllables(seconds, rate_hz)
    return clean + hiss(len(clean), noise_db), clean


def test_a_file_by_itself(folder: Path) -> None:
    sound = np.stack([speech(3, 48_000, -50)[0], hiss(144_000, -40)])
    sf.write(folder / "a.wav", sound.T, 48_000, "FLOAT")
    row = scored(ScoreJob(), folder / "a.wav")
    assert isinstance(row, Scored)
    alone = measure(sound.astype(np.float32), 48_000)
    for name, value in row.values.items():
        assert value == pytest.approx(
            getattr(alone, name), abs=0.51 if name.endswith("hz") else 0.006
        )
    assert (row.missing, row.notes, row.worker) == ({}, (), "w")
    assert "si_sdr_db" not in row.values


def test_a_file_against_its_reference(folder: Path) -> None:
    noisy, clean = speech(4, 16_000, -30)
    sf.write(folder / "a.wav", noisy, 16_000, "FLOAT")
    sf.write(folder / "clean/a.flac", clean, 16_000, "PCM_24")
    row = scored(ScoreJob(str(folder / "clean")), folder / "a.wav")
    assert isinstance(row, Scored)
    assert row.values["si_sdr_db"] == pytest.approx(si_sdr_db(noisy, clean), abs=0.01)
    assert row.values["delay_samples"] == 0
    assert row.values["reference_snr_db"] == pytest.approx(10, abs=0.01)
    assert 0.3 < row.values.get("stoi", 0.5) < 1
    assert 1 < row.values.get("pesq_wb", 2) < 4.6
    assert row.notes == ()


def test_rate_length_channels_and_delay_differ_and_are_told(folder: Path) -> None:
    noisy, clean = speech(4, 48_000, -45)
    sf.write(folder / "a.wav", np.stack([noisy, noisy], axis=1)[:-4800], 48_000, "FLOAT")
    late = np.concatenate([clean[2400:], np.zeros(2400)])
    sf.write(folder / "clean/a.wav", late[::3], 16_000, "FLOAT")
    row = scored(ScoreJob(str(folder / "clean")), folder / "a.wav")
    assert isinstance(row, Scored)
    assert row.values["delay_samples"] == 2400
    assert row.notes == (
        "its reference has 16000 Hz, it has 48000 Hz; the reference was resampled",
        "its reference has 1 channels, it has 2; both were mixed to one",
        "its reference has 192000 samples, it has 187200; the rest was left out",
        "comes 2400 samples later than its reference; SI-SDR, SNR and STOI are of the two as they "
        "lie",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ending", "subtype"),
    [("wav", "ULAW"), ("wav", "ALAW"), ("wav", "PCM_U8"), ("aiff", "PCM_S8"), ("flac", "PCM_S8"),
     ("wav", "PCM_16"), ("flac", "PCM_24"), ("wav", "FLOAT")],
)  # fmt: skip
def test_clipping_is_found_in_every_sample_format(folder: Path, ending: str, subtype: str) -> None:
    wave = np.sin(np.arange(8000) / 20)
    path = folder / f"a.{ending}"
    for gain, expected in ((3.0, np.mean(np.abs(wave) > 1 / 3)), (0.9, 0.0)):
        sf.write(path, np.clip(gain * wave, -1, 1), 8000, subtype)
        row = scored(ScoreJob(), path)
        assert isinstance(row, Scored)
        assert row.values["clipped_share"] == pytest.approx(expected, abs=0.01)


def test_a_copy_reads_a_hundred_decibels(folder: Path) -> None:
    clean = syllables(2, 16_000)
    sf.write(folder / "a.wav", clean, 16_000)
    sf.write(folder / "clean/a.wav", clean, 16_000)
    row = scored(ScoreJob(str(folder / "clean")), folder / "a.wav")
    assert isinstance(row, Scored)
    assert row.values["si_sdr_db"] == row.values["reference_snr_db"] == 100
    assert row.values["level_difference_db"] == 0


def test_a_long_file_is_heard_in_excerpts(folder: Path) -> None:
    noisy, clean = speech(20, 8000, -30)
    sf.write(folder / "a.wav", np.tile(noisy, 5), 8000, "FLOAT")
    sf.write(folder / "clean/a.wav", np.tile(clean, 5), 8000, "FLOAT")
    row = scored(ScoreJob(str(folder / "clean")), folder / "a.wav")
    short = Path(folder / "short.wav")
    sf.write(short, noisy[: 10 * 8000], 8000, "FLOAT")
    sf.write(folder / "clean/short.wav", clean[: 10 * 8000], 8000, "FLOAT")
    one = scored(ScoreJob(str(folder / "clean")), short)
    assert isinstance(row, Scored) and isinstance(one, Scored)
    assert row.values["duration_s"] == 100
    assert row.values["si_sdr_db"] == pytest.approx(one.values["si_sdr_db"], abs=0.3)
    for name in ("stoi", "pesq_wb"):
        if name in row.values:
            assert row.values[name] == pytest.approx(one.values[name], abs=0.1), name
    assert row.values["delay_samples"] == 0


def test_a_long_file_lies_beside_its_reference_at_another_rate(folder: Path) -> None:
    rate_hz, its_hz = 44_100, 8000
    clean = np.tile(syllables(9.7, its_hz), 8)
    sf.write(folder / "clean/a.wav", clean, its_hz, "FLOAT")
    sf.write(folder / "a.wav", soxr.resample(clean, its_hz, rate_hz, "HQ"), rate_hz, "FLOAT")
    row = scored(ScoreJob(str(folder / "clean")), folder / "a.wav")
    assert isinstance(row, Scored)
    assert row.values["duration_s"] > WHOLE_S, "excerpts are read again"
    assert row.values["delay_samples"] == 0
    assert row.values.get("stoi", 1) > 0.999


def test_what_is_odd_of_a_reference_is_told_as_its_own(folder: Path) -> None:
    noisy, clean = speech(1, 16_000, -30)
    sf.write(folder / "a.wav", noisy, 16_000)
    sf.write(folder / "clean/a.wav", clean, 16_000)
    whole = (folder / "clean/a.wav").read_bytes()
    (folder / "clean/a.wav").write_bytes(whole[:20_044])
    row = scored(ScoreJob(str(folder / "clean"), keep_truncated=True), folder / "a.wav")
    assert isinstance(row, Scored)
    ends = "header promises 16000 samples (1.00 s), the sound ends at 10000 (0.62 s)"
    assert row.notes[0] == f"its reference: {ends}"


def test_what_cannot_be_is_refused_with_a_reason(folder: Path) -> None:
    (folder / "bad.wav").write_bytes(b"no audio at all")
    sf.write(folder / "alone.wav", hiss(100), 8000)
    sf.write(folder / "b.wav", hiss(100), 8000)
    (folder / "clean/b.wav").write_bytes(b"RIFF....WAVE")
    job = ScoreJob(str(folder / "clean"))
    reasons = {}
    for name in ("bad", "alone", "b"):
        answer = scored(job, folder / f"{name}.wav")
        assert isinstance(answer, Refused)
        reasons[name] = answer.reason
    assert reasons["alone"] == f"has no reference in {folder / 'clean'}"
    assert reasons["b"].startswith(f"its reference {folder / 'clean/b.wav'}: ")
    assert "reference" not in reasons["bad"]


@pytest.mark.parametrize(
    ("size", "rate_hz"), [(0, 8000), (1, 8000), (10, 48_000), (1900, 8000), (900, 100)]
)
def test_tiny_and_silent_files_have_reasons_and_no_numbers(
    folder: Path, size: int, rate_hz: int
) -> None:
    for sound in (np.zeros(size), hiss(size) / 10 if size else np.zeros(0)):
        sf.write(folder / "a.wav", sound, rate_hz)
        sf.write(folder / "clean/a.wav", sound, rate_hz)
        row = scored(ScoreJob(str(folder / "clean")), folder / "a.wav")
        assert isinstance(row, Scored)
        assert np.all(np.isfinite(list(row.values.values())))
        assert {"stoi", "pesq_wb"} <= set(row.missing)
        assert not set(row.missing) & set(row.values)


def deadly(sound: np.ndarray, reference: np.ndarray) -> float:
    """PESQ, if its C code crashes."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0.0


def test_a_pesq_that_crashes_costs_one_measure(folder: Path) -> None:
    noisy, clean = speech(1, 16_000, -30)
    sf.write(folder / "a.wav", noisy, 16_000)
    sf.write(folder / "clean/a.wav", clean, 16_000)
    scorer = Scorer(ScoreJob(str(folder / "clean")), "w")
    scorer._pesq = Isolated(deadly, 30)
    row = scored(ScoreJob(), folder / "a.wav", scorer)
    assert isinstance(row, Scored)
    assert row.missing["pesq_wb"] == "PESQ crashed (SIGSEGV) over it"
    assert "si_sdr_db" in row.values
