"""Our denoiser beside others: how well each cleans speech, and what it costs.

    python -m benchmarks.quality [--peer NAME ...] [--json FILE] [--work DIR] [--no-cost]

Comes in: speech of speakers and noise of recordings that no training saw
(`models.denoiser.split`), beside the checkout, and the peers' models. Goes out: Markdown on
stdout, every figure in FILE, progress on stderr. Pairs, outputs and scores stay in DIR: another
run makes and judges only what is new, such as another version of our model.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import soundfile as sf

from benchmarks.denoisers import claims, cost
from benchmarks.denoisers.align import check_alignment
from benchmarks.denoisers.judge import Task, judge, table_of
from benchmarks.denoisers.mixing import (
    CLEAN_DB,
    FULL_HZ,
    JUDGED_HZ,
    RECIPE,
    SNRS_DB,
    Pair,
    mix,
    plan_pairs,
    to_judged,
)
from benchmarks.denoisers.peers import Peer, all_peers
from benchmarks.denoisers.tables import Results, as_json, markdown
from benchmarks.peers.processes import PeerFailed
from benchmarks.table import ask, machine, say
from models.denoiser.split import recordings

SHARED = Path(__file__).resolve().parents[2] / "shared"
NOISY, CLEAN = 168, 28
"""Pairs: of 14 classes of noise and six SNRs each, two; and each class twice at `CLEAN_DB`."""
OURS = "denoise-48k"
ALIGNED_DB = 15.0
"""With so little noise the speech decides where an output lies."""


@dataclass(frozen=True)
class Folder:
    """The pairs on disk."""

    root: Path

    @property
    def noisy(self) -> dict[int, Path]:
        """By rate in Hz."""
        return {rate: self.root / f"noisy-{rate}" for rate in (FULL_HZ, JUDGED_HZ)}

    @property
    def clean(self) -> Path:
        """At the rate at which is judged."""
        return self.root / "clean"

    def made(self, peer: Peer) -> Path:
        """A peer's outputs."""
        return self.root / "made" / peer.key

    def lines(self, peer: Peer) -> Path:
        """Its scores."""
        return self.root / "scores" / f"{peer.key}.jsonl"


@click.command()
@click.option("--ours", default=OURS, show_default=True, help="Our model: name or path.")
@click.option("--peer", "only", multiple=True, help="Run only these and ours. Repeatable.")
@click.option("--pairs", default=NOISY, show_default=True, type=click.IntRange(0))
@click.option("--clean-pairs", default=CLEAN, show_default=True, type=click.IntRange(0))
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Of the cost.")
@click.option("--no-cost", is_flag=True, help="Do not measure what the peers cost.")
@click.option(
    "--audio",
    default=SHARED / "audio",
    type=click.Path(path_type=Path),
    show_default=True,
    help="Folder with speech/ and noise/.",
)
@click.option(
    "--models",
    default=SHARED / "models",
    type=click.Path(path_type=Path),
    show_default=True,
    help="Folder with gtcrn/, rnnoise/ and dnsmos/.",
)
@click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keeps pairs, outputs and scores.  [default: below the system's temporary folder]",
)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
def main(
    ours: str, only: tuple[str, ...], pairs: int, clean_pairs: int, processes: int, rounds: int,
    no_cost: bool, audio: Path, models: Path, work: Path | None, json_path: Path | None,
) -> None:  # fmt: skip
    """Measure how well denoisers clean speech, and print tables."""
    plan = held_out_pairs(audio, pairs, clean_pairs)
    folder = prepare(work or Path(tempfile.gettempdir()) / "raypipe-quality", plan)
    name = Path(ours).stem
    peers = [p for p in all_peers(ours, models) if not only or p.name in {name, *only}]
    peers = [denoise(peer, folder, plan) for peer in peers]
    there = [peer for peer in peers if not peer.missing]
    dnsmos = models / "dnsmos"
    tasks = [task for pair in plan for task in tasks_of(pair, there, folder)]
    judge(tasks, dnsmos if dnsmos.is_dir() else None, processes)
    scores = table_of({p.name: folder.lines(p) for p in there}, [pair.name for pair in plan])
    results = Results(plan, peers, scores, {} if no_cost else costs(there, folder, rounds))
    where = machine()
    tables = [markdown(results, name), claims.markdown(results, name)]
    click.echo("\n\n".join([f"{where['cpu']}, {where['cpus']} CPUs", *tables]))
    if json_path is not None:
        facts = {"machine": where, "ours": name} | as_json(results, name)
        json_path.write_text(json.dumps(facts, indent=1), "utf-8")


def held_out(audio: Path, collection: str) -> tuple[list[Path], dict[str, list[Path]]]:
    """What is for tests alone: a collection's speech, and noise recordings by class."""
    speech, noises = [], defaultdict(list)
    for one in recordings(audio, "test"):
        if one.collection == collection:
            speech.append(audio / one.path)
        elif one.kind == "noise":
            noises[one.label].append(audio / one.path)
    return speech, noises


def held_out_pairs(audio: Path, noisy: int, clean: int) -> list[Pair]:
    """Pairs of speakers and noise recordings that are for tests alone."""
    speech, noises = held_out(audio, "librispeech")
    few = plan_pairs(speech, noises, [CLEAN_DB], clean, seed=6)
    return plan_pairs(speech, noises, SNRS_DB, noisy) + [
        replace(pair, name=f"clean_{pair.name}") for pair in few
    ]


def prepare(work: Path, pairs: Sequence[Pair]) -> Folder:
    """Write the pairs, once, into a folder that is named after what is in them."""
    facts = json.dumps([RECIPE, *(pair.facts() for pair in pairs)], sort_keys=True)
    folder = Folder(work / hashlib.sha256(facts.encode()).hexdigest()[:12])
    ready = folder.root / "pairs.json"
    if ready.is_file():
        return folder
    for path in (*folder.noisy.values(), folder.clean, folder.root / "scores"):
        path.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        clean, noisy = mix(pair)
        for path, sound, rate_hz in (
            (folder.noisy[FULL_HZ], noisy, FULL_HZ),
            (folder.noisy[JUDGED_HZ], to_judged(noisy), JUDGED_HZ),
            (folder.clean, to_judged(clean), JUDGED_HZ),
        ):
            sf.write(path / f"{pair.name}.wav", sound, rate_hz, "FLOAT")
    ready.write_text(facts, "utf-8")
    return folder


def denoise(peer: Peer, folder: Folder, pairs: Sequence[Pair]) -> Peer:
    """Let a peer make its outputs if they are not there; what keeps it from that is said."""
    if peer.missing:
        return peer
    out = folder.made(peer)
    try:
        if not out.is_dir():
            say(f"{peer.name}: {len(pairs)} files")
            unfinished = out.with_name(f".{out.name}")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            peer.make(folder.noisy[peer.rate_hz], unfinished)
            easy = [f"{pair.name}.wav" for pair in pairs if pair.snr_db >= ALIGNED_DB]
            check_alignment(folder.noisy[peer.rate_hz], unfinished, easy)
            unfinished.rename(out)
    except PeerFailed as error:
        say(f"{peer.name} failed: {error}")
        return replace(peer, missing=f"failed: {error}")
    return peer


def tasks_of(pair: Pair, peers: Sequence[Peer], folder: Folder) -> list[Task]:
    """What there is to be judged of a pair."""
    name = f"{pair.name}.wav"
    return [
        Task(folder.lines(peer), pair.name, folder.clean / name, folder.made(peer) / name)
        for peer in peers
    ]


def costs(peers: Sequence[Peer], folder: Folder, rounds: int) -> dict[str, float]:
    """CPU milliseconds for a second of sound, by peer."""
    asked = cost.question(peers, folder.noisy)
    ask(asked, rounds)
    speeds = {one.name: one.x_real_time for one in asked.contenders}
    return {name: 1000 / speed for name, speed in speeds.items() if speed is not None}


if __name__ == "__main__":
    main()
