"""When a peer counts as another peer, and what is said of those that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.denoisers.peers import all_peers, gtcrn_peer, raypipe_peer
from raypipe.inference.metadata import embed_card
from raypipe.inference.zoo import find_model


def test_figures_in_the_card_make_no_other_model_but_another_sound_does(tmp_path: Path) -> None:
    found = find_model("recurrent")
    content = Path(found.path).read_bytes()
    keys = []
    for number, card in enumerate(
        (found.card, replace(found.card, quality={"pesq_wb": 2.5}), replace(found.card, latency=7))
    ):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(embed_card(content, card))
        keys.append(raypipe_peer("x", str(path), 48_000).key)
    assert keys[0] == keys[1] != keys[2]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    assert "no model" in raypipe_peer("x", str(tmp_path / "x.tflite"), 48_000).missing
    missing = gtcrn_peer(tmp_path / "gtcrn" / "a.onnx").missing
    assert missing in ("not here (gtcrn/a.onnx)", "not installed (onnxruntime)")


def test_the_int8_variant_lies_beside_ours(tmp_path: Path) -> None:
    names = [peer.name for peer in all_peers(str(tmp_path / "new.tflite"), tmp_path)]
    assert names[:3] == ["new", "new-int8", "dtln"]
    assert [peer.name for peer in all_peers("denoise-48k", tmp_path)][:2] == [
        "denoise-48k", "denoise-48k-int8",
    ]  # fmt: skip
