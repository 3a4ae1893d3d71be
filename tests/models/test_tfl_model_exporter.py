"""Exporting fresh models of all kinds, and running what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from models.frame_module import save_frame_model
from models.passthrough_model import CARD, FRAME, build, save
from models.tfl_model_exporter import DESTINATION, export_to_tflite, main
from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.graph import frames_in_a_call
from raypipe.inference.quantize import weight_names
from raypipe.inference.subgraph import signatures
from raypipe.inference.zoo import find_model, load_lane_model, verify

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def tf() -> Any:
    return pytest.importorskip("tensorflow")


def run(path: Path, sound: np.ndarray, rate_hz: int | None = None) -> np.ndarray:
    model = find_model(str(path), rate_hz)
    assert [check for check in verify(model) if not check.ok] == []
    lanes = load_lane_model(model, 16)
    return lanes.process([sound], [lanes.new_state(len(sound))])[0][0]


def noise(hops: int, hop: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (3, hops * hop)).astype(np.float32)


def test_passthrough_is_exported_and_runs(
    tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = export_to_tflite(save(tmp_path / "saved"), card=CARD)
    assert path == Path(DESTINATION)
    assert find_model(str(path)).card == CARD
    sound = noise(4, FRAME)
    assert np.array_equal(run(path, sound), sound)


def test_keras_file_without_a_card_gets_what_its_signature_tells(tf: Any, tmp_path: Path) -> None:
    build(96).save(tmp_path / "mine.keras")
    path = export_to_tflite(tmp_path / "mine.keras", tmp_path / "mine.tflite")
    card = find_model(str(path)).card
    assert (card.name, card.frame, card.memory, card.rate_hz) == ("mine", 96, "stateless", None)
    sound = noise(5, 96)
    assert np.array_equal(run(path, sound), sound)


def echo(name: str) -> Callable[..., dict[str, Any]]:
    def step(frame: Any, kept: Any) -> dict[str, Any]:
        return {"out": frame + 0.5 * kept, name: frame + 0.0}

    return step


def test_state_is_found_by_its_names_and_travels(tf: Any, tmp_path: Path) -> None:
    saved = save_frame_model(echo("kept_out"), {"frame": 32, "kept": 32}, tmp_path / "echo")
    path = export_to_tflite(saved, tmp_path / "echo.tflite")
    card = find_model(str(path)).card
    assert (card.memory, card.tensors.state) == ("recurrent", {"kept": "kept_out"})
    sound = noise(6, 32)
    late = np.pad(sound, ((0, 0), (32, 0)))[:, :-32]
    assert np.array_equal(run(path, sound), sound + np.float32(0.5) * late)


def test_state_with_other_names_needs_a_card(tf: Any, tmp_path: Path) -> None:
    saved = save_frame_model(echo("next"), {"frame": 32, "kept": 32}, tmp_path / "echo")
    with pytest.raises(ModelError, match="found frame, kept in and next, out out for the sound"):
        export_to_tflite(saved, tmp_path / "echo.tflite")


def test_card_that_does_not_fit_the_signature_is_refused(tf: Any, tmp_path: Path) -> None:
    saved = save_frame_model(echo("kept_out"), {"frame": 32, "kept": 32}, tmp_path / "echo")
    with pytest.raises(ModelError, match="found the inputs frame, kept, wanted those of the card"):
        export_to_tflite(saved, tmp_path / "echo.tflite", CARD)
    assert not (tmp_path / "echo.tflite").exists()


def test_fixed_lanes_are_refused(tf: Any, tmp_path: Path) -> None:
    module = tf.Module()
    module.step = tf.function(
        lambda frame: {"out": frame + 0.0},
        input_signature=[tf.TensorSpec([1, 32], tf.float32, name="frame")],
    )
    tf.saved_model.save(module, str(tmp_path / "fixed"), {"serving_default": module.step})
    with pytest.raises(ModelError, match=r"'frame' has the shape \(1, 32\), wanted a free first"):
        export_to_tflite(tmp_path / "fixed", tmp_path / "fixed.tflite")


def test_quantised_weights_take_a_quarter_of_the_room(tf: Any, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(0, 0.05, (256, 256)).astype(np.float32)
    saved = save_frame_model(
        lambda frame: {"out": tf.matmul(tf.tanh(tf.matmul(frame, weights)), weights)},
        {"frame": 256},
        tmp_path / "dense",
    )
    plain = export_to_tflite(saved, tmp_path / "plain.tflite")
    small = export_to_tflite(saved, tmp_path / "small.tflite", quantise=True)
    assert small.stat().st_size < 0.3 * plain.stat().st_size
    sound = noise(4, 256)
    difference = run(plain, sound) - run(small, sound)
    assert 0 < np.std(difference) < 0.05 * np.std(run(plain, sound))


def test_named_weights_stay_float(tf: Any, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(0, 0.05, (256, 256)).astype(np.float32)
    saved = save_frame_model(
        lambda frame: {"out": tf.matmul(tf.tanh(tf.matmul(frame, weights)), weights[:, ::-1])},
        {"frame": 256},
        tmp_path / "dense",
    )
    plain = export_to_tflite(saved, tmp_path / "plain.tflite")
    first, second = weight_names(plain.read_bytes())
    both = export_to_tflite(saved, tmp_path / "both.tflite", quantise=True)
    path = tmp_path / "half.tflite"
    half = export_to_tflite(saved, path, quantise=True, keep_float=[second])
    assert weight_names(half.read_bytes()) == [second]
    assert both.stat().st_size < half.stat().st_size < plain.stat().st_size
    sound = noise(4, 256)
    assert not np.array_equal(run(half, sound), run(both, sound))
    with pytest.raises(ModelError, match=rf"no weights 'x' that could be int8; it has {first}, "):
        export_to_tflite(saved, path, quantise=True, keep_float=["x"])


def test_card_that_names_a_signature_gets_its_graph_and_that_of_several_frames(
    tf: Any, tmp_path: Path
) -> None:
    weights = np.random.default_rng(0).normal(0, 1, (17, 17)).astype(np.float32)
    module, functions = tf.Module(), {}
    for name, frames in (("mask", 1), ("mask_3", 3), ("other", 1)):
        spec = tf.TensorSpec([None, frames, 17], tf.float32, name="magnitude")
        functions[name] = tf.function(
            lambda magnitude: {"mask": tf.sigmoid(tf.matmul(magnitude, weights))},
            input_signature=[spec],
        )
        setattr(module, name, functions[name])
    tf.saved_model.save(module, str(tmp_path / "saved"), functions)
    tensors = Tensors("magnitude", "mask", signature="mask")
    card = ModelCard(name="m", frame=32, hop=16, memory="finite", front_end="stft-mask",
                     latency=16, context=16, rate_hz=16_000, tensors=tensors)  # fmt: skip
    path = export_to_tflite(tmp_path / "saved", tmp_path / "m.tflite", card)
    assert frames_in_a_call(path, card) == (1, 3)
    assert set(signatures(path.read_bytes(), "m")) == {"mask", "mask_3"}
    lanes = load_lane_model(find_model(str(path)), 16)
    sound = noise(7, 16)
    (masked,), _ = lanes.process([sound], [lanes.new_state(len(sound))])
    assert 0 < np.std(masked) < np.std(sound)
    with pytest.raises(ModelError, match="has no signature 'gone'"):
        gone = replace(card, tensors=replace(tensors, signature="gone"))
        export_to_tflite(tmp_path / "saved", path, gone)


def test_script_exports_and_says_where(tf: Any, tmp_path: Path) -> None:
    saved, path = save(tmp_path / "saved"), tmp_path / "mine.tflite"
    options = [str(saved), str(path), "--name", "mine", "--rate", "16000", "--latency", "0"]
    done = CliRunner().invoke(main, options)
    assert (done.exit_code, done.output.strip()) == (0, str(path))
    card = find_model(str(path)).card
    assert (card.name, card.rate_hz) == ("mine", 16_000)


def test_script_says_what_is_wrong_in_one_line(tf: Any, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    done = CliRunner().invoke(main, [str(tmp_path / "nothing"), str(tmp_path / "x.tflite")])
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert "is neither a SavedModel nor a Keras file" in done.output
