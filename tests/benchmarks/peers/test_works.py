"""Every peer makes every file, of the right length, aligned, and DTLN's sound where it is DTLN."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.peers import classical, ray_data, works
from benchmarks.peers.files import check_outputs, distance_db
from benchmarks.peers.folder import LEAST_DB, make_truth
from benchmarks.peers.works import Work

needs_ray_data = pytest.mark.skipif(
    bool(ray_data.missing()), reason=f"Ray Data {ray_data.missing()}"
)
BARE: list[Callable[[str], Work]] = [works.one_lane, lambda model: works.lane_pool(model, 3)]
ON_RAY = [
    pytest.param(lambda model: works.raypipe(model, 5), id="raypipe"),
    *[
        pytest.param(
            partial(works.ray_data_lanes, form=form, lanes=3), id=form, marks=needs_ray_data
        )
        for form in ray_data.FORMS
    ],
]


def made_by(work: Work, paths: list[Path], tmp_path: Path) -> Path:
    assert work(paths, tmp_path / "out") > 0
    check_outputs(paths, tmp_path / "out")
    return tmp_path / "out"


def lag_of(source: Path, output: Path) -> int:
    """Samples by which the output comes late."""
    before, after = sf.read(source)[0], sf.read(output)[0]
    size = 2 * len(before)
    spectrum = np.fft.rfft(after, size) * np.conj(np.fft.rfft(before, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)))


@pytest.fixture(scope="module")
def speech(paths: list[Path]) -> list[Path]:
    """Those long enough to have loud stretches: in others rounding to 16 bit is all that is off."""
    return [path for path in paths if sf.info(path).duration > 0.5]


@pytest.fixture(scope="module")
def truth(pair: Path, speech: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("truth")
    make_truth(pair, speech, out)
    return out


@pytest.mark.parametrize("make", BARE)
def test_bare_pools_give_aligned_sound(
    make: Callable[[str], Work], paths: list[Path], tmp_path: Path
) -> None:
    out = made_by(make("delay"), paths, tmp_path)
    assert distance_db(paths[0].parent, out) == np.inf


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("make", ON_RAY)
def test_pipelines_on_ray_give_aligned_sound(
    make: Callable[[str], Work], paths: list[Path], tmp_path: Path
) -> None:
    out = made_by(make("delay"), paths, tmp_path)
    assert distance_db(paths[0].parent, out) == np.inf


@pytest.mark.parametrize("make", BARE)
@pytest.mark.parametrize("name", LEAST_DB)
def test_our_graphs_give_the_published_loops_sound(
    make: Callable[[str], Work],
    name: str,
    dtln: dict[str, str],
    speech: list[Path],
    truth: Path,
    tmp_path: Path,
) -> None:
    out = made_by(make(dtln[name]), speech, tmp_path)
    assert distance_db(truth, out) > LEAST_DB[name]


def test_the_loop_in_a_pool_gives_the_loops_sound(
    pair: Path, speech: list[Path], truth: Path, tmp_path: Path
) -> None:
    out = made_by(works.reference_loop(pair), speech, tmp_path)
    assert distance_db(truth, out) > LEAST_DB["dtln"]


@needs_ray_data
@pytest.mark.ray
@pytest.mark.slow
def test_ray_data_with_the_pair_gives_the_loops_sound(
    pair: Path, speech: list[Path], truth: Path, tmp_path: Path
) -> None:
    out = made_by(works.ray_data_reference(pair, "read_audio"), speech, tmp_path)
    assert distance_db(truth, out) > LEAST_DB["dtln"]


@pytest.mark.skipif(bool(classical.missing_ffmpeg()), reason=f"FFmpeg {classical.missing_ffmpeg()}")
def test_ffmpeg_makes_every_file_aligned(paths: list[Path], tmp_path: Path) -> None:
    out = made_by(works.ffmpeg(), paths, tmp_path)
    assert [lag_of(path, out / path.name) for path in paths] == [0] * len(paths)


@pytest.mark.skipif(
    bool(classical.missing_noisereduce()), reason=f"noisereduce {classical.missing_noisereduce()}"
)
def test_noisereduce_makes_every_file_aligned(speech: list[Path], tmp_path: Path) -> None:
    out = made_by(works.noisereduce(), speech, tmp_path)
    assert [lag_of(path, out / path.name) for path in speech] == [0] * len(speech)
