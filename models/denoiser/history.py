"""What a training tells of itself: lines while it runs, a picture of its tables.

Comes in: ``log.csv`` and ``validation.csv`` of its folder. Goes out: ``losses.png``, and which
weights were the best.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click

SHOWN = ("total", "magnitude", "phase", "eaten", "high", "ratio")
DB_IN_A_POINT = 15.0
"""How many dB of SI-SDR are worth one point of PESQ, to say which weights are best: between
noisy speech and good denoisers both rise in about this proportion."""


class History:
    """Of the training in a folder."""

    def __init__(self, out: Path) -> None:
        self._out = out

    def say(self, row: dict[str, float]) -> None:
        """One line."""
        shown = " ".join(f"{name} {row[name]:.4f}" for name in SHOWN)
        start = f"step {row['step']:5.0f} {row['minutes']:6.2f} min rate {row['rate']:.1e}"
        click.echo(f"{start} {shown}")

    def draw(self) -> None:
        """Losses above, PESQ and SI-SDR on validation below; nothing without matplotlib."""
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError:
            return
        told, judged = rows(self._out / "log.csv"), rows(self._out / "validation.csv")
        figure = Figure(figsize=(9, 9), layout="constrained")
        FigureCanvasAgg(figure)
        above, middle, below = figure.subplots(3, 1, sharex=True)
        minutes = [float(row["minutes"]) for row in told]
        for name in ("magnitude", "phase", "eaten", "high"):
            above.plot(minutes, [float(row[name]) for row in told], label=name, linewidth=0.8)
        above.set(ylabel="loss", yscale="log")
        above.legend()
        ours = [row for row in judged if _is_ours(row)]
        for axes, name, title in ((middle, "pesq", "PESQ-WB"), (below, "si_sdr", "SI-SDR, dB")):
            times = [float(row["name"]) for row in ours]
            axes.plot(times, [float(row[name]) for row in ours], "o-", label="ours")
            for row, style in zip([r for r in judged if not _is_ours(r)], ":-", strict=False):
                axes.axhline(float(row[name]), linestyle=style, color="grey", label=row["name"])
            axes.set(ylabel=f"{title}, validation")
            axes.legend()
        below.set(xlabel="minutes")
        figure.savefig(self._out / "losses.png", dpi=100)


def best_of(table: Path) -> str:
    """The label of the best of our weights in a table of validation; empty if there are none."""
    ours = [row for row in rows(table) if _is_ours(row)]
    return max(ours, key=_worth)["name"] if ours else ""


def rows(table: Path) -> list[dict[str, str]]:
    """A CSV; none if it is not there."""
    if not table.exists():
        return []
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def _worth(row: dict[str, str]) -> float:
    return float(row["pesq"]) + float(row["si_sdr"]) / DB_IN_A_POINT


def _is_ours(row: dict[str, str]) -> bool:
    return row["name"].replace(".", "").isdigit()
