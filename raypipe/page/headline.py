"""The head of the page: totals, where the time went, what the run was told.

Comes in: a report's head, or nothing but the files where there is no report. Goes
out: a `Headline`, all in words.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from raypipe.page.gather import Gathered
from raypipe.page.words import change, clock, counted, number, setting, spell
from raypipe.results.report import settings_facts
from raypipe.settings import RunSettings
from raypipe.storage import show

PARTS = {
    "read": "reading and decoding",
    "resample": "changing the sampling rate",
    "step": "stepping the model",
    "level": "measuring levels",
    "encode": "encoding",
    "write": "writing short files",
    "publish": "putting files together and publishing them",
}
"""Parts of the work in words; others are named as the report names them."""

MISHAPS = {
    "lost_batches": "batch was lost with its worker and stepped again",
    "reopened_files": "file was begun again",
    "worker_restarts": "worker was lost",
    "collector_restarts": "collector was lost",
    "retired_workers": "worker was sent away (memory, or its CPUs left)",
}


@dataclass(frozen=True, slots=True)
class Big:
    """One of the large figures."""

    value: str
    name: str


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole."""

    name: str
    value: str
    of_1000: int
    """Thousandths of the whole."""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """What stands at the top."""

    title: str
    route: str
    """From where to where."""
    bigs: tuple[Big, ...]
    outcomes: tuple[Share, ...]
    time: tuple[Share, ...]
    time_remarks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    other_settings: tuple[tuple[str, str], ...]


def headline(gathered: Gathered) -> Headline:
    """Put the head of the page into words."""
    head = gathered.head
    totals: Mapping[str, Any] = head.get("totals") or {}
    model: Mapping[str, Any] = head.get("model") or {}
    place: Mapping[str, Any] = head.get("place") or {}
    changed, others = _settings(head.get("settings") or {})
    name = show(str(model.get("name") or ""))
    source = show(str(place.get("input") or ""))
    output = show(gathered.output)
    return Headline(
        title=name or "a run without a report",
        route=f"{source} → {output}" if source else output,
        bigs=_bigs(gathered, totals),
        outcomes=_outcomes(gathered),
        time=_time(totals),
        time_remarks=_time_remarks(totals, place),
        facts=_facts(model, place, head, totals),
        settings=changed,
        other_settings=others,
    )


def _bigs(gathered: Gathered, totals: Mapping[str, Any]) -> tuple[Big, ...]:
    files = gathered.files
    there = [row for row in files if row.output]
    bigs = [Big(f"{len(files):,}", "file" if len(files) == 1 else "files")]
    own_s = float(totals.get("audio_s") or 0.0)
    audio_s = max(own_s, sum(row.seconds or 0.0 for row in there))
    partly = own_s and spell(own_s) != spell(audio_s)
    bigs.append(
        Big(spell(audio_s), f"of sound, {spell(own_s)} of it in this run" if partly else "of sound")
    )
    if totals.get("done"):
        bigs.append(Big(f"{number(totals.get('x_real_time'), 0)} ×", "real time"))
    if totals:
        bigs.append(Big(spell(float(totals.get("wall_s") or 0)), "from start to end"))
    gains = [row.gain_db for row in files if row.gain_db is not None]
    if gains:
        middle = f"{change(0.0, statistics.median(gains))} dB"
        bigs.append(Big(middle, "median gain over the noise floor" if len(gains) > 1
                        else "gain over the noise floor"))  # fmt: skip
    return tuple(bigs)


def _outcomes(gathered: Gathered) -> tuple[Share, ...]:
    files = gathered.files
    counts = dict.fromkeys(("done", "skipped", "failed"), 0)
    for row in files:
        counts[row.outcome] = counts.get(row.outcome, 0) + 1
    return tuple(
        Share(key, f"{count:,}", round(1000 * count / max(1, len(files))), key)
        for key, count in counts.items()
    )


def _time(totals: Mapping[str, Any]) -> tuple[Share, ...]:
    spent = {str(k): float(v) for k, v in (totals.get("busy_s") or {}).items()}
    if totals.get("publish_s"):
        spent["publish"] = float(totals["publish_s"])
    whole = sum(spent.values())
    if not whole:
        return ()
    longest = max(spent.values())
    return tuple(
        Share(PARTS.get(part, show(part)), f"{spell_short(s)}, {number(100 * s / whole, 0, '%')}",
              round(1000 * s / longest))
        for part, s in sorted(spent.items(), key=lambda item: -item[1]) if s
    )  # fmt: skip


def spell_short(seconds: float) -> str:
    """``0.12 s``, ``45.0 s`` or ``1:02:03``."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 90 else clock(seconds)


def _time_remarks(totals: Mapping[str, Any], place: Mapping[str, Any]) -> tuple[str, ...]:
    remarks = []
    longest_s = totals.get("longest_s")
    if longest_s:
        mean = float(totals.get("lane_s") or 0) / float(longest_s)
        room = f" of {place['lanes']}" if place.get("lanes") else ""
        remarks.append(f"{number(mean)}{room} lanes were filled on average.")
    if totals.get("startup_s"):
        remarks.append(f"The first worker was ready after {spell_short(totals['startup_s'])}.")
    for key, words in MISHAPS.items():
        if totals.get(key):
            noun, _, rest = words.partition(" ")
            count = int(totals[key])
            several = {"batch": "batches"}.get(noun, f"{noun}s")
            rest = rest if count == 1 else rest.replace("was ", "were ", 1)
            remarks.append(f"{count:,} {noun if count == 1 else several} {rest}.")
    return tuple(remarks)


def _facts(
    model: Mapping[str, Any],
    place: Mapping[str, Any],
    head: Mapping[str, Any],
    totals: Mapping[str, Any],
) -> tuple[tuple[str, str], ...]:
    facts: list[tuple[str, object]] = []
    if model:
        version = f" {model['version']}" if model.get("version") else ""
        facts.append(("Model", f"{model.get('name')}{version}"))
        if model.get("rate_hz"):
            latency = 1000 * float(model.get("latency") or 0) / float(model["rate_hz"])
            facts.append(("Its rate", f"{model['rate_hz']:,} Hz, latency {latency:g} ms"))
        if model.get("sha256"):
            facts.append(("Its SHA-256", f"{str(model['sha256'])[:16]}…"))
    for name, key in (("Workers", "workers"), ("CPUs", "cpus"), ("System", "system"),
                      ("Python", "python"), ("Run", "run")):  # fmt: skip
        if place.get(key):
            facts.append((name, place[key]))
    if head.get("version"):
        facts.append(("raypipe", head["version"]))
    if totals.get("clipped_files"):
        facts.append(("Clipped", f"{counted(totals['clipped_samples'], 'sample')} in "
                                 f"{counted(totals['clipped_files'], 'file')}"))  # fmt: skip
    return tuple((name, show(str(value))) for name, value in facts)


def _settings(
    told: Mapping[str, Any],
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Those that differ from the defaults, and the others."""
    plain = settings_facts(asdict(RunSettings()))
    changed: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for name, value in told.items():
        pair = (show(str(name)), setting(value))
        same = name in plain and plain[name] == value
        (others if same and name != "model" else changed).append(pair)
    return tuple(changed), tuple(others)
