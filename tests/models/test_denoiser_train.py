"""A training that was stopped goes on as if it had not been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.denoiser.data import load
from models.denoiser.feeding import TOGETHER, _coming, number_at
from models.denoiser.history import History, best_of, rows
from models.denoiser.losses import losses
from models.denoiser.mixing import mix, shapes_of
from models.denoiser.network import SHAPES, band_sequence, new_state
from models.denoiser.train import Plan, train
from models.denoiser.trainer import Trainer
from models.denoiser.validate import add_row
from tests.models.denoiser_made import folder, library

LANES = 2


def plan(steps: int) -> Plan:
    return Plan(minutes=0, steps=steps, rate=1e-3, lanes=LANES, seed=3, every_min=0)


@pytest.mark.slow
def test_a_resumed_training_gives_the_same_weights(tmp_path: Path) -> None:
    audio = folder(tmp_path / "audio")
    whole = train(audio, tmp_path / "whole", plan(4)).averaged
    halves = tmp_path / "halves"
    # The rate follows the steps of the whole plan, so a shorter one is no stop.
    train(audio, halves, replace(plan(4), stop_at=2))
    resumed = train(audio, halves, plan(4)).averaged
    assert set(whole) == set(SHAPES)
    for name, values in whole.items():
        np.testing.assert_allclose(values, resumed[name], atol=1e-6, err_msg=name)
    with np.load(halves / "weights.npz") as saved:
        np.testing.assert_array_equal(saved["leave.bias"], resumed["leave.bias"])


@pytest.mark.parametrize("first", range(17))
def test_batches_come_in_the_order_of_need(first: int) -> None:
    coming, made = _coming(first), set()
    for step in range(first, first + 30):
        while number_at(step) not in made:
            assert len(made) < TOGETHER
            made.add(next(coming))
        if step % (2 * TOGETHER) >= TOGETHER:
            made.remove(number_at(step))


def test_parts_have_their_own_cache(tmp_path: Path) -> None:
    audio = folder(tmp_path / "audio")
    parts = {part: load(audio, tmp_path / "cache", part) for part in ("train", "test")}
    heard = {
        part: {clip.source for clips in one.speech.values() for clip in clips}
        for part, one in parts.items()
    }
    assert heard["train"] and heard["test"] and not heard["train"] & heard["test"]
    again = load(Path("nowhere"), tmp_path / "cache", "train")
    assert again.noise.keys() == parts["train"].noise.keys() == {"rain"}


def test_the_rate_grows_and_falls_to_nearly_nothing() -> None:
    by_time = Plan(minutes=10, steps=None, rate=1.0, lanes=1, seed=0, every_min=0)
    assert by_time.rate_at(0, 0.0) < 0.05
    assert by_time.rate_at(500, 1.0) > 0.9
    assert by_time.rate_at(5000, 10.0) == pytest.approx(0.01)
    assert by_time.is_over(5000, 10.0) and not by_time.is_over(5000, 9.9)


def test_the_best_weights_and_the_picture(tmp_path: Path) -> None:
    table = tmp_path / "validation.csv"
    assert best_of(table) == ""
    for name, pesq, ratio in (
        ("noisy", 1.7, 9),
        ("4.0", 2.0, 12),
        ("12.0", 2.1, 13),
        ("20.0", 2.1, 9),
    ):
        add_row(table, {"name": name, "pesq": pesq, "si_sdr": ratio})
    assert best_of(table) == "12.0"
    add_row(
        tmp_path / "log.csv",
        {"minutes": 1, "total": 0.1, "magnitude": 0.1, "phase": 1, "eaten": 1, "high": 1},
    )
    assert [row["minutes"] for row in rows(tmp_path / "log.csv")] == ["1"]
    pytest.importorskip("matplotlib")
    History(tmp_path).draw()
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")


def test_a_step_goes_down_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled as it is, the step moves the weights as the plain computation says."""
    import tensorflow as tf

    monkeypatch.setattr("models.denoiser.trainer.PARTS", 1)
    batch = {name: np.zeros(shape, np.float32) for name, shape in shapes_of(LANES).items()}
    mix(library(), 1, 0, batch)
    trainer = Trainer(seed=3, lanes=LANES)
    before = {name: tf.Variable(values) for name, values in trainer.averaged.items()}
    with tf.GradientTape() as tape:
        gains, _ = band_sequence(before, batch["bands"], new_state(LANES))
        found = losses(gains, batch)
        total = tf.reduce_mean(found["total"])
    gradients = tape.gradient(total, before)
    told = trainer.step(batch, 1e-3)
    for name, values in found.items():
        assert told[name] == pytest.approx(float(tf.reduce_mean(values)), rel=1e-4, abs=1e-6)
    after = trainer.averaged
    for name, gradient in gradients.items():
        large = np.abs(gradient) > 0.1 * np.abs(gradient).max()
        moved = (after[name] - before[name].numpy())[large]
        # The first step of Adam goes by signs alone.
        np.testing.assert_array_equal(np.sign(moved), -np.sign(gradient.numpy()[large]), name)
