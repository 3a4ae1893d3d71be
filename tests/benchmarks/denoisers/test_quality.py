"""The command: pairs made once, outputs looked at, scores kept, peers that fail said so."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from benchmarks import quality
from benchmarks.denoisers.judge import Task, judge, read_lines
from benchmarks.denoisers.mixing import Pair, plan_pairs
from benchmarks.denoisers.peers import Peer
from benchmarks.quality import Folder, denoise, main, prepare
from tests.benchmarks.denoisers.made import recordings


def softer(late: int, source: Path, out: Path) -> None:
    """A stub of a denoiser: half as loud, and perhaps late."""
    for path in source.glob("*.wav"):
        sound, rate_hz = sf.read(path)
        sf.write(out / path.name, 0.5 * np.roll(sound, late), rate_hz, "FLOAT")


def stub(name: str, late: int = 0, rate_hz: int = 48_000) -> Peer:
    return Peer(name, rate_hz, partial(softer, late), "1")


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    (tmp_path / "audio").mkdir()
    return plan_pairs(*recordings(tmp_path / "audio"), [20.0, 40.0], 2)


@pytest.fixture
def folder(tmp_path: Path, pairs: list[Pair]) -> Folder:
    return prepare(tmp_path / "work", pairs)


def test_pairs_are_written_once_at_both_rates(
    folder: Folder, pairs: list[Pair], tmp_path: Path
) -> None:
    for path, rate_hz in ((folder.noisy[48_000], 48_000), (folder.noisy[16_000], 16_000),
                          (folder.clean, 16_000)):  # fmt: skip
        for pair in pairs:
            info = sf.info(path / f"{pair.name}.wav")
            assert (info.samplerate, info.frames) == (rate_hz, round(pair.seconds * rate_hz))
    before = {path: path.stat().st_mtime_ns for path in folder.root.rglob("*.wav")}
    assert prepare(tmp_path / "work", pairs) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.root.rglob("*.wav")} == before
    assert prepare(tmp_path / "work", pairs[:1]) != folder


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_a_peer_that_is_a_sample_late_is_not_judged(
    folder: Folder, pairs: list[Pair], rate_hz: int
) -> None:
    late = denoise(stub("late", 1, rate_hz), folder, pairs)
    assert late.missing == "failed: its output is 1 samples late"
    assert not folder.made(late).exists()
    assert denoise(stub("good", 0, rate_hz), folder, pairs).missing == ""


def test_what_is_judged_is_not_judged_again(folder: Folder, pairs: list[Pair]) -> None:
    peer = denoise(stub("good"), folder, pairs)
    tasks = quality.tasks_of(pairs[0], [peer], folder)
    judge(tasks, None, 1)
    lines = folder.lines(peer)
    first = lines.read_text()
    scores = read_lines(lines)[pairs[0].name]
    # 20 dB under the level of the half in which there is voice, so 17 dB under the whole.
    assert scores["si_sdr_db"] == pytest.approx(17.5, abs=1.5)
    lines.write_text(first + '{"pair": "half')  # as a killed run leaves it
    judge(tasks, None, 1)
    assert lines.read_text() == first + '{"pair": "half'
    judge(tasks + quality.tasks_of(pairs[1], [peer], folder), None, 1)
    assert lines.read_text().startswith(first)
    assert list(read_lines(lines)) == [pair.name for pair in pairs]


def test_a_missing_output_ends_the_judging(folder: Folder, tmp_path: Path) -> None:
    lost = Task(tmp_path / "x.jsonl", "x", folder.clean / "none.wav", folder.clean / "none.wav")
    with pytest.raises(sf.LibsndfileError):
        judge([lost], None, 1)


def test_the_command_prints_tables_and_writes_json(
    tmp_path: Path, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = [
        stub("ours"),
        stub("late", 5),
        Peer("gone", 16_000, partial(softer, 0), "", "not here"),
    ]
    monkeypatch.setattr(quality, "all_peers", lambda *_: peers)
    monkeypatch.setattr(quality, "held_out_pairs", lambda *_: pairs)
    options = ["--ours", "ours", "--work", str(tmp_path / "w"), "--no-cost", "--processes", "1"]
    options += ["--models", str(tmp_path), "--json", str(tmp_path / "all.json")]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 0, done.output
    assert "| late | failed: its output is 5 samples late |" in done.stdout
    assert "| gone | not here |" in done.stdout
    facts = json.loads((tmp_path / "all.json").read_text())
    assert [pair["snr_db"] for pair in facts["pairs"]] == [20, 40]
    assert len(facts["scores"]["ours"]["si_sdr_db"]) == 2
