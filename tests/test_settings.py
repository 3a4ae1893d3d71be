from __future__ import annotations

from dataclasses import fields, replace

from raypipe.settings import RunSettings
from raypipe.types import RawLayout

OTHER = {
    "model": "other",
    "rate_hz": 8000,
    "workers": 7,
    "max_workers": 7,
    "worker_memory_gb": 7.0,
    "lanes": 7,
    "executor": "ray",
    "address": "auto",
    "dashboard": True,
    "include": ("*.wav",),
    "exclude": ("*.wav",),
    "raw": RawLayout(8000),
    "output_format": "flac",
    "suffix": "_x",
    "overwrite": True,
    "fresh": True,
    "atten_limit_db": 7.5,
    "mix": 0.75,
    "clip": "scale",
    "keep_truncated": True,
    "max_failures": 7,
    "timeout_s": 7.0,
    "segment_s": 7.0,
}
SOUND = {"rate_hz", "output_format", "atten_limit_db", "mix", "clip", "keep_truncated"}


def test_the_fingerprint_follows_the_sound_and_nothing_else() -> None:
    assert set(OTHER) == {f.name for f in fields(RunSettings)}
    base = RunSettings()
    for name, value in OTHER.items():
        changed = replace(base, **{name: value}).fingerprint("m") != base.fingerprint("m")
        assert changed == (name in SOUND), name
    assert base.fingerprint("m") != base.fingerprint("n")


def test_outputs_from_before_there_were_strengths_stay_done() -> None:
    assert RunSettings().fingerprint("m") == "102b865db9f6ffa934202438cb7bed74"
