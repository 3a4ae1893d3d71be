"""How good weights are, on speakers and noise that were never trained.

Comes in: weights, or the name of another denoiser. Goes out: PESQ and SI-SDR at 16 kHz, by SNR.
The pairs are the same in every run; the part says from which speakers and noise. One row in
a table is one denoiser.

References
----------
PESQ: ITU-T P.862.2, by the package pesq. SI-SDR: J. Le Roux et al., SDR - half-baked or well
done?, ICASSP 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft

from models.denoiser.data import Clip, Library, load
from models.denoiser.mixing import active_rms, low_rms
from models.denoiser.network import RATE_HZ
from models.denoiser.shapes import SAMPLES, piece
from models.denoiser.split import Part
from raypipe.quality.against import HIGHEST_DB
from raypipe.quality.pesq import NOT_INSTALLED, pesq_wb
from raypipe.quality.reference import si_sdr_db
from raypipe.quality.value import Missing

SNRS_DB = (-5, 0, 5, 10, 15, 20, 25, 40)
CLEAN_DB = 40
"""Of these pairs no mean is made with the others: nothing is to be done there."""
LOW_HZ = 16_000
"""Rate at which denoisers are compared: that of most of the speech."""
LEVEL_DB = -26.0
SEED = 48

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """Noisy and clean speech at 48 kHz, and how noisy it is."""

    noisy: Sound
    clean: Sound
    snr_db: int
    noise: str


def pairs(library: Library, rounds: int) -> list[Pair]:
    """So many pairs for each of `SNRS_DB`; speakers and classes of noise by turns."""
    clips = library.speech["librispeech"]
    labels = sorted(library.noise)
    made = []
    for number in range(rounds * len(SNRS_DB)):
        rng = np.random.default_rng([SEED, number])
        label = labels[(number * 3 + number // len(labels)) % len(labels)]
        clip = library.noise[label][int(rng.integers(len(library.noise[label])))]
        snr_db = SNRS_DB[number % len(SNRS_DB)]
        made.append(_pair(rng, clips[number % len(clips)], clip, snr_db))
    return made


def _pair(rng: np.random.Generator, speech: Clip, noise: Clip, snr_db: int) -> Pair:
    wanted = irfft(piece(rng, speech.samples, speech.rate_hz, 1.0, loop=False), SAMPLES)
    clean = wanted * 10 ** (LEVEL_DB / 20) / active_rms(wanted)
    spectrum = piece(rng, noise.samples, noise.rate_hz, 1.0, loop=True)
    level = 10 ** ((LEVEL_DB - snr_db) / 20) / (low_rms(spectrum) + 1e-9)
    noisy = clean + irfft(spectrum, SAMPLES) * level
    peak = max(1.0, float(np.abs(noisy).max()))
    heard, wanted = ((sound / peak).astype(np.float32) for sound in (noisy, clean))
    return Pair(heard, wanted, snr_db, noise.label)


def si_sdr(wanted: Sound, given: Sound) -> float:
    """SI-SDR in dB; the lowest that is told where nothing is given."""
    value = si_sdr_db(given, wanted)
    return -HIGHEST_DB if isinstance(value, Missing) else value


def pesq_of(wanted: Sound, given: Sound) -> float:
    """PESQ-WB at 16 kHz; not a number where it hears no speech.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed.
    """
    value = pesq_wb(given, wanted)
    if value == NOT_INSTALLED:
        raise ModuleNotFoundError(NOT_INSTALLED.reason)
    return float("nan") if isinstance(value, Missing) else value


def score(denoise: Callable[[Sound], Sound], tried: list[Pair]) -> dict[str, float]:
    """Mean PESQ and SI-SDR of all pairs but the clean ones, and of each SNR.

    Parameters
    ----------
    denoise : callable
        Sounds at 48 kHz, ``(pairs, samples)``, to sounds of the same shape at 16 kHz or 48 kHz.
    tried : list of Pair
        See `pairs`.
    """
    found: dict[int, list[tuple[float, float]]] = {snr_db: [] for snr_db in SNRS_DB}
    given = denoise(np.stack([one.noisy for one in tried]))
    for one, sound in zip(tried, given, strict=True):
        wanted, low = (_low(x) for x in (one.clean, sound))
        found[one.snr_db].append((pesq_of(wanted, low), si_sdr(wanted, low)))
    means = {snr_db: np.nanmean(values, axis=0) for snr_db, values in found.items() if values}
    over = np.nanmean([means[snr_db] for snr_db in means if snr_db != CLEAN_DB], axis=0)
    row = {"pesq": over[0], "si_sdr": over[1]}
    for snr_db, (pesq, ratio) in means.items():
        row |= {f"pesq_{snr_db}": pesq, f"si_sdr_{snr_db}": ratio}
    return {name: round(float(value), 3) for name, value in row.items()}


def _low(sound: Sound) -> Sound:
    import soxr

    if len(sound) < SAMPLES:
        return sound
    made: Sound = soxr.resample(sound, RATE_HZ, LOW_HZ)
    return made


def unprocessed(sounds: Sound) -> Sound:
    """What is heard."""
    return sounds


def by_name(model: str) -> Callable[[Sound], Sound]:
    """A model of 16 kHz that raypipe knows, such as ``dtln``."""
    from raypipe.enhancer import Enhancer

    enhancer = Enhancer(model)
    return lambda sounds: np.stack([enhancer.process(_low(one), LOW_HZ) for one in sounds])


def by_weights(path: Path) -> Callable[[Sound], Sound]:
    """The network with weights from an ``.npz``."""
    from models.denoiser.enhancing import enhance

    with np.load(path) as saved:
        weights = {name: saved[name].astype(np.float32) for name in saved.files}
    return lambda sounds: enhance(weights, sounds)


def pairs_of(audio: Path, cache: Path, part: Part, rounds: int) -> list[Pair]:
    """The pairs of a part; see `pairs`."""
    return pairs(load(audio, cache, part), rounds)
