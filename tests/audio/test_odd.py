"""Every odd file ends in samples or in one readable reason.

The files are read in processes of their own, a folder at a time: a decoder that crashes or
hangs then shows as a failed test instead of ending the run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

TIME_LIMIT_S = 120
READER = """
import json, sys
from raypipe.audio.read import open_sound
from raypipe.errors import AudioError

for path in sys.stdin.read().split("\\0"):
    try:
        with open_sound(path) as reader:
            frames = 0
            while not reader.at_end:
                frames += reader.read(50_000).shape[1]
        answer = ["samples", reader.info.decoder, frames]
    except AudioError as error:
        answer = [type(error).__name__, error.reason, str(error)]
    print(json.dumps([path, answer]), flush=True)
"""


def test_every_odd_file_gives_samples_or_one_readable_reason(odd: Path) -> None:
    answers: dict[str, list[str]] = {}
    paths = []
    for folder in sorted(odd.iterdir()):
        batch = [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
        paths += batch
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", READER],
            input="\0".join(batch),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
        answers.update(json.loads(line) for line in done.stdout.splitlines())
        assert done.returncode == 0, (batch[len(answers) % len(batch)], done.stderr[-2000:])
    assert sorted(answers) == sorted(paths)
    for path, (kind, reason, *_) in answers.items():
        if kind != "samples":
            assert reason.isprintable(), path
            assert len(reason) < 250, path
            assert str(path) not in reason
    counts = Counter(kind for kind, *_ in answers.values())
    assert set(counts) == {"samples", "UnreadableAudio", "UnsupportedAudio", "TruncatedAudio"}
    assert counts["samples"] > 500


def test_the_good_ones_among_the_odd_files_have_their_known_lengths(odd: Path) -> None:
    known = {
        "Borewit-music-metadata/test/samples/flac/test-unknown-duration.flac": 220_500,
        "Borewit-music-metadata/test/samples/mp3/layer3/he_44khz.mp3": 472_320,
    }
    done = subprocess.run(
        [sys.executable, "-c", READER],
        input="\0".join(str(odd / name) for name in known),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=True,
    )
    answers = dict(json.loads(line) for line in done.stdout.splitlines())
    for name, frames in known.items():
        assert answers[str(odd / name)] == ["samples", "soundfile", frames]
