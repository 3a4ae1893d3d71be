"""A model inside Ray Data: every row as if it were alone, and none lost."""

from __future__ import annotations

import importlib.util
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

import raypipe
from raypipe import AudioError, EnhanceBatches, Enhancer, ModelError, UsageError
from raypipe.audio.read import open_sound
from raypipe.types import RawLayout
from tests.poison import MAGIC
from tests.signals import bursts, noise, tone

SAMPLES = Path(__file__).resolve().parents[1] / "audio_samples"
RAW = "rate=48000,channels=1,sample=s16le"
MISSING = [name for name in ("pandas", "pyarrow") if importlib.util.find_spec(name) is None]

SOUNDS = [
    (bursts(5000), 16_000),
    (noise(1, 2), 44_100),
    (tone(20_001, 3, 48_000), 48_000),
    (noise(0, 1), 8_000),
    (bursts(7777, 1, 5), 22_050),
    (noise(300, 1), 16_000),
]
"""Of different lengths, rates and numbers of channels."""


def batch_of(sounds: list[tuple[NDArray[Any], int]], **columns: Any) -> dict[str, Any]:
    amplitude = np.empty(len(sounds), object)
    amplitude[:] = [sound for sound, _ in sounds]
    rates = np.array([rate_hz for _, rate_hz in sounds], np.int64)
    return {"amplitude": amplitude, "sample_rate": rates, **columns}


def wav(sound: NDArray[Any], rate_hz: int = 16_000, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    sf.write(file, sound.T, rate_hz, subtype, format="WAV")
    return file.getvalue()


def sample_files() -> list[Path]:
    audio = {".raw", ".ogg", ".aiff", ".wav", ".mp3", ".flac"}
    return sorted(path for path in SAMPLES.rglob("*") if path.suffix in audio)


def alone(path: Path, enhancer: Enhancer) -> tuple[NDArray[np.float32], int]:
    """What the file's sound becomes by itself, and its rate."""
    with open_sound(str(path), None, RawLayout(48_000)) as reader:
        sound = reader.read(1 << 30)
    return enhancer.process(sound, reader.info.rate_hz), reader.info.rate_hz


@pytest.mark.parametrize("model", ["passthrough", "delay", "recurrent"])
@pytest.mark.parametrize("lanes", [2, 70])
def test_each_row_is_what_it_would_be_alone(model: str, lanes: int) -> None:
    batch = batch_of(SOUNDS)
    made = EnhanceBatches(model, lanes=lanes)(batch)
    alone = Enhancer(model)
    for (sound, rate_hz), out in zip(SOUNDS, made["amplitude"], strict=True):
        assert out.dtype == np.float32
        assert np.array_equal(out, alone.process(sound, rate_hz))
    assert set(made) == {"amplitude", "sample_rate"}
    assert made["sample_rate"] is batch["sample_rate"]


def test_what_comes_in_stays_as_it_was_and_other_columns_go_through() -> None:
    before = [sound.copy() for sound, _ in SOUNDS]
    labels = np.arange(len(SOUNDS))
    batch = batch_of(SOUNDS, label=labels)
    names = list(batch)
    made = EnhanceBatches("recurrent")(batch)
    assert made["label"] is labels
    assert list(batch) == names
    for sound, kept in zip(batch["amplitude"], before, strict=True):
        assert np.array_equal(sound, kept)


def test_rows_in_one_block_of_memory_and_flat_ones_are_taken_too() -> None:
    block = noise(4000, 5).astype(np.float64)
    block.flags.writeable = False
    made = EnhanceBatches("recurrent")({"amplitude": block, "sample_rate": np.full(5, 16_000)})
    alone = Enhancer("recurrent")
    for sound, out in zip(block, made["amplitude"], strict=True):
        assert out.shape == (4000,)
        assert np.array_equal(out, alone.process(sound, 16_000))


def test_an_empty_batch_stays_empty() -> None:
    made = EnhanceBatches("passthrough", on_error="column")(batch_of([]))
    assert [len(column) for column in made.values()] == [0, 0, 0]


def test_whole_files_are_decoded_as_a_run_decodes_them() -> None:
    paths = sample_files()
    batch = {"bytes": [path.read_bytes() for path in paths], "path": [str(p) for p in paths]}
    made = EnhanceBatches("recurrent", raw=RAW)(batch)
    assert set(made) == {"path", "amplitude", "sample_rate"}
    enhancer = Enhancer("recurrent")
    for number, path in enumerate(paths):
        expected, rate_hz = alone(path, enhancer)
        assert np.array_equal(made["amplitude"][number], expected), path
        assert made["sample_rate"][number] == rate_hz
    assert len(paths) == 7


def test_bytes_stay_where_they_are_asked_for() -> None:
    batch = {"bytes": [wav(noise(100))]}
    assert EnhanceBatches("passthrough", keep_bytes=True)(batch)["bytes"] == batch["bytes"]


def test_wide_files_are_what_their_float32_samples_become() -> None:
    sound = noise(3000, 2).astype(np.float64) / 3
    made = EnhanceBatches("recurrent")({"bytes": [wav(sound, subtype="DOUBLE")]})
    assert np.array_equal(made["amplitude"][0], Enhancer("recurrent").process(sound, 16_000))


def test_a_row_that_cannot_be_decoded_stays_with_its_reason() -> None:
    whole = wav(noise(5000))
    batch = {
        "bytes": [whole, b"no audio at all", b"", whole[:6000], whole, b"\0" * 10],
        "path": ["a.wav", "b.wav", "c.wav", "d.wav", "e.wav", "f.raw"],
    }
    made = EnhanceBatches("recurrent", on_error="column")(batch)
    assert list(made["path"]) == batch["path"]
    errors = made["error"]
    assert errors[0] == errors[4] == ""
    assert "libsndfile says: Format not recognised" in errors[1]
    assert errors[2] == "is empty (0 bytes)"
    assert errors[3].startswith("header promises 5000 samples (0.31 s), the sound ends at 2978")
    assert "has no header" in errors[5]
    assert [sound.shape for sound in made["amplitude"]] == [
        (1, 5000), (1, 0), (1, 0), (1, 0), (1, 5000), (1, 0),
    ]  # fmt: skip
    assert made["sample_rate"].tolist() == [16_000, 0, 0, 0, 16_000, 0]
    decoded = sf.read(io.BytesIO(whole), dtype="float32")[0]
    assert np.array_equal(made["amplitude"][4][0], Enhancer("recurrent").process(decoded, 16_000))
    kept = EnhanceBatches("recurrent", on_error="column", keep_truncated=True)(batch)
    assert [bool(error) for error in kept["error"]] == [False, True, True, False, False, True]
    assert kept["amplitude"][3].shape == (1, 2978)


def test_a_row_that_is_no_sound_stays_with_its_reason() -> None:
    good, nan = noise(100), noise(100)
    nan[0, 7] = np.nan
    rows = [
        (good, 16_000), (nan, 16_000), (good, 0), (np.zeros((1, 9), np.int16), 8000),
        (np.zeros((1, 1, 9), np.float32), 8000),
    ]  # fmt: skip
    made = EnhanceBatches("passthrough", on_error="column")(batch_of(rows))
    assert [error[:30] for error in made["error"]] == [
        "", "samples must be finite; there ", "rate_hz must be a whole number",
        "samples must be floats with fu", "samples must have shape (sampl",
    ]  # fmt: skip
    assert [len(sound) for sound in made["amplitude"]] == [1] * 5
    assert np.array_equal(made["amplitude"][0], good)
    assert all(sound.shape[1] == 0 for sound in made["amplitude"][1:])


@pytest.mark.parametrize("model", ["nan_maker", "infinity_maker"])
def test_a_row_of_which_the_model_makes_no_sound_is_at_fault_alone(model: str) -> None:
    spoiled = np.zeros((1, 50), np.float32)
    spoiled[0, 20] = MAGIC
    batch = batch_of([(noise(60), 8000), (spoiled, 8000)], path=np.array(["a", "b"]))
    model = f"python:tests.execution.lane_models:{model}"
    made = EnhanceBatches(model, on_error="column")(batch)
    assert made["error"] == ["", "the model made NaN or infinite samples of it"]
    assert np.array_equal(made["amplitude"][0], batch["amplitude"][0])
    assert made["amplitude"][1].shape == (1, 0)
    with pytest.raises(AudioError, match=r"^b: the model made NaN or infinite samples of it$"):
        EnhanceBatches(model)(batch)


def test_errors_of_an_earlier_stage_are_kept() -> None:
    first, then = (EnhanceBatches("passthrough", on_error="column") for _ in range(2))
    sounds = [(noise(10), 8000), (np.full((1, 5), np.inf, np.float32), 8000)]
    once = first(batch_of(sounds))
    twice = then(once)
    assert once["error"] == twice["error"]
    assert twice["amplitude"][1].shape == (1, 0)
    decoded = first({"bytes": [b"none", wav(noise(9))]})
    assert decoded["error"][0]
    assert then(decoded)["error"] == decoded["error"]


def test_an_error_that_is_raised_names_the_row_and_crosses_processes() -> None:
    for batch, words in (
        ({"bytes": [wav(noise(9)), b""], "path": ["a.wav", "b.wav"]}, "b.wav: is empty (0 bytes)"),
        ({"bytes": [wav(noise(9)), b""]}, "row 1 of its batch: is empty (0 bytes)"),
        (
            batch_of([(np.full((1, 5), np.inf, np.float32), 8000)]),
            "row 0 of its batch: samples must be finite; there is NaN or infinity among them",
        ),
    ):
        with pytest.raises(AudioError) as caught:
            EnhanceBatches("passthrough")(batch)
        assert str(caught.value) == words
        assert str(pickle.loads(pickle.dumps(caught.value))) == words


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": "nope"}, ModelError, "no model 'nope'"),
        ({"on_error": "skip"}, UsageError, "on_error must be one of raise, column, not 'skip'"),
        ({"raw": "44100"}, UsageError, "raw layout '44100' cannot be read"),
        ({"lanes": 0}, ModelError, "found 0 lanes"),
    ],
)
def test_an_option_that_cannot_be_meant_is_an_error(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        EnhanceBatches(**options)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"audio": [1], "path": ["a"]}, "no column 'amplitude'.* found: audio, path"),
        ({}, "found: none"),
        ({"amplitude": [noise(5)]}, "the column 'amplitude', but not 'sample_rate'"),
    ],
)
def test_a_batch_without_sound_is_an_error(columns: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        EnhanceBatches("passthrough", on_error="column")(columns)


def test_it_is_part_of_the_public_face() -> None:
    assert raypipe.EnhanceBatches is EnhanceBatches


needs_ray_data = pytest.mark.skipif(
    bool(MISSING), reason=f"Ray Data needs {' and '.join(MISSING)}, which are not installed"
)


@needs_ray_data
@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")  # Ray Data of its own settings
@pytest.mark.parametrize("form", ["read_audio", "read_binary_files"])
def test_a_pipeline_gives_what_each_file_gives_alone(
    form: str, tmp_path: Path, ray_cluster: None
) -> None:
    import ray.data

    for number, (sound, rate_hz) in enumerate(SOUNDS * 3):
        sf.write(tmp_path / f"{number:02}.wav", sound.T, rate_hz, "FLOAT")
    read = getattr(ray.data, form)
    rows = read(str(tmp_path), include_paths=True, override_num_blocks=3).map_batches(
        EnhanceBatches, fn_constructor_kwargs={"model": "recurrent"},
        batch_size=7, concurrency=1, num_cpus=1,
    ).take_all()  # fmt: skip
    enhancer = Enhancer("recurrent")
    assert len(rows) == len(SOUNDS) * 3
    for row in rows:
        sound, rate_hz = SOUNDS[int(Path(row["path"]).stem) % len(SOUNDS)]
        assert row["sample_rate"] == rate_hz
        assert np.array_equal(row["amplitude"], enhancer.process(sound, rate_hz))
        assert "bytes" not in row


@needs_ray_data
@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")  # Ray Data of its own settings
def test_in_a_pipeline_a_broken_file_is_a_row_or_the_end(tmp_path: Path, ray_cluster: None) -> None:
    import ray.data

    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(wav(noise(100 + number)))
    (tmp_path / "bad.wav").write_bytes(b"no audio at all")
    for name in ("1.wav", "bad.wav"):  # each block alone, and blocks without one good row
        files = ray.data.read_binary_files(
            [str(tmp_path / name), str(tmp_path / "bad.wav")], include_paths=True
        )
        rows = files.map_batches(
            EnhanceBatches,
            concurrency=1,
            fn_constructor_kwargs={"model": "passthrough", "on_error": "column"},
        ).take_all()
        errors = {Path(row["path"]).name: row["error"] for row in rows}
        assert len(rows) == 2
        assert errors["bad.wav"].startswith("libsndfile says")
        assert errors.get("1.wav", "") == ""
    files = ray.data.read_binary_files(str(tmp_path), include_paths=True)
    with pytest.raises(Exception, match=r"bad\.wav: libsndfile says: Format not recognised"):
        files.map_batches(
            EnhanceBatches, fn_constructor_kwargs={"model": "passthrough"}, concurrency=1
        ).materialize()
