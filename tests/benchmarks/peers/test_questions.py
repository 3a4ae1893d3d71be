"""What the questions ask for, and that a wrong sound is no answer."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.peers import classical, ray_data
from benchmarks.peers.classical import missing_ffmpeg, missing_noisereduce
from benchmarks.peers.files import tasks_for
from benchmarks.peers.flac import PARTS, shares
from benchmarks.peers.folder import Bench
from benchmarks.peers.folder import question as folder_question
from benchmarks.peers.kernel import question as kernel_question
from benchmarks.peers.lengths import question as lengths_question
from benchmarks.peers.processes import PeerFailed
from benchmarks.peers.setting import NO_PAIR, Setting
from raypipe.settings import DEFAULT_MODEL

MODELS = {"dtln": "delay", "dtln-int8": "passthrough"}


def copy(paths: Sequence[Path], out: Path) -> float:
    for source, output in tasks_for(paths, out):
        shutil.copy(source, output)
    return 0.5


def mute(paths: Sequence[Path], out: Path) -> float:
    for source, output in tasks_for(paths, out):
        sf.write(output, np.zeros(sf.info(source).frames), 16_000)
    return 0.5


def test_the_right_sound_is_an_answer(paths: list[Path], tmp_path: Path) -> None:
    bench = Bench(tmp_path, paths, paths[0].parent)
    run = bench.contender("copy", copy, sound="dtln").run()
    assert run.seconds == 0.5
    assert run.facts["from_reference_db"] == np.inf
    assert not list(tmp_path.iterdir())


def test_another_sound_is_no_answer(paths: list[Path], tmp_path: Path) -> None:
    bench = Bench(tmp_path, paths, paths[0].parent)
    with pytest.raises(PeerFailed, match=r"0\.0 dB from the reference loop's sound, wanted 60"):
        bench.contender("mute", mute, sound="dtln").run()
    assert set(bench.contender("mute, no DTLN", mute).run().facts) == {"x_with_start"}


def test_a_share_is_said(paths: list[Path], tmp_path: Path) -> None:
    bench = Bench(tmp_path, paths * 5, None)
    assert bench.contender("x", copy, 2).note == "10 files"
    assert bench.contender("x", copy).note == ""


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical.shutil, "which", lambda name: None)
    monkeypatch.setattr(classical.importlib.util, "find_spec", lambda name: None)
    assert missing_ffmpeg() == "not installed (ffmpeg, xargs)"
    assert missing_noisereduce() == "not installed (noisereduce)"
    assert ray_data.missing() == "not installed (pandas, pyarrow)"


def test_without_anything_installed_the_questions_are_still_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical.shutil, "which", lambda name: None)
    monkeypatch.setattr(classical.importlib.util, "find_spec", lambda name: None)
    asked = folder_question(Setting(tmp_path, None, MODELS, quick=True))
    reasons = {one.name: one.missing for one in asked.contenders}
    assert reasons["reference loop, pool"] == NO_PAIR
    assert reasons["ffmpeg afftdn, xargs -P2"] == "not installed (ffmpeg, xargs)"
    assert reasons["Ray Data, lane kernel, dtln"] == "not installed (pandas, pyarrow)"
    assert reasons["raypipe, dtln-int8"] == ""


def test_every_ratio_is_to_a_contender_that_is_there(tmp_path: Path) -> None:
    setting = Setting(tmp_path, None, MODELS, quick=True)
    for asked in (kernel_question(setting), lengths_question(setting)):
        for one in asked.contenders:
            assert all(asked.find(base) for base in one.against.values())


def test_the_kernel_is_held_against_the_limit_of_its_own_precision(tmp_path: Path) -> None:
    asked = kernel_question(Setting(tmp_path, None, MODELS, quick=True))
    ours = asked.find("raypipe's kernel, dtln-int8")
    assert ours is not None
    assert ours.against["ratio to the limit"] == "bare graphs, dtln-int8"


def test_the_shipped_denoisers_kernels_stand_beside_dtlns(tmp_path: Path) -> None:
    setting = Setting(tmp_path, None, MODELS, quick=True, lanes=2)
    ours = kernel_question(setting).find(f"raypipe's kernel, {DEFAULT_MODEL}")
    assert ours is not None
    run = ours.run()
    assert run.audio_s == pytest.approx(4, abs=0.1)
    assert run.seconds > 0


def test_mixed_and_equal_lengths_come_to_the_same(tmp_path: Path) -> None:
    lengths_question(Setting(tmp_path, None, MODELS, quick=True))
    total_s = [
        sum(sf.info(path).duration for path in (tmp_path / name).iterdir())
        for name in ("mixed", "equal")
    ]
    assert total_s == pytest.approx([600, 600], abs=0.01)


def test_shares_add_up_to_all_of_the_time() -> None:
    busy_s = {"step": 6.0, "read": 1.0, "resample": 1.5, "encode": 0.5, "write": 0.5, "level": 0.5}
    found = shares(busy_s)
    assert found["resample and code"] == pytest.approx(35)
    parts = [name for name in PARTS if name != "resample and code"]
    assert sum(found[name] for name in parts) == pytest.approx(100)
