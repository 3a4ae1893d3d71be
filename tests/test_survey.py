"""What a run would do, found out without writing anything."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import soundfile as sf

import raypipe
from raypipe.configuration import make_settings
from raypipe.errors import ModelError, UsageError
from raypipe.inference.lanes import Block, LaneModel
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.settings import RunSettings
from raypipe.survey import RAY_START_S, Kind, Survey, calibrate, survey
from raypipe.types import AudioFile, State
from tests.signals import noise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "in"
    (root / "deep").mkdir(parents=True)
    sf.write(root / "a.wav", noise(32_000).T, 16_000, "PCM_16")
    sf.write(root / "deep" / "b.wav", noise(8_000).T, 16_000, "PCM_16")
    sf.write(root / "c.mp3", noise(44_100, 2).T, 44_100)
    return root


def looked_at(folder: Path, **settings: object) -> Survey:
    return survey(str(folder), str(folder.with_name("out")), make_settings(settings))


def test_it_counts_files_and_audio_by_kind(folder: Path) -> None:
    found = looked_at(folder)
    assert (found.to_do, found.skipped, found.failed, found.unmeasured) == (3, 0, [], 0)
    assert found.kinds == {
        ("WAV", "PCM_16", 16_000, 1): Kind(2, 2.5),
        ("MP3", "MPEG_LAYER_III", 44_100, 2): Kind(1, 1.0),
    }
    assert found.audio_s == 3.5


def test_it_writes_nothing(folder: Path) -> None:
    def everything() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.parent.rglob("*")}

    before = everything()
    looked_at(folder)
    assert everything() == before


def test_what_it_counts_is_what_a_run_then_does(folder: Path) -> None:
    (folder / "bad.wav").write_bytes(b"no audio")
    (folder / "empty.flac").touch()
    found = looked_at(folder, output_format="flac")
    report = raypipe.enhance(folder, folder.with_name("out"), output_format="flac")
    totals = report.totals
    assert (found.to_do, len(found.failed)) == (totals.done, totals.failed) == (3, 2)
    assert found.audio_s == pytest.approx(totals.audio_s)
    reasons = {entry["path"]: entry["reason"] for entry in report.files}
    assert all(reasons[name] == reason for name, reason in found.failed)
    notes = [note for entry in report.files for note in entry.get("notes", ())]
    assert found.notes == {note: notes.count(note) for note in notes}
    again = looked_at(folder, output_format="flac")
    assert (again.to_do, again.skipped, len(again.failed)) == (0, 3, 2)
    assert again.predicted_s == 0


def test_the_disk_it_asks_for_is_what_pcm_takes(folder: Path) -> None:
    found = looked_at(folder, include="*.wav")
    raypipe.enhance(folder, folder.with_name("out"), include="*.wav")
    sizes = [path.stat().st_size for path in folder.with_name("out").rglob("*.wav")]
    assert 0 <= sum(sizes) - found.output_bytes <= 200 * len(sizes)
    assert found.free_bytes is not None
    assert found.free_bytes > 0


def test_a_small_job_is_meant_for_this_process_and_a_large_one_for_ray(folder: Path) -> None:
    found = looked_at(folder)
    assert (found.executor, found.workers) == ("inline", 1)
    assert found.predicted_s == pytest.approx(found.audio_s / found.x_real_time)
    found = looked_at(folder, executor="ray", workers=3)
    assert (found.executor, found.workers) == ("ray", 3)
    assert found.predicted_s == pytest.approx(RAY_START_S + found.audio_s / found.x_real_time / 3)
    os.truncate(folder / "a.wav", 100 << 20)  # sparse; it counts by its size
    found = looked_at(folder)
    assert (found.executor, found.workers) == ("ray", len(os.sched_getaffinity(0)))


def test_files_that_tell_no_length_are_counted_apart(folder: Path, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(folder / "d.aac"), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(noise(1024), "fltp", "mono")
        frame.rate = 16_000
        for _ in range(10):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = looked_at(folder)
    assert found.to_do == 4
    assert found.unmeasured == 1


def test_two_inputs_for_one_output_are_refused(folder: Path) -> None:
    (folder / "c.wav").write_bytes((folder / "a.wav").read_bytes())
    with pytest.raises(UsageError, match=r"would both become c\.flac"):
        looked_at(folder, output_format="flac")


def test_a_model_that_cannot_be_loaded_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model 'nope'"):
        looked_at(folder, model="nope")


def test_it_tells_how_far_it_is(folder: Path) -> None:
    told: list[int] = []
    survey(str(folder), str(folder.with_name("out")), RunSettings(), tell=told.append)
    assert told == [1, 2, 3]


def test_a_folder_without_audio_has_nothing_to_do(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    found = looked_at(tmp_path / "in")
    assert (found.to_do, found.kinds, found.predicted_s) == (0, {}, 0)


def test_calibration_needs_no_more_than_its_time(folder: Path, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    sf.write(long, noise(16_000 * 300, level=0.1).T, 16_000)
    file = AudioFile(str(long), "long.wav", "long.wav", long.stat().st_size, 0)
    slow = make_settings({"model": "python:tests.test_survey:slow"})
    assert 0 < calibrate([file], slow) < 20


def test_files_that_fail_only_when_they_are_read_are_no_measure(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", noise(16_000).T, 16_000)
    os.truncate(tmp_path / "a.wav", 2000)
    file = AudioFile(str(tmp_path / "a.wav"), "a.wav", "a.wav", 2000, 0)
    assert calibrate([file], RunSettings()) == 0
    assert calibrate([], RunSettings()) == 0


def slow(lanes: int) -> LaneModel:
    """A model that takes a tenth of real time at least."""
    model = load_lane_model(find_model("passthrough"), lanes)
    process = model.process

    def slowly(blocks: Sequence[Block], states: Sequence[State]) -> tuple[list[Block], list[State]]:
        time.sleep(sum(block.size for block in blocks) / 16_000 / 10)
        return process(blocks, states)

    model.process = slowly  # type: ignore[method-assign]
    return model
