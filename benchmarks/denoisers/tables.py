"""The figures as Markdown for people and as JSON for programs.

Comes in: pairs, peers, and each peer's scores in the order of the pairs. Goes out: the tables.
A range in brackets is a 95 % interval, see `benchmarks.denoisers.intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.denoisers.intervals import Interval, interval
from benchmarks.denoisers.mixing import CLEAN_DB, Pair
from benchmarks.denoisers.peers import Peer

MEASURES = {
    "pesq_wb": ("PESQ-WB", 2),
    "stoi": ("STOI", 3),
    "si_sdr_db": ("SI-SDR, dB", 1),
    "dnsmos_sig": ("DNSMOS SIG", 2),
    "dnsmos_bak": ("BAK", 2),
    "dnsmos_ovrl": ("OVRL", 2),
}
"""By the name in the scores: what people call it, and the digits that mean something."""
IN_BRIEF = ("pesq_wb", "si_sdr_db", "dnsmos_ovrl")
"""Those that are broken down by SNR and by class."""

Keep = Callable[[Pair], bool]


@dataclass(frozen=True)
class Results:
    """All that was measured.

    Attributes
    ----------
    pairs : sequence of Pair
        Noisy ones and clean ones.
    peers : sequence of Peer
        Rows; those that are missing are said so.
    scores : mapping
        By peer and measure: values in the order of the pairs, NaN where there is none.
    cost_ms : mapping
        CPU milliseconds for a second of sound, by peer.
    """

    pairs: Sequence[Pair]
    peers: Sequence[Peer]
    scores: Mapping[str, Mapping[str, Sequence[float]]]
    cost_ms: Mapping[str, float] = field(default_factory=dict)

    def over(self, peer: str, measure: str, keep: Keep, minus: str = "") -> Interval | None:
        """A peer's mean over the pairs that are kept; `minus`: of its difference from another."""
        values = self._values(peer, measure)
        if minus:
            values = values - self._values(minus, measure)
        kept = [place for place, pair in enumerate(self.pairs) if keep(pair)]
        some = [self.pairs[place] for place in kept]
        return interval(values[kept], [p.noise.name for p in some], [p.snr_db for p in some])

    def lowest(self, peer: str, measure: str, keep: Keep) -> float:
        """The worst of them."""
        kept = [place for place, pair in enumerate(self.pairs) if keep(pair)]
        values = self._values(peer, measure)[kept]
        return float(np.nanmin(values)) if np.isfinite(values).any() else math.nan

    def _values(self, peer: str, measure: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        missing = [math.nan] * len(self.pairs)
        return np.array(self.scores.get(peer, {}).get(measure, missing))


def noisy(pair: Pair) -> bool:
    """True of pairs that the averages are over."""
    return pair.snr_db < CLEAN_DB


def clean(pair: Pair) -> bool:
    """True of pairs that stand for clean speech."""
    return not noisy(pair)


def markdown(results: Results, ours: str) -> str:
    """All tables, with the sentences between them."""
    return "\n".join(
        [
            *_all(results), *_differences(results, ours), "", *_clean(results), "",
            *_by(results, "SNR", {f"{snr:+g} dB": _of_snr(snr) for snr in _snrs(results)}), "",
            *_by(results, "noise", {name: _of_class(name) for name in _classes(results)}),
        ]
    ).rstrip()  # fmt: skip


def as_json(results: Results, ours: str) -> dict[str, object]:
    """Every interval, and every pair's scores."""
    groups: dict[str, Keep] = {"all": noisy, "clean": clean}
    groups |= {f"snr {snr:+g}": _of_snr(snr) for snr in _snrs(results)}
    groups |= {f"noise {name}": _of_class(name) for name in _classes(results)}
    there = [peer.name for peer in results.peers if not peer.missing]
    return {
        "peers": [
            {"name": p.name, "missing": p.missing, "note": p.note, "version": p.version}
            for p in results.peers
        ],
        "cost_ms_per_s": dict(results.cost_ms),
        "means": {
            group: {
                peer: {m: _triple(results.over(peer, m, keep)) for m in MEASURES} for peer in there
            }
            for group, keep in groups.items()
        },
        "ours_minus": {
            group: {
                peer: {m: _triple(results.over(ours, m, keep, peer)) for m in MEASURES}
                for peer in there
                if peer != ours
            }
            for group, keep in groups.items()
        },
        "pairs": [pair.facts() for pair in results.pairs],
        "scores": {peer: dict(found) for peer, found in results.scores.items()},
    }  # fmt: skip


def _all(results: Results) -> Iterator[str]:
    count = sum(noisy(pair) for pair in results.pairs)
    yield f"### {count} noisy pairs\n"
    heads = [head for head, _ in MEASURES.values()]
    yield from _head(["", *heads, "ms a second", "x real time"])
    for peer in results.peers:
        label = peer.name + (f" ({peer.note})" if peer.note else "")
        if peer.missing:
            yield _row([label, peer.missing, *[""] * (len(heads) + 1)])
            continue
        cells = [_cell(results.over(peer.name, m, noisy), m) for m in MEASURES]
        cost_ms = results.cost_ms.get(peer.name)
        cells += ["", ""] if cost_ms is None else [f"{cost_ms:.2f}", f"{1000 / cost_ms:.0f}"]
        yield _row([label, *cells])


def _differences(results: Results, ours: str) -> Iterator[str]:
    if ours not in results.scores:
        return
    yield f"\n### {ours} minus the others, pair by pair\n"
    yield from _head(["", *(head for head, _ in MEASURES.values())])
    for peer in results.peers:
        if not peer.missing and peer.name != ours:
            found = {m: results.over(ours, m, noisy, peer.name) for m in MEASURES}
            yield _row([peer.name, *(_cell(one, m, "+") for m, one in found.items())])


def _clean(results: Results) -> Iterator[str]:
    count = sum(clean(pair) for pair in results.pairs)
    yield f"### Clean speech: {count} pairs with {CLEAN_DB:g} dB SNR\n"
    names = ("pesq_wb", "stoi", "si_sdr_db", "dnsmos_ovrl")
    heads = [MEASURES[name][0] for name in names]
    yield from _head(["", *heads, "lowest PESQ-WB", "lowest SI-SDR, dB"])
    for peer in results.peers:
        if not peer.missing:
            cells = [_cell(results.over(peer.name, m, clean), m) for m in names]
            lowest = {m: results.lowest(peer.name, m, clean) for m in ("pesq_wb", "si_sdr_db")}
            yield _row([peer.name, *cells, *(_digits(v, m) for m, v in lowest.items())])


def _by(results: Results, what: str, groups: Mapping[str, Keep]) -> Iterator[str]:
    there = [peer.name for peer in results.peers if not peer.missing]
    for measure in IN_BRIEF:
        yield f"### {MEASURES[measure][0]} by {what}\n"
        yield from _head([what, *there])
        for group, keep in groups.items():
            found = [results.over(peer, measure, keep) for peer in there]
            yield _row(
                [group, *("" if one is None else _digits(one.mean, measure) for one in found)]
            )
        yield ""


def _snrs(results: Results) -> list[float]:
    return sorted({pair.snr_db for pair in results.pairs if noisy(pair)})


def _classes(results: Results) -> list[str]:
    return sorted({pair.noise_class for pair in results.pairs if noisy(pair)})


def _of_snr(snr_db: float) -> Keep:
    return lambda pair: pair.snr_db == snr_db


def _of_class(name: str) -> Keep:
    return lambda pair: noisy(pair) and pair.noise_class == name


def _triple(found: Interval | None) -> list[float] | None:
    return None if found is None else [found.mean, found.low, found.high]


def _cell(found: Interval | None, measure: str, sign: str = "") -> str:
    if found is None:
        return "not measured"
    low, high = (_digits(edge, measure, sign) for edge in (found.low, found.high))
    return f"{_digits(found.mean, measure, sign)} [{low}, {high}]"


def _digits(value: float, measure: str, sign: str = "") -> str:
    return "" if math.isnan(value) else f"{value:{sign}.{MEASURES[measure][1]}f}"


def _head(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|---|" + "---:|" * (len(cells) - 1)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
