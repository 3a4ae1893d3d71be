from __future__ import annotations

from pathlib import Path

import pytest

from raypipe.configuration import make_settings, parse_raw
from raypipe.errors import UsageError
from raypipe.settings import RunSettings
from raypipe.types import RawLayout


def test_later_sources_win(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('workers = 2\nlanes = 4\noutput-format = "flac"\n')
    made = make_settings(
        {"workers": "8"}, config=config, environment={"RAYPIPE_WORKERS": "4", "RAYPIPE_LANES": "16"}
    )
    assert (made.workers, made.lanes, made.output_format) == (8, 16, "flac")


def test_auto_means_none() -> None:
    assert make_settings({"workers": "auto", "timeout": "auto"}, environment={}) == RunSettings()


@pytest.mark.parametrize("text", ["none", "inf", ""])
def test_no_limit_is_one_setting_however_it_is_said(text: str) -> None:
    made = make_settings({"atten_limit": text}, environment={"RAYPIPE_MIX": "0.5"})
    assert made == RunSettings(mix=0.5)
    assert make_settings(environment={"RAYPIPE_ATTEN_LIMIT": "12"}).atten_limit_db == 12


def test_a_toml_table_gives_the_raw_layout(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('[raw]\nrate = 8000\nchannels = 2\nsample = "f32be"\n')
    assert make_settings(config=config, environment={}).raw == RawLayout(8000, 2, "f32be")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"workers": 0}, "workers must be auto or at least 1, not 0"),
        ({"workers": "many"}, "workers must be auto or a whole number, not 'many'"),
        ({"lanes": 1.5}, "lanes must be auto or a whole number, not 1.5"),
        ({"timeout": "soon"}, "timeout_s must be auto or a number of seconds, not 'soon'"),
        ({"max_workers": 0}, "max_workers must be auto or at least 1, not 0"),
        ({"workers": 3, "max_workers": 2}, "workers 3 is more than max_workers 2; give one"),
        ({"worker_memory": "all"}, "worker_memory_gb must be auto or a number, not 'all'"),
        ({"worker_memory": 0}, "worker_memory_gb must be more than 0 GB, not 0"),
        ({"atten_limit": -1}, "atten_limit_db must be none or at least 0 dB, not -1"),
        ({"atten_limit": "nan"}, "atten_limit_db must be none or at least 0 dB, not nan"),
        ({"atten_limit": "auto"}, "atten_limit_db must be none or a number of dB, not 'auto'"),
        ({"mix": 1.5}, "mix must be from 0 to 1, not 1.5"),
        ({"mix": "nan"}, "mix must be from 0 to 1, not nan"),
        ({"mix": "half"}, "mix must be a number, not 'half'"),
        ({"timeout_s": -1}, "timeout_s must be more than 0 seconds, not -1"),
        (
            {"executor": "inline", "dashboard": True},
            "executor inline works in this process: no Ray",
        ),
        ({"executor": "dask"}, "executor must be one of auto, inline, ray, not 'dask'"),
        ({"clip": "hard"}, "clip must be one of count, scale, not 'hard'"),
        ({"overwrite": "perhaps"}, "overwrite must be true or false, not 'perhaps'"),
        ({"suffix": "a/b"}, "suffix must not hold a path separator"),
        ({"max_failures": 0}, "max_failures must be at least 1, not 0"),
        ({"colour": "red"}, "argument 'colour' is not a setting; known: address"),
        ({"raw": "rate=1,sample=s12"}, "raw sample type 's12' is not known"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    flags: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(")) as caught:
        make_settings(flags, environment={})
    assert "\n" not in str(caught.value)


def test_a_broken_config_names_the_file(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text("workers = = 2")
    with pytest.raises(UsageError, match=r"run\.toml: is not TOML"):
        make_settings(config=config, environment={})
    with pytest.raises(UsageError, match=r"no\.toml: cannot be read"):
        make_settings(config=tmp_path / "no.toml", environment={})


@pytest.mark.parametrize(
    "text", ["rate", "rate=", "rate=x", "channels=1", "rate=1,rate:2", "", "rate=0", "size=3"]
)
def test_an_unreadable_raw_layout_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="raw"):
        parse_raw(text)
