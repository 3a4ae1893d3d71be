"""The model card: round trip, and what its errors say."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors

CARD = ModelCard(
    name="denoise",
    frame=128,
    memory="recurrent",
    rate_hz=16_000,
    latency=256,
    tensors=Tensors("frame", "out", {"h": "h_out", "serving_default_c:0": "c out"}),
    quality={"pesq_wb": 2.64, "pairs": 25, "set": 'with "quotes" and \\', "blind": True},
    description="Umlaute äöü, a tab\t, a DEL \x7f and a line\nbreak.",
)

SIDECAR = """\
name = "foreign"
frame = 128
memory = "recurrent"
[tensors]
input = "frame"
output = "out"
[tensors.state]
h = "h_out"
"""


def test_card_reads_back_as_it_was_written() -> None:
    assert ModelCard.from_toml(CARD.to_toml(), "x.toml") == CARD


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"])),
        st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans()),
    ),
)
def test_any_text_and_quality_survive_toml(
    name: str, text: str, quality: dict[str, int | float | bool]
) -> None:
    card = replace(CARD, name=name, description=text, quality=quality)
    assert ModelCard.from_toml(card.to_toml(), "x.toml") == card


def test_card_survives_pickle() -> None:
    assert pickle.loads(pickle.dumps(CARD)) == CARD


def test_short_card_is_filled_in() -> None:
    card = ModelCard.from_toml(SIDECAR, "x.toml")
    assert (card.rate_hz, card.hop, card.latency, card.front_end) == (None, 128, 0, "waveform")


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        ('name = "foreign"\n', "", "field 'name' is missing"),
        ('"foreign"', '""', "field 'name': found '', wanted a name"),
        ('"foreign"', "3", "field 'name': found 3, wanted text"),
        ("frame = 128", "frame = 0", "field 'frame': found 0, wanted a whole number of at least 1"),
        ("frame = 128", "frame = 128.0", "field 'frame': found 128.0, wanted a whole number"),
        ("frame = 128", "frame = true", "field 'frame': found True, wanted a whole number"),
        ("frame = 128", "frame = 128\nhop = 64", "field 'hop': found 64, wanted the frame"),
        ("frame = 128", "frame = 128\nhops = 64", "field 'hops' is unknown; the known ones are"),
        ("frame = 128", "frame = 128\nlatency = -1", "field 'latency': found -1"),
        ("frame = 128", 'frame = 128\nfront_end = "mel"', "'front_end': found 'mel', wanted wave"),
        ('"recurrent"', '"some"', "field 'memory': found 'some', wanted stateless or finite"),
        ('"recurrent"', '"stateless"', "found 'stateless', which wants no state tensors"),
        ('"recurrent"', '"finite"', "field 'context': found 0, wanted a positive number"),
        ('[tensors.state]\nh = "h_out"\n', "", "'recurrent', which wants state tensors"),
        ('h = "h_out"', "h = 3", "field 'tensors.state': found"),
        ('h = "h_out"', 'h = "out"', "wanted each tensor named once"),
        ('input = "frame"\n', "", "field 'tensors.input': found None, wanted a tensor's name"),
        ('output = "out"', 'output = "out"\nside = "x"', "field 'tensors.side' is unknown"),
        ("[tensors]", "[tensors", "is not valid TOML"),
        ('h = "h_out"', 'h = "h_out"\n[quality]\npesq = [1]', "field 'quality': found"),
    ],
)
def test_fault_names_file_field_found_and_wanted(line: str, instead: str, message: str) -> None:
    assert line in SIDECAR
    with pytest.raises(ModelError, match=r"^foreign\.toml: ") as caught:
        ModelCard.from_toml(SIDECAR.replace(line, instead), "foreign.toml")
    assert message in str(caught.value)


def test_card_made_in_python_is_checked_too() -> None:
    with pytest.raises(ModelError, match="model card 'x': field 'memory': found 'finite'"):
        ModelCard(name="x", frame=8, memory="finite", tensors=Tensors("a", "b"))


def two_graphs(**changes: object) -> ModelCard:
    mask = Tensors("magnitude", "mask", {"h": "h_out"}, "mask")
    frames = Tensors("spectrum", "sound", {"g": "g_out"}, "frames")
    facts = {"name": "x", "frame": 512, "hop": 128, "memory": "recurrent", "front_end": "dtln",
             "tensors": mask, "second": frames}  # fmt: skip
    return ModelCard(**facts | changes)  # type: ignore[arg-type]


def test_card_of_two_graphs_reads_back_as_it_was() -> None:
    card = two_graphs()
    assert ModelCard.from_toml(card.to_toml(), "x") == card
    assert [tensors.signature for tensors in card.graphs] == ["mask", "frames"]


def test_lookahead_is_said_only_where_there_is_one() -> None:
    card = two_graphs(**ONE)
    later = replace(card, lookahead=1, latency=512)
    assert "lookahead" not in card.to_toml(), "or every older model's digest would be another"
    assert ModelCard.from_toml(later.to_toml(), "x") == later


ONE = {"front_end": "stft-mask", "second": None, "latency": 384}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop": 100}, r"'hop': found 100, wanted a divisor of the frame \(512\)"),
        ({"second": None}, "field 'second' is missing; the front end dtln has two graphs"),
        ({"front_end": "stft-mask"}, "'second': is there, but the front end stft-mask has one"),
        ({"second": Tensors("a", "b", {"h": "c"})}, "state input 'h' is in both graphs"),
        ({"memory": "stateless"}, "found 'stateless', wanted finite or recurrent"),
        ({"lookahead": 1}, "'lookahead': found 1, wanted 0, as the front end is dtln"),
        (ONE | {"lookahead": -1}, "'lookahead': found -1, wanted a whole number of at least 0"),
        (ONE | {"latency": 0}, r"'latency': found 0, wanted frame - hop .* \(384\) with stft-mask"),
        (ONE | {"lookahead": 1}, r"found 384, wanted frame - hop \+ lookahead \* hop \(512\)"),
    ],
)
def test_graphs_that_do_not_go_together_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        two_graphs(**changes)
