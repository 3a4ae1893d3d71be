"""The table's data: short, and harmless inside a script."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from raypipe.page.table import kept_rows, script_json, table_data
from tests.page.pages import row, with_gain


def names_of(data: dict) -> list[str]:
    """As the page's script puts them together: it counts UTF-16 units."""
    names, before = [], b""
    for shared, rest in zip(data["columns"]["shared"], data["columns"]["rest"], strict=True):
        before = before[: 2 * shared] + rest.encode("utf-16-le")
        names.append(before.decode("utf-16-le"))
    return names


printable = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=8)


@given(st.lists(printable, max_size=30))
def test_names_come_out_as_they_went_in(names: list[str]) -> None:
    names = sorted(names + [name + "/ü.wav" for name in names])
    assert names_of(table_data([row(name) for name in names])) == names


def test_names_of_any_script_are_told_by_what_is_new_in_them() -> None:
    names = ["録音/🎧 一.wav", "録音/🎧 二.wav", "録音/🎙 三.wav", "übung/é.wav", "übung/è.wav"]
    data = table_data([row(name) for name in names])
    assert names_of(data) == names
    assert data["columns"]["shared"] == [0, 6, 3, 0, 6]
    assert data["columns"]["rest"][1] == "二.wav"


@given(st.text())
def test_no_text_ends_a_script(text: str) -> None:
    told = script_json({"names": [text, f"</script>{text}<!--"]})
    assert told.isascii()
    assert not set("<>&") & set(told)
    assert json.loads(told)["names"][0] == text


def test_each_value_is_as_short_as_it_can_be() -> None:
    rows = [
        with_gain("a/b.wav", 12.34),
        row("a/c.wav", "failed", reason="broken", notes=("odd", "very odd")),
        row("a/d.wav", "skipped", reason="already done", seconds=2.0, format="WAV",
            subtype="PCM_16", rate_hz=44_100, channels=2, clipped=3),
    ]  # fmt: skip
    data = table_data(rows)
    columns = data["columns"]
    assert columns["shared"] == [0, 2, 2]
    assert columns["outcome"] == [0, 2, 1]
    assert columns["gain_db"] == [12.3, None, None]
    assert columns["lufs_in"] == [-20, None, None]
    assert columns["seconds"] == [None, None, 2]
    texts = [data["texts"][at] for at in columns["text"]]
    assert texts == ["", "broken; odd; very odd", "already done"]
    kinds = [data["kinds"][at] for at in columns["kind"]]
    assert kinds == ["", "", "WAV PCM_16, 44.1 kHz, stereo"]
    assert columns["clipped"] == [0, 0, 3]


def test_of_too_many_files_those_that_failed_are_kept_first() -> None:
    rows = [row(f"{n:03}.wav", "failed" if n % 50 == 49 else "done") for n in range(200)]
    rows[100] = row("100.wav", notes=("odd",))
    kept = kept_rows(rows, 10)
    assert [r.name for r in kept] == [
        "000.wav", "001.wav", "002.wav", "003.wav", "004.wav", "049.wav", "099.wav", "100.wav",
        "149.wav", "199.wav",
    ]  # fmt: skip
    assert kept_rows(rows, 200) == rows
