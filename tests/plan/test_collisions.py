from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from raypipe.errors import UsageError
from raypipe.plan import collisions
from raypipe.plan.collisions import Guard, refuse_collisions
from raypipe.plan.route import Route
from raypipe.settings import RunSettings
from raypipe.types import AudioFile, Failed


def files(*pairs: tuple[str, str]) -> collisions.Listing:
    def listing() -> Iterator[AudioFile | Failed]:
        for name, output in pairs:
            yield AudioFile(name, name, output, 10, 0)

    return listing


def test_both_names_are_given() -> None:
    both = files(("x/a.wav", "x/a.flac"), ("y/a.mp3", "y/a.flac"), ("x/a.mp3", "x/a.flac"))
    with pytest.raises(UsageError, match=r"x/a\.wav and x/a\.mp3 would both become x/a\.flac"):
        refuse_collisions(both, names_stay=False)


def test_a_changed_name_may_hit_one_that_stays() -> None:
    with pytest.raises(UsageError, match=r"a\.flac and a\.m4a would both become a\.flac"):
        refuse_collisions(files(("a.flac", "a.flac"), ("a.m4a", "a.flac")), names_stay=True)


def test_what_was_seen_is_counted() -> None:
    seen = refuse_collisions(files(("a.wav", "a.wav"), ("b.wav", "b.wav")), names_stay=True)
    assert (seen.files, seen.bytes, seen.complete) == (2, 20, True)


def test_a_huge_listing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collisions, "PATIENCE", 3)
    pairs = [(f"{n}.wav", f"{n}.wav") for n in range(10)]
    assert not refuse_collisions(files(*pairs), names_stay=True).complete
    assert refuse_collisions(files(*pairs), names_stay=False).complete


def test_the_guard_catches_what_lay_beyond(tmp_path: Path) -> None:
    (tmp_path / "b.flac").write_bytes(b"x")
    guard = Guard(
        Route("folder", str(tmp_path), str(tmp_path), "/out", None, "keep"), RunSettings()
    )
    assert guard.check(AudioFile("a.m4a", "a.m4a", "a.flac", 1, 0)) is None
    assert isinstance(guard.check(AudioFile("a.mp4", "a.mp4", "a.flac", 1, 0)), Failed)
    assert isinstance(guard.check(AudioFile("b.m4a", "b.m4a", "b.flac", 1, 0)), Failed)
    assert guard.check(AudioFile("c.flac", "c.flac", "c.flac", 1, 0)) is None
