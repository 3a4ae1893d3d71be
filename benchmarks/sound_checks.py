"""Whether the denoiser does anything that a listener would call wrong: tables and spectrograms.

    python -m benchmarks.sound_checks [--ours NAME] [--pictures DIR] [--only CHECK ...]

Comes in: held-out recordings beside the checkout, and sounds made here. Goes out: Markdown on
stdout; pictures in DIR, to be looked at. The checks:

- bands: speech above 8 kHz is kept, noise there reduced, on recordings at 48 kHz;
- residual: what is left of the noise at -5 dB neither twinkles nor swells with the voice;
- odd: music, silence, squares, clicks, telephones, other rates;
- timing: the model is as late as its card says; its output through raypipe is not late.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import soundfile as sf

from benchmarks.denoisers import bands, odd_sounds, residual, timing
from benchmarks.denoisers.bands import Sound
from benchmarks.denoisers.mixing import FULL_HZ, JUDGED_HZ, Pair, mix, to_judged
from benchmarks.denoisers.peers import Peer, all_peers
from benchmarks.denoisers.pictures import draw
from benchmarks.quality import OURS, SHARED, held_out

NOISES = ("white", "rain", "sea-waves", "helicopter", "coffee-shop", "city")
"""Those of the test's classes that go on without pauses; and white noise, made here."""
SNRS_DB = (20.0, 10.0, 5.0, 0.0)
HARD_DB = -5.0
LEAD_S = 3.0
"""Noise alone before and behind the speech."""

Sounds = Mapping[str, tuple[Sound, int]]
"""Sound ``(samples,)`` or ``(channels, samples)`` and its rate in Hz, by name."""


@dataclass(frozen=True)
class Setting:
    """What all checks are made with.

    Attributes
    ----------
    ours : str
        Name or path of our model.
    peers : list of Peer
        Ours and those that it is held against.
    speech : list of Path
        Held-out speech at 48 kHz.
    noises : dict
        Held-out noise by class.
    pictures : Path or None
        Where pictures go.
    scratch : Path
        For sounds on their way.
    """

    ours: str
    peers: Sequence[Peer]
    speech: Sequence[Path]
    noises: Mapping[str, Sequence[Path]]
    pictures: Path | None
    scratch: Path

    def draw(self, name: str, panels: Sounds) -> None:
        """A picture, if they are wanted."""
        if self.pictures is not None:
            self.pictures.mkdir(parents=True, exist_ok=True)
            draw(self.pictures / f"{re.sub('[^a-zA-Z0-9+.-]+', '_', name)}.png", panels)


def through(peer: Peer, sounds: Sounds, scratch: Path) -> dict[str, Sound]:
    """What a peer makes of sounds, as files; one of 16 kHz gets those of 48 kHz at 16 kHz."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        source, out = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        out.mkdir()
        for number, (sound, rate_hz) in enumerate(sounds.values()):
            if peer.rate_hz == JUDGED_HZ and rate_hz == FULL_HZ:
                sound, rate_hz = to_judged(sound.T).T, JUDGED_HZ
            sf.write(source / f"{number:03}.wav", sound.T, rate_hz, "FLOAT")
        peer.make(source, out)
        return {name: sf.read(out / f"{number:03}.wav")[0].T for number, name in enumerate(sounds)}


def check_bands(setting: Setting) -> Iterator[str]:
    """Speech and noise above 8 kHz."""
    clean, mixed = {}, {}
    for number, path in enumerate(setting.speech):
        for noise, snr_db in [("none", np.inf), *((n, s) for n in NOISES for s in SNRS_DB)]:
            name = f"{path.stem} {noise} {snr_db:+g} dB"
            clean[name], mixed[name] = _mixed(setting, path, noise, snr_db, number)
    yield "### Above 8 kHz, on held-out recordings at 48 kHz\n"
    yield "Kept: decibels, and the frames of 10 ms they were measured on. Reduced: decibels.\n"
    yield "| | | voiced kept | fricative kept | noise reduced below 8 kHz | above |"
    yield "|---|---|---:|---:|---:|---:|"
    for peer in (p for p in setting.peers if p.rate_hz == FULL_HZ):
        made = through(peer, {n: (s, FULL_HZ) for n, s in mixed.items()}, setting.scratch)
        found = defaultdict(list)
        for name in mixed:
            _, noise, snr, unit = name.split()
            one = bands.measure(clean[name], mixed[name], made[name])
            found[f"{snr} {unit}", "all"].append(one)
            found["all", noise].append(one)
            if name.startswith(setting.speech[0].stem) and noise in ("none", "rain", "white"):
                panels = {"clean": clean[name], "in": mixed[name], "out": made[name]}
                setting.draw(f"bands {peer.name} {name}", _at_full_rate(panels))
        for (snr, noise), those in found.items():
            yield f"| {peer.name} | {noise if snr == 'all' else snr} | {_band_cells(those)} |"


def check_residual(setting: Setting) -> Iterator[str]:
    """Musical noise and pumping."""
    clean, mixed = {}, {}
    for number, (path, noise) in enumerate((p, n) for p in setting.speech[:2] for n in NOISES):
        name = f"{path.stem} {noise}"
        clean[name], mixed[name] = _mixed(setting, path, noise, HARD_DB, number, LEAD_S)
    yield f"### What is left of the noise at {HARD_DB:g} dB, below 8 kHz\n"
    yield "| | noise | reduced in pauses, dB | kurtosis ratio | pumping, dB | unrest, dB |"
    yield "|---|---|---:|---:|---:|---:|"
    for peer in setting.peers:
        made = through(peer, {n: (s, FULL_HZ) for n, s in mixed.items()}, setting.scratch)
        found = defaultdict(list)
        for name in mixed:
            out = made[name] if peer.rate_hz == JUDGED_HZ else to_judged(made[name])
            speech, both = to_judged(clean[name]), to_judged(mixed[name])
            one = residual.measure(speech, both - speech, out, JUDGED_HZ)
            found[name.split()[1]].append(one)
            found["all"].append(one)
            if name.startswith(setting.speech[0].stem):
                panels = {"in": (mixed[name], FULL_HZ), "out": (made[name], peer.rate_hz)}
                setting.draw(f"residual {name} {peer.name}", panels)
        for noise, those in found.items():
            yield (
                f"| {peer.name} | {noise} | "
                + " | ".join(
                    f"{np.mean([getattr(one, name) for one in those]):.2f}"
                    for name in ("reduced_db", "kurtosis_ratio", "pumping_db", "unrest_db")
                )
                + " |"
            )


def check_odd(setting: Setting) -> Iterator[str]:
    """Sounds that are no noisy speech."""
    speech, _ = sf.read(setting.speech[0])
    odd = list(odd_sounds.odd_sounds(speech))
    yield "### Other sounds\n"
    yield "| | | finite | level in, dBFS | out | peak in | out | most gain of any 50 ms, dB |"
    yield "|---|---|---|---:|---:|---:|---:|---:|"
    for peer in (p for p in setting.peers if p.note.startswith("raypipe") and p.rate_hz == FULL_HZ):
        made = through(peer, {one.name: (one.sound, one.rate_hz) for one in odd}, setting.scratch)
        for one in odd:
            after = np.atleast_2d(made[one.name])
            said = odd_sounds.look(one.sound, after, one.rate_hz)
            panels = {
                f"{side}, channel {number}": (channel, one.rate_hz)
                for side, sound in (("in", one.sound), ("out", after))
                for number, channel in enumerate(sound)
            }
            setting.draw(f"odd {peer.name} {one.name}", panels)
            yield (
                f"| {peer.name} | {one.name} | {said.finite} | {said.level_in_db:.1f} | "
                f"{said.level_out_db:.1f} | {said.peak_in:.4f} | {said.peak_out:.4f} | "
                f"{said.most_gain_db:.2f} |"
            )


def check_timing(setting: Setting) -> Iterator[str]:
    """Latency, and alignment at five rates."""
    speech, rate_hz = sf.read(setting.speech[0])
    late, said = timing.latency(setting.ours, speech)
    yield f"### Timing\n\nThe bare model is {late:g} samples late; its card says {said}.\n"
    yield "| rate, Hz | output late by | output longer by |"
    yield "|---:|---:|---:|"
    for rate, (lag, longer) in timing.lags(setting.ours, speech, rate_hz).items():
        yield f"| {rate} | {lag:g} | {longer} |"


CHECKS = {
    "timing": check_timing,
    "odd": check_odd,
    "bands": check_bands,
    "residual": check_residual,
}


@click.command()
@click.option("--ours", default=OURS, show_default=True, help="Our model: name or path.")
@click.option("--only", multiple=True, type=click.Choice(list(CHECKS)), help="Repeatable.")
@click.option(
    "--beside", multiple=True, default=("dtln", "rnnoise"), show_default=True,
    help="Peers that it is held against. Repeatable.",
)  # fmt: skip
@click.option("--pictures", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--audio", default=SHARED / "audio", type=click.Path(path_type=Path), show_default=True
)
@click.option(
    "--models", default=SHARED / "models", type=click.Path(path_type=Path), show_default=True
)
def main(
    ours: str, only: tuple[str, ...], beside: tuple[str, ...], pictures: Path | None, audio: Path,
    models: Path,
) -> None:  # fmt: skip
    """Look for what a denoiser can do wrong."""
    speech, noises = held_out(audio, "fullband-48k")
    name = Path(ours).stem
    wanted = (name, f"{name}-int8", *beside)
    peers = [p for p in all_peers(ours, models) if p.name in wanted]
    for peer in peers:
        if peer.missing:
            click.echo(f"{peer.name}: {peer.missing}", err=True)
    there = [peer for peer in peers if not peer.missing]
    with tempfile.TemporaryDirectory() as scratch:
        setting = Setting(ours, there, speech, noises, pictures, Path(scratch))
        for check in only or CHECKS:
            click.echo("\n".join(CHECKS[check](setting)) + "\n")


def _mixed(
    setting: Setting, speech: Path, noise: str, snr_db: float, seed: int, lead_s: float = 0.0
) -> tuple[Sound, Sound]:
    """Clean and noisy speech of a held-out speaker at 48 kHz."""
    folder = setting.scratch
    voice, rate_hz = sf.read(speech)
    lead = np.zeros(round(lead_s * rate_hz))
    padded = np.concatenate([lead, voice, lead])
    padded_path = folder / f"{speech.stem}-{lead_s:g}.wav"
    sf.write(padded_path, padded, rate_hz, "FLOAT")
    if not np.isfinite(snr_db):
        return padded, padded
    paths = setting.noises.get(noise)
    path = paths[seed % len(paths)] if paths else _white(folder)
    pair = Pair("", padded_path, path, noise, snr_db, len(padded) / rate_hz, 0.0, 0.1 * seed % 1)
    return mix(pair)


def _white(folder: Path) -> Path:
    path = folder / "white.wav"
    if not path.is_file():
        hiss = 0.1 * np.random.default_rng(13).standard_normal(20 * FULL_HZ)
        sf.write(path, hiss, FULL_HZ, "FLOAT")
    return path


def _at_full_rate(panels: Mapping[str, Sound]) -> dict[str, tuple[Sound, int]]:
    return {name: (sound, FULL_HZ) for name, sound in panels.items()}


def _band_cells(those: Sequence[bands.Bands]) -> str:
    """Means in dB; what is kept is weighted by the frames that it was measured on."""
    kept = [
        _mean([getattr(one, f"{name}_db") for one in those], [getattr(one, name) for one in those])
        for name in ("voiced", "fricative")
    ]
    reduced = [
        _mean([getattr(one, f"reduced_{side}_db") for one in those], [1] * len(those))
        for side in ("below", "above")
    ]
    return " | ".join(kept + reduced)


def _mean(values: Sequence[float], weights: Sequence[int]) -> str:
    """With the sum of the weights where they are frames; NaN has none."""
    total = sum(weights)
    if not total:
        return "no such frames"
    mean = np.nansum(np.multiply(values, weights)) / total
    return f"{mean:+.1f}" + (f" ({total})" if total != len(weights) else "")


if __name__ == "__main__":
    main()
