"""DNSMOS against the published procedure, written out plainly with the same networks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from raypipe.errors import ModelError, UsageError
from raypipe.quality.dnsmos import (
    DNSMOS_HZ,
    MOST_WINDOWS,
    P808,
    P835,
    WINDOW,
    Dnsmos,
    DnsmosScores,
    find_networks,
    log_mel,
    windows,
)
from tests.quality.speech import hiss, syllables

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
NETWORKS = SHARED / "models/dnsmos"


@pytest.fixture(scope="module")
def networks() -> Path:
    pytest.importorskip("onnxruntime")
    if not NETWORKS.is_dir():
        pytest.skip("the DNSMOS networks are not beside this checkout")
    return NETWORKS


def published(path: Path, audio: NDArray[np.float64]) -> dict[str, float]:
    """What dnsmos_local.py does with 16 kHz sound, step by step."""
    import onnxruntime

    p835 = onnxruntime.InferenceSession(str(path / P835), providers=["CPUExecutionProvider"])
    p808 = onnxruntime.InferenceSession(str(path / P808), providers=["CPUExecutionProvider"])
    fs, input_length = 16_000, 9.01
    length = int(input_length * fs)
    while len(audio) < length:
        audio = np.append(audio, audio)
    hops = int(np.floor(len(audio) / fs) - input_length) + 1
    rows = []
    for index in range(hops):
        segment = audio[int(index * fs) : int((index + input_length) * fs)]
        if len(segment) < length:
            continue
        raw = p835.run(None, {"input_1": segment[None].astype("float32")})[0][0]
        mel = plain_mel(segment[:-160].astype("float32"))
        older = p808.run(None, {"input_1": mel[None].astype("float32")})[0][0][0]
        sig = 0.0052439 + 1.22083953 * raw[0] - 0.08397278 * raw[0] ** 2
        bak = -0.39604546 + 1.60915514 * raw[1] - 0.13166888 * raw[1] ** 2
        ovrl = 0.04602535 + 1.11546468 * raw[2] - 0.06766283 * raw[2] ** 2
        rows.append((sig, bak, ovrl, older))
    names = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl", "dnsmos_p808")
    return dict(zip(names, np.mean(rows, axis=0), strict=True))


def plain_mel(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    """Slaney's mel bands of centred frames, one by one."""

    def to_hz(mel: float) -> float:
        return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)

    top = 15 + 27 * np.log(8) / np.log(6.4)
    edges = [to_hz(m) for m in np.linspace(0, top, 122)]
    hann = np.array([np.sin(np.pi * n / 321) ** 2 for n in range(321)])
    audio = np.concatenate([np.zeros(160), audio, np.zeros(160)])
    rows = []
    for start in range(0, len(audio) - 320, 160):
        power = np.abs(np.fft.fft(audio[start : start + 321] * hann))[:161] ** 2
        hz = np.arange(161) * 16_000 / 321
        row = []
        for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
            up, down = (hz - low) / (middle - low), (high - hz) / (high - middle)
            row.append(power @ np.clip(np.minimum(up, down), 0, None) * 2 / (high - low))
        rows.append(row)
    level = 10 * np.log10(np.maximum(rows, 1e-10) / np.max(rows))
    return (np.maximum(level, -80) + 40) / 40


@pytest.mark.parametrize("seconds", [2.5, 9.01, 10.0, 11.3])
def test_it_is_the_published_procedure(networks: Path, seconds: float) -> None:
    sound = syllables(seconds, DNSMOS_HZ) + hiss(round(seconds * DNSMOS_HZ), -45)
    scores = Dnsmos(*find_networks(str(networks))).score(sound)
    for name, expected in published(networks, sound).items():
        assert getattr(scores, name) == pytest.approx(expected, abs=2e-3), name
    assert scores.missing == {}


def test_noise_on_real_speech_costs_points(networks: Path) -> None:
    files = sorted((SHARED / "audio/speech/librispeech").glob("*.flac"))
    if not files:
        pytest.skip("no recordings of speech beside this checkout")
    dnsmos = Dnsmos(*find_networks(str(networks / P835)))
    clean, _ = sf.read(files[100], frames=10 * DNSMOS_HZ)
    good = dnsmos.score(clean)
    bad = dnsmos.score(clean + hiss(len(clean), -30))
    assert (good.dnsmos_bak or 0) > (bad.dnsmos_bak or 9) + 0.5
    assert (good.dnsmos_ovrl or 0) > (bad.dnsmos_ovrl or 9) + 0.5


def test_without_the_older_network_its_score_is_missing(networks: Path) -> None:
    content = (networks / P835).read_bytes()
    scores = Dnsmos(content).score(syllables(3, DNSMOS_HZ))
    assert scores.dnsmos_p808 is None
    assert scores.missing == {"dnsmos_p808": "model_v8.onnx was not given"}
    assert scores.dnsmos_sig is not None


def test_windows_are_those_of_the_script_and_spread_out_in_long_sounds() -> None:
    assert windows(WINDOW) == [0]
    assert windows(12 * DNSMOS_HZ) == [0, DNSMOS_HZ, 2 * DNSMOS_HZ]
    long = windows(3600 * DNSMOS_HZ)
    assert len(long) <= MOST_WINDOWS
    assert len(long) >= 0.8 * MOST_WINDOWS  # rounding leaves some out, as in the script
    assert long[0] < 60 * DNSMOS_HZ
    assert 3500 * DNSMOS_HZ < long[-1] <= 3600 * DNSMOS_HZ - WINDOW


def test_mel_bands_of_silence_and_of_a_tone() -> None:
    assert np.all(log_mel(np.zeros(16_000, np.float32)) == 1)
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    mel = log_mel(tone)
    assert mel.shape == (100, 120)
    assert mel.max() == 1
    assert mel.min() >= -1
    assert abs(mel[50].argmax() - 15 / (15 + 27 * np.log(8) / np.log(6.4)) * 121) < 1.5


def test_what_is_missing_or_no_network_is_said(
    networks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"holds no sig_bak_ovr\.onnx"):
        find_networks(str(tmp_path))
    (tmp_path / P835).write_bytes(b"no network")
    with pytest.raises(ModelError, match="no network that onnxruntime can load"):
        Dnsmos(*find_networks(str(tmp_path)))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install raypipe\[score\]"):
        Dnsmos(*find_networks(str(networks)))


def test_nothing_has_no_score(networks: Path) -> None:
    scores = Dnsmos(*find_networks(str(networks))).score(np.zeros(0))
    assert scores.dnsmos_sig is None
    assert isinstance(scores, DnsmosScores)
