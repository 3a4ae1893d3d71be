"""A scoring run: every file has one row, the same wherever it was made and whoever died."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf

from raypipe import scoring
from raypipe.errors import TooManyFailures, UsageError
from raypipe.execution.inline import InlineExecutor
from raypipe.execution.scorer import ScoreJob, Scorer
from raypipe.results.scores import ScoreReport
from raypipe.scoring import score
from raypipe.settings import RunSettings
from raypipe.types import BatchResult, Failed, FrameBatch, Scored
from tests.quality.speech import hiss, syllables
from tests.stores import S3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Noisy files in a tree with references beside it, and some that cannot be measured."""
    noisy, clean = tmp_path / "noisy", tmp_path / "clean"
    for number in range(5):
        name = f"{'sub/' * (number % 2)}{number}"
        sound = syllables(1 + number / 2, 16_000, seed=number)
        for root, ending, added in ((noisy, ".wav", -25 - 3 * number), (clean, ".flac", -120)):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            sf.write(root / (name + ending), sound + hiss(len(sound), added), 16_000)
    (noisy / "bad.wav").write_bytes(b"no audio at all")
    sf.write(noisy / "alone.wav", hiss(1000) / 10, 16_000)
    return tmp_path


def csv_of(report: ScoreReport) -> str:
    out = io.StringIO()
    report.write_csv(out)
    return out.getvalue()


def test_every_file_has_one_row(folder: Path) -> None:
    report = score(folder / "noisy", reference=folder / "clean")
    rows = {row["path"]: row for row in report.rows()}
    assert set(rows) == {
        "0.wav", "sub/1.wav", "2.wav", "sub/3.wav", "4.wav", "bad.wav", "alone.wav",
    }  # fmt: skip
    assert (report.scored, report.failed, report.exit_code) == (5, 2, 1)
    assert rows["alone.wav"]["reason"] == f"has no reference in {folder / 'clean'}"
    ratios = [rows[name]["si_sdr_db"] for name in ("0.wav", "sub/1.wav", "2.wav", "4.wav")]
    assert ratios == sorted(ratios)
    assert report.audio_s == pytest.approx(sum(row["duration_s"] or 0 for row in rows.values()))


def test_a_bucket_has_the_rows_of_a_folder(folder: Path, s3: S3) -> None:
    for path in folder.rglob("*.*"):
        s3.put(str(path.relative_to(folder)), path.read_bytes())
    there = f"s3://{s3.bucket}"
    far = score(f"{there}/noisy", reference=f"{there}/clean")
    near = score(folder / "noisy", reference=folder / "clean")
    assert csv_of(far).replace(f"{there}/clean", str(folder / "clean")) == csv_of(near)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_rows_are_the_same_on_ray_with_any_number_of_workers(folder: Path) -> None:
    inline = score(folder / "noisy", reference=folder / "clean")
    for workers in (1, 2):
        settings = RunSettings(executor="ray", workers=workers)
        report = score(folder / "noisy", settings, reference=folder / "clean")
        assert csv_of(report) == csv_of(inline)


class Harmed(Scorer):
    """Dies or hangs over some files; dies once over another, as if by bad luck."""

    def __init__(self, job: ScoreJob, mark: str, name: str) -> None:
        super().__init__(job, name)
        self._mark = mark

    def step(self, batch: FrameBatch) -> tuple[BatchResult, dict[int, list[Scored]]]:
        name = batch.segments[0].file.name
        if name == "0.wav" or (name == "2.wav" and not os.path.exists(self._mark)):
            Path(self._mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        while name == "4.wav":
            time.sleep(1)
        return super().step(batch)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("ray_cluster")
def test_a_file_that_kills_or_hangs_its_worker_costs_itself_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = str(folder / "died")
    monkeypatch.setattr(scoring, "Scorer", partial(_harmed, mark))
    settings = RunSettings(executor="ray", workers=2, timeout_s=8)
    report = score(folder / "noisy", settings)
    rows = {row["path"]: row for row in report.rows()}
    reasons = {name: row["reason"] for name, row in rows.items() if row["outcome"] == "failed"}
    assert set(reasons) == {"0.wav", "4.wav", "bad.wav"}
    assert reasons["0.wav"] == "the worker crashed over it, twice, with it alone"
    assert reasons["4.wav"] == "the worker took longer than 8 s over it, twice, with it alone"
    monkeypatch.undo()
    plain = {row["path"]: row for row in score(folder / "noisy").rows()}
    for name in set(rows) - {"0.wav", "4.wav"}:
        assert rows[name] == plain[name]


def _harmed(mark: str, job: ScoreJob, name: str) -> Harmed:
    return Harmed(job, mark, name)


def test_it_stops_after_so_many_failures(folder: Path) -> None:
    with pytest.raises(TooManyFailures, match="stopped: 1 files have failed"):
        score(folder / "noisy", RunSettings(max_failures=1))


def test_what_cannot_be_meant_is_said_before_the_start(folder: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        score(folder / "gone")
    with pytest.raises(UsageError, match="no such folder of references"):
        score(folder / "noisy", reference=folder / "gone")
    with pytest.raises(UsageError, match="references must not be empty"):
        score(folder / "noisy", reference="")  # a variable that was not set, not the folder here
    (folder / "dangling").symlink_to(folder / "gone")
    with pytest.raises(UsageError, match="no such folder of references"):
        score(folder / "noisy/0.wav", reference=folder / "dangling")
    with pytest.raises(UsageError, match=r"is a file, but .* needs a folder of references"):
        score(folder / "noisy", reference=folder / "clean/0.flac")
    with pytest.raises(UsageError, match=r"holds no sig_bak_ovr\.onnx"):
        score(folder / "noisy", dnsmos=folder)


def test_one_file_against_one_reference(folder: Path) -> None:
    report = score(folder / "noisy/0.wav", reference=folder / "clean/0.flac")
    (row,) = report.rows()
    assert row["path"] == "0.wav"
    assert row["si_sdr_db"] > 0


def test_a_watcher_is_told_of_each_file_and_of_progress(folder: Path) -> None:
    class Watch:
        def __init__(self) -> None:
            self.outcomes: list[Scored | Failed] = []
            self.audio_s = 0.0

        def progress(self, progress: object) -> None:
            self.audio_s = progress.audio_s  # type: ignore[attr-defined]

        def outcome(self, outcome: Scored | Failed) -> None:
            self.outcomes.append(outcome)

        def note(self, text: str) -> None:
            raise AssertionError(text)

    watch = Watch()
    report = score(folder / "noisy", watch=watch)
    assert len(watch.outcomes) == 7
    assert watch.audio_s == pytest.approx(report.audio_s)


def test_a_folder_without_recordings_has_no_rows(tmp_path: Path) -> None:
    report = score(tmp_path)
    assert list(report.rows()) == []
    assert (report.exit_code, report.summary()) == (0, {})


class Forgetful(InlineExecutor):
    """Loses its first answers, as where a node goes once it has measured."""

    left = 3

    def fetch(self, number: int) -> list[Any] | None:  # type: ignore[override]
        rows = super().fetch(number)
        self.left -= bool(rows)
        return None if rows and self.left >= 0 else rows


def test_rows_that_went_with_their_node_are_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = score(folder / "noisy", reference=folder / "clean")
    monkeypatch.setattr(scoring, "InlineExecutor", Forgetful)
    report = score(folder / "noisy", reference=folder / "clean")
    assert csv_of(report) == csv_of(plain)


def test_other_nodes_are_asked_for_both_folders_and_a_file_in_each(folder: Path) -> None:
    noisy, clean = str(folder / "noisy"), str(folder / "clean")
    two = RunSettings(include=("0.wav", "alone.wav"))  # in whichever order the disk lists them
    root, first, *references = scoring._sources(scoring._prepare(noisy, two, clean, None))
    assert root == (noisy, None)
    assert first in [
        (path, os.path.getsize(path)) for path in (f"{noisy}/0.wav", f"{noisy}/alone.wav")
    ]
    assert references == [(clean, None), (f"{clean}/0.flac", os.path.getsize(f"{clean}/0.flac"))]
    one = scoring._prepare(f"{noisy}/2.wav", RunSettings(), f"{clean}/2.flac", None)
    assert list(scoring._sources(one))[2:] == [
        (f"{clean}/2.flac", os.path.getsize(f"{clean}/2.flac"))
    ]


def test_other_nodes_are_asked_for_what_the_driver_measures_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_references, with_networks = ScoreJob("clean"), ScoreJob(networks=(b"", None))
    assert scoring._modules(ScoreJob()) == ()
    assert scoring._modules(with_networks) == ("onnxruntime",)
    assert scoring._modules(with_references) == ("pystoi", "pesq")
    monkeypatch.setitem(sys.modules, "pesq", None)
    assert scoring._modules(with_references) == ("pystoi",)


def test_inputs_are_not_touched(folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    score(folder / "noisy")
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
