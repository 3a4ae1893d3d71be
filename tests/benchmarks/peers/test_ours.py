"""raypipe's parts as peers: what is delayed comes out aligned, and figures are of what was done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.peers.files import distance_db, tasks_for
from benchmarks.peers.ours import FullLanes, OneLane, bare_graphs, engine, lane_kernel
from raypipe.inference import widths
from tests.signals import noise

INLINE = {"model": "delay", "executor": "inline", "lanes": 5}


@pytest.mark.parametrize("length", [1, 255, 256, 5000])
def test_one_lane_gives_aligned_sound_of_the_same_length(length: int) -> None:
    sound = noise(length)[0]
    assert (OneLane("delay")(sound, 16_000) == sound).all()


def test_full_lanes_make_every_file_also_in_more_batches_than_one(
    paths: list[Path], tmp_path: Path
) -> None:
    FullLanes("delay", 3)(tasks_for(paths, tmp_path / "out"))
    assert distance_db(paths[0].parent, tmp_path / "out") == np.inf


def test_the_engine_reports_its_sound_seconds_and_lanes(paths: list[Path], tmp_path: Path) -> None:
    told = engine(paths[0].parent, tmp_path / "out", INLINE)
    assert distance_db(paths[0].parent, tmp_path / "out") == np.inf
    assert told["audio_s"] == pytest.approx(sum(sf.info(path).duration for path in paths))
    assert told["seconds"] > 0
    assert 1 <= told["mean_lanes"] <= len(paths)
    assert {"read", "step", "encode", "write"} <= set(told["busy_s"])


def test_a_file_that_fails_fails_the_engine(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.wav").write_bytes(b"no audio")
    with pytest.raises(RuntimeError, match="1 files were not done"):
        engine(tmp_path / "in", tmp_path / "out", INLINE)


def test_one_frame_in_a_call_gives_the_same_sound(
    dtln: dict[str, str], paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widths, "WIDEST_WITH_FRAMES", widths.WIDEST_WITH_FRAMES)
    settings = INLINE | {"model": dtln["dtln"]}
    engine(paths[0].parent, tmp_path / "several", settings)
    engine(paths[0].parent, tmp_path / "one", settings, True)
    assert widths.WIDEST_WITH_FRAMES == 0
    for path in paths:
        one, several = (tmp_path / name / path.name for name in ("one", "several"))
        assert one.read_bytes() == several.read_bytes()


def test_kernel_and_limit_say_the_sound_of_all_lanes() -> None:
    for measure in (lane_kernel, bare_graphs):
        audio_s, cpu_s = measure("recurrent", 5, 0.2)
        assert audio_s == pytest.approx(5 * 0.2)
        assert cpu_s > 0
