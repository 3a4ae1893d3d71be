"""The head of the page."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from raypipe.page.gather import Gathered
from raypipe.page.headline import Big, headline
from raypipe.results.report import Totals, settings_facts
from raypipe.settings import RunSettings
from raypipe.storage import place_at
from raypipe.types import RawLayout
from tests.page.pages import row, with_gain


def gathered(head: dict[str, Any], *files: Any) -> Gathered:
    return Gathered("/out", place_at("/out"), head, list(files), ())


def full() -> dict[str, Any]:
    totals = Totals(files=3, done=2, failed=1, audio_s=7200, wall_s=61, x_real_time=120.4,
                    startup_s=1.5, busy_s={"read": 10.0, "step": 30.0, "new part": 0.0},
                    publish_s=10.0, lane_s=50, longest_s=4, lost_batches=1, worker_restarts=2,
                    clipped_files=1, clipped_samples=12)  # fmt: skip
    settings = RunSettings(model="dtln", raw=RawLayout(48_000), exclude=("x*",))
    return {"version": "1.2", "settings": settings_facts(asdict(settings)),
            "model": {"name": "dtln", "version": "1", "rate_hz": 16_000, "latency": 384,
                      "sha256": "ab" * 32},
            "place": {"input": "/in", "workers": 4, "lanes": 70}, "interrupted": None,
            "totals": asdict(totals)}  # fmt: skip


def test_totals_and_shares() -> None:
    head = headline(gathered(full(), with_gain("a", 10), with_gain("b", 12), row("c", "failed")))
    assert head.title == "dtln"
    assert head.route == "/in → /out"
    assert head.bigs == (
        Big("3", "files"), Big("2.0 hours", "of sound"), Big("120 ×", "real time"),
        Big("61.0 s", "from start to end"), Big("+11.0 dB", "median gain over the noise floor"),
    )  # fmt: skip
    assert [(s.key, s.value, s.of_1000) for s in head.outcomes] == [
        ("done", "2", 667), ("skipped", "0", 0), ("failed", "1", 333),
    ]  # fmt: skip
    assert [(s.name, s.value, s.of_1000) for s in head.time] == [
        ("stepping the model", "30.0 s, 60 %", 1000),
        ("reading and decoding", "10.0 s, 20 %", 333),
        ("putting files together and publishing them", "10.0 s, 20 %", 333),
    ]
    assert head.time_remarks == (
        "12.5 of 70 lanes were filled on average.",
        "The first worker was ready after 1.50 s.",
        "1 batch was lost with its worker and stepped again.",
        "2 workers were lost.",
    )
    assert dict(head.settings) == {
        "model": "dtln", "raw": "rate_hz 48000, channels 1, sample s16le", "exclude": "x*",
    }  # fmt: skip
    assert "model" not in dict(head.other_settings)
    facts = dict(head.facts)
    assert facts["Its rate"] == "16,000 Hz, latency 24 ms"
    assert facts["Clipped"] == "12 samples in 1 file"


def test_sound_of_earlier_runs_counts_and_is_told_apart() -> None:
    files = [replace(row(name), seconds=3600.0) for name in "abcd"]
    head = headline(gathered(full(), *files))
    assert head.bigs[:2] == (
        Big("4", "files"), Big("4.0 hours", "of sound, 2.0 hours of it in this run"),
    )  # fmt: skip


def test_without_a_report_there_is_still_a_head() -> None:
    head = headline(gathered({}, replace(row("a"), seconds=30.0), replace(row("b"), seconds=60.0)))
    assert head.title == "a run without a report"
    assert head.route == "/out"
    assert head.bigs == (Big("2", "files"), Big("1.5 minutes", "of sound"))
    assert head.time == head.facts == head.settings == ()


def test_a_run_without_files_divides_by_nothing() -> None:
    head = headline(gathered({"totals": asdict(Totals())}))
    assert {share.of_1000 for share in head.outcomes} == {0}


def test_every_default_setting_counts_as_left_as_it_is(tmp_path: Path) -> None:
    head = headline(gathered({"settings": settings_facts(asdict(RunSettings()))}))
    assert [name for name, _ in head.settings] == ["model"]
