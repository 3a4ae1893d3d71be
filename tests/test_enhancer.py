"""A model over arrays: one sound, or streams of many threads, each as if it were alone."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import raypipe
from raypipe import Enhancer, ModelError, UsageError
from tests.poison import MAGIC
from tests.signals import bursts, noise, tone

MODELS = ("passthrough", "delay", "recurrent")
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def recurrent() -> Enhancer:
    return Enhancer("recurrent", lanes=8)


def streamed(
    enhancer: Enhancer, name: str, sound: NDArray[Any], cuts: list[int], rate_hz: int = RATE_HZ
) -> NDArray[np.float32]:
    """The sound in stretches between the cuts, and what was still inside."""
    parts = [enhancer.process_audio(name, part, rate_hz) for part in np.split(sound, cuts, axis=-1)]
    return np.concatenate([*parts, enhancer.end_session(name)], axis=-1)


def cuts_of(frames: int, seed: int, most: int = 3000) -> list[int]:
    steps = np.random.default_rng(seed).integers(0, most, 2 * frames // most + 2)
    return [int(cut) for cut in np.cumsum(steps) if cut < frames]


@pytest.mark.parametrize("shape", [(0,), (1,), (127,), (5000,), (1, 300), (2, 0), (3, 5000)])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_a_sound_keeps_its_shape(recurrent: Enhancer, shape: tuple[int, ...], rate_hz: int) -> None:
    sound = noise(shape[-1], shape[0] if len(shape) == 2 else 1).reshape(shape)
    made = recurrent.process(sound, rate_hz)
    assert made.shape == shape
    assert made.dtype == np.float32


@pytest.mark.parametrize("model", ["passthrough", "delay"])
def test_pass_through_and_delay_give_the_sound_back_to_the_bit(model: str) -> None:
    sound = noise(10_000, 2)
    assert np.array_equal(Enhancer(model).process(sound, 44_100), sound)


def test_a_sound_at_another_rate_than_the_models_comes_back_aligned() -> None:
    sound = tone(44_100, rate_hz=44_100)
    made = Enhancer("passthrough", rate_hz=16_000).process(sound, 44_100)
    assert np.abs(made - sound).max() < 3e-3  # one sample off would be 0.03
    assert not np.array_equal(made, sound)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_float_is_taken_as_float32(recurrent: Enhancer, dtype: type) -> None:
    sound = noise(3000)[0].astype(np.float16)
    expected = recurrent.process(sound.astype(np.float32), RATE_HZ)
    assert np.array_equal(recurrent.process(sound.astype(dtype), RATE_HZ), expected)


def test_a_list_and_a_strided_view_are_taken_too(recurrent: Enhancer) -> None:
    sound = noise(2000, 2)
    expected = recurrent.process(sound, RATE_HZ)
    assert np.array_equal(recurrent.process(sound.tolist(), RATE_HZ), expected)
    assert np.array_equal(recurrent.process(np.asfortranarray(sound), RATE_HZ), expected)
    assert np.array_equal(recurrent.process(sound.repeat(2, axis=1)[:, ::2], RATE_HZ), expected)


def test_the_input_is_left_as_it_was_and_is_not_the_output() -> None:
    enhancer = Enhancer("passthrough")
    sound = noise(1000)
    before = sound.copy()
    made = enhancer.process(sound, RATE_HZ)
    made += 1
    assert np.array_equal(sound, before)


def test_a_callers_buffer_may_be_used_again_at_once() -> None:
    sound = noise(4000)[0]
    enhancer = Enhancer("delay")
    parts = []
    buffer = np.empty(500, np.float32)
    for start in range(0, 4000, 500):
        buffer[:] = sound[start : start + 500]
        parts.append(enhancer.process_audio("a", buffer))
        buffer[:] = np.pi
    assert np.array_equal(np.concatenate([*parts, enhancer.end_session("a")]), sound)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_arrays_and_files_come_out_the_same_to_the_bit(
    tmp_path: Path, model: str, rate_hz: int
) -> None:
    sound = bursts(rate_hz + 77, 2)
    sf.write(tmp_path / "a.wav", sound.T, rate_hz, "FLOAT")
    raypipe.enhance(tmp_path / "a.wav", tmp_path / "b.wav", model=model, segment_s=1)
    made, _ = sf.read(tmp_path / "b.wav", dtype="float32", always_2d=True)
    assert np.array_equal(Enhancer(model).process(sound, rate_hz), made.T)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=15, deadline=None, print_blob=True)
@given(data=st.data())
def test_a_stream_in_any_stretches_is_the_whole(model: str, data: st.DataObject) -> None:
    enhancer = Enhancer(model, lanes=4)
    frames = data.draw(st.integers(0, 6000), "frames")
    channels = data.draw(st.integers(1, 3), "channels")
    rate_hz = data.draw(st.sampled_from([8000, 16_000, 22_050, 48_000]), "rate_hz")
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), max_size=12), "cuts"))
    sound = noise(frames, channels)
    made = streamed(enhancer, "a", sound, cuts, rate_hz)
    assert np.array_equal(made, enhancer.process(sound, rate_hz))


def test_many_threads_get_each_their_own_audio_in_order(recurrent: Enhancer) -> None:
    sounds = [noise(int(9000 + 700 * n), 1 + n % 2, seed=n) for n in range(24)]
    expected = [recurrent.process(sound, RATE_HZ) for sound in sounds]
    together = threading.Barrier(len(sounds))

    def stream(number: int) -> NDArray[np.float32]:
        together.wait()
        sound = sounds[number]
        return streamed(recurrent, f"s{number}", sound, cuts_of(sound.shape[1], number))

    with ThreadPoolExecutor(len(sounds)) as pool:
        made = list(pool.map(stream, range(len(sounds))))
    for number, (one, own) in enumerate(zip(made, expected, strict=True)):
        assert np.array_equal(one, own), f"session {number}"


def test_what_threads_ask_for_together_is_stepped_together(monkeypatch: pytest.MonkeyPatch) -> None:
    enhancer = Enhancer("recurrent", lanes=8)
    widths, inside, go_on = watched(enhancer, monkeypatch)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(enhancer.process, noise(500), RATE_HZ)
        inside.wait(10)
        others = [pool.submit(enhancer.process, noise(500, seed=n), RATE_HZ) for n in range(8)]
        wait_until(lambda: len(enhancer._together._asked) == 8)
        go_on.set()
        for each in (first, *others):
            each.result(10)
    assert widths == [1, 8]


def test_one_faulty_job_does_not_harm_those_that_step_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enhancer = Enhancer("python:tests.poison:buggy", lanes=8)
    widths, inside, go_on = watched(enhancer, monkeypatch)
    poison = noise(500)
    poison[0, 100] = MAGIC
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(enhancer.process, noise(500), RATE_HZ)
        inside.wait(10)
        faulty = [pool.submit(enhancer.process, poison, RATE_HZ) for _ in range(2)]
        good = [pool.submit(enhancer.process, noise(500, seed=n), RATE_HZ) for n in range(6)]
        wait_until(lambda: len(enhancer._together._asked) == 8)
        go_on.set()
        errors = [each.exception(10) for each in faulty]
        assert [type(error) for error in errors] == [ZeroDivisionError, ZeroDivisionError]
        assert errors[0] is not errors[1]
        for number, each in enumerate(good):
            assert np.array_equal(each.result(10), noise(500, seed=number))
        assert np.array_equal(first.result(10), noise(500))
    assert widths == [1, 8, *[1] * 8]


def test_an_interrupt_of_one_thread_is_not_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    enhancer = Enhancer("passthrough", lanes=8)
    inside, go_on = threading.Event(), threading.Event()
    step = enhancer._enhance.step
    calls = []

    def interrupted_once(jobs: Any) -> Any:
        calls.append(len(jobs))
        if len(calls) == 1:
            inside.set()
            go_on.wait(10)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return step(jobs)

    monkeypatch.setattr(enhancer._enhance, "step", interrupted_once)

    def ask(number: int) -> Any:
        try:
            return enhancer.process(noise(100, seed=number), RATE_HZ)
        except KeyboardInterrupt as interrupt:
            return interrupt

    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(ask, 0)]
        inside.wait(10)
        asked += [pool.submit(ask, number) for number in range(1, 5)]
        wait_until(lambda: len(enhancer._together._asked) == 4)
        go_on.set()
        made = [each.result(10) for each in asked]
    interrupted = [isinstance(one, KeyboardInterrupt) for one in made]
    assert sum(interrupted) == 1
    for number, one in enumerate(made):
        if not interrupted[number]:
            assert np.array_equal(one, noise(100, seed=number))
    assert calls == [1, 4, 3]


def test_a_session_goes_on_after_a_bad_stretch() -> None:
    enhancer = Enhancer("python:tests.poison:buggy")
    sound = noise(3000)[0]
    poison = np.full(2000, MAGIC)
    parts = [enhancer.process_audio("a", sound[:1000])]
    with pytest.raises(ZeroDivisionError):
        enhancer.process_audio("a", poison)
    with pytest.raises(UsageError, match="NaN"):
        enhancer.process_audio("a", np.full(10, np.nan, np.float32))
    parts.append(enhancer.process_audio("a", sound[1000:]))
    parts.append(enhancer.end_session("a"))
    assert np.array_equal(np.concatenate(parts), sound)


def test_an_ended_session_is_gone_and_its_name_is_free() -> None:
    enhancer = Enhancer("delay")
    sound = noise(2000)[0]
    first = streamed(enhancer, "a", sound, [700])
    with pytest.raises(UsageError, match="there is no session 'a'"):
        enhancer.end_session("a")
    assert np.array_equal(streamed(enhancer, "a", sound, [100, 1500]), first)


def test_a_stretch_that_comes_as_the_session_ends_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    enhancer = Enhancer("delay")
    head = enhancer.process_audio("a", noise(1000)[0])
    _, inside, go_on = watched(enhancer, monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        tail = pool.submit(enhancer.end_session, "a")
        inside.wait(10)
        late = pool.submit(enhancer.process_audio, "a", noise(10)[0])
        time.sleep(0.1)  # as a rule it waits for its turn by then
        go_on.set()
        assert np.array_equal(np.concatenate([head, tail.result(10)]), noise(1000)[0])
        error = late.exception(10)
    if error is None:  # it came so late that it began a new session
        assert enhancer.end_session("a").shape == (10,)
    else:
        assert "was ended by another thread" in str(error)


def test_a_session_without_sound_ends_with_nothing() -> None:
    enhancer = Enhancer("recurrent")
    assert enhancer.process_audio("a", np.zeros(0, np.float32)).shape == (0,)
    assert enhancer.end_session("a").shape == (0,)
    assert enhancer.process_audio("b", np.zeros((2, 0), np.float32)).shape == (2, 0)
    assert enhancer.end_session("b").shape == (2, 0)


def test_a_session_runs_at_the_models_own_rate_unless_told() -> None:
    enhancer = Enhancer("recurrent")
    sound = noise(5000)[0]
    made = np.concatenate([enhancer.process_audio("a", sound), enhancer.end_session("a")])
    assert np.array_equal(made, enhancer.process(sound, 16_000))


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.float32(1), "must have shape (samples,) or (channels, samples), not ()"),
        (np.zeros((1, 2, 3), np.float32), "must have shape"),
        (np.zeros((0, 3), np.float32), "must have shape (samples,) or (channels, samples)"),
        (np.zeros(3, np.int16), "must be floats with full scale at 1, not int16"),
        ([1, 2, 3], "must be floats"),
        (["a"], "must be floats"),
        ([[1.0], [1.0, 2.0]], "do not make an array"),
        (np.array([0, np.nan], np.float32), "must be finite"),
        (np.array([1e300]), "must be finite"),
    ],
)
def test_samples_that_are_no_sound_are_refused(
    recurrent: Enhancer, samples: Any, words: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        recurrent.process(samples, RATE_HZ)
    with pytest.raises(UsageError, match=re.escape(words)):
        recurrent.process_audio("never", samples)
    with pytest.raises(UsageError, match="no session 'never'"):
        recurrent.end_session("never")


@pytest.mark.parametrize("rate_hz", [0, -1, 44_100.0, "16000", 10**9])
def test_a_rate_that_is_none_is_refused(recurrent: Enhancer, rate_hz: Any) -> None:
    with pytest.raises(UsageError, match="rate_hz must be a whole number from 1 to 1536000"):
        recurrent.process(noise(10), rate_hz)
    with pytest.raises(UsageError, match="rate_hz must be a whole number from 1 to 1536000"):
        recurrent.process_audio("never", noise(10), rate_hz)


def test_a_numpy_integer_is_a_rate(recurrent: Enhancer) -> None:
    assert recurrent.process(noise(10), np.int64(8000)).shape == (1, 10)  # type: ignore[arg-type]


def test_a_stream_cannot_change_its_channels_or_its_rate() -> None:
    enhancer = Enhancer("passthrough")
    enhancer.process_audio("a", noise(10, 2), 8000)
    with pytest.raises(UsageError, match="session 'a' has 2 channels, not 1"):
        enhancer.process_audio("a", noise(10, 1), 8000)
    with pytest.raises(UsageError, match="session 'a' runs at 8000 Hz, not 16000"):
        enhancer.process_audio("a", noise(10, 2), 16_000)


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(ModelError, match="no model 'nope'"):
        Enhancer("nope")
    with pytest.raises(ModelError, match="wanted the 8000 that was asked for"):
        Enhancer("recurrent", rate_hz=8000)


def watched(
    enhancer: Enhancer, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[int], threading.Event, threading.Event]:
    """How many jobs each step had; the first step tells that it is inside, and waits."""
    widths: list[int] = []
    inside, go_on = threading.Event(), threading.Event()
    step = enhancer._enhance.step

    def slow_at_first(jobs: Any) -> Any:
        widths.append(len(jobs))
        if len(widths) == 1:
            inside.set()
            assert go_on.wait(10)
        return step(jobs)

    monkeypatch.setattr(enhancer._enhance, "step", slow_at_first)
    return widths, inside, go_on


def wait_until(condition: Callable[[], bool]) -> None:
    moment = threading.Event()
    for _ in range(1000):
        if condition():
            return
        moment.wait(0.01)
    raise AssertionError("it did not come to that in ten seconds")
