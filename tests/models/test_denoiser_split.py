"""Nobody and nothing is heard in two parts."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from models.denoiser.split import PARTS, Recording, divide, recordings
from tests.conftest import SHARED

AUDIO = SHARED / "audio"


def made() -> list[Recording]:
    speakers = [f"speech/librispeech/{n}-1-000{k}.flac" for n in range(100, 351) for k in range(2)]
    clips = [
        f"noise/esc-10/{label}/{n}-{number}-{clip}.ogg"
        for n, label in enumerate(("rain", "helicopter"))
        for number in range(50, 57 + 17 * (label == "rain"))
        for clip in "ABC"
    ]
    files = [f"noise/blanket/{name}.ogg" for name in ("city", "boat", "rain")]
    return divide([*speakers, *clips, *files, "speech/fullband-48k/p252_198_mic1.flac"])


def check(found: list[Recording]) -> None:
    parts = defaultdict(set)
    for one in found:
        parts[one.collection, one.source].add(one.part)
    assert all(len(which) == 1 for which in parts.values())
    for kind in ("speech", "noise"):
        assert {one.part for one in found if one.kind == kind} == set(PARTS)


def test_no_speaker_and_no_recording_of_noise_is_in_two_parts() -> None:
    check(made())


def test_shares() -> None:
    found = [one for one in made() if one.collection == "librispeech"]
    speakers = {part: {o.source for o in found if o.part == part} for part in PARTS}
    assert [len(speakers[part]) for part in PARTS] == [186, 25, 40]
    heard = {(one.label, one.part) for one in made() if one.collection == "esc-10"}
    assert heard == {(label, part) for label in ("rain", "helicopter") for part in PARTS}


def test_a_part_never_changes() -> None:
    parts = {one.path: one.part for one in made()}
    assert parts["noise/blanket/city.ogg"] == "test"
    assert parts["noise/blanket/boat.ogg"] == "validation"
    assert parts["speech/fullband-48k/p252_198_mic1.flac"] == "test"
    speakers = {p.split("/")[-1][:3] for p in parts if "librispeech" in p and parts[p] == "test"}
    assert sorted(speakers)[:4] == FIRST_SPEAKERS


FIRST_SPEAKERS = ["101", "105", "109", "122"]


def test_a_file_of_no_set_is_named() -> None:
    with pytest.raises(ValueError, match=r"speech/mine/a.wav: of none of the sets"):
        divide(["speech/mine/a.wav"])


def test_the_real_folder() -> None:
    if not AUDIO.is_dir():
        pytest.skip("the audio for training is not beside this checkout")
    found = recordings(AUDIO)
    check(found)
    assert len(recordings(AUDIO, "test")) == sum(one.part == "test" for one in found)
    clips = [one for one in found if one.collection == "esc-10"]
    assert len({one.source for one in clips}) < len(clips) == 240


def test_what_binds_its_heirs_is_left_out(tmp_path: Path) -> None:
    for name in ("rain", "pink-noise", "white-noise"):
        path = tmp_path / "noise" / "blanket" / f"{name}.ogg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [one.label for one in recordings(tmp_path)] == ["rain"]
