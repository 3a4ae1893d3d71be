from __future__ import annotations

import struct

import numpy as np
import pytest

from raypipe.audio import rawpcm
from raypipe.audio.encode import encode
from raypipe.errors import UsageError
from raypipe.types import RawLayout
from tests import signals
from tests.audio import files

SAMPLES = "u8 s8 s16le s16be s24le s24be s32le s32be f32le f32be f64le f64be".split()  # noqa: SIM905


@pytest.mark.parametrize("sample", SAMPLES)
def test_random_bytes_decoded_and_packed_again_are_the_same_bytes(sample: str) -> None:
    subtype, endian = rawpcm.names_of(RawLayout(16000, 2, sample))
    size = rawpcm.bytes_per_sample(subtype) * 2 * 500
    if subtype in ("FLOAT", "DOUBLE"):
        kind = ("<" if endian == "LITTLE" else ">") + ("f4" if subtype == "FLOAT" else "f8")
        data = signals.noise(1000)[0].astype(kind).tobytes()
    else:
        data = np.random.default_rng(signals.SEED).bytes(size)
    samples = rawpcm.from_bytes(data, subtype, endian, 2)
    assert samples.shape == (2, 500)
    wanted = files.target("RAW", subtype, 2, endian=endian)
    assert rawpcm.to_bytes(encode(samples, wanted).data, subtype, endian) == data
    assert rawpcm.layout_of(subtype, endian, 16000, 2) == RawLayout(16000, 2, sample)


def test_known_bytes_have_known_values() -> None:
    cases = {
        "u8": (bytes([0, 128, 255]), [-1.0, 0.0, 127 / 128]),
        "s16be": (struct.pack(">2h", -32768, 16384), [-1.0, 0.5]),
        "s24le": (b"\0\0\x80\0\0\x40\xff\xff\xff", [-1.0, 0.5, -(2.0**-23)]),
        "s24be": (b"\x80\0\0\x40\0\0\xff\xff\xff", [-1.0, 0.5, -(2.0**-23)]),
        "s32le": (struct.pack("<2i", -(2**31), 1), [-1.0, 2.0**-31]),
        "f64be": (struct.pack(">d", 0.1), [0.1]),
    }
    for sample, (data, values) in cases.items():
        subtype, endian = rawpcm.names_of(RawLayout(8000, 1, sample))
        assert rawpcm.from_bytes(data, subtype, endian, 1)[0].tolist() == values


def test_unknown_sample_types_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'s20le' is unknown; known are u8, s8, s16le"):
        rawpcm.names_of(RawLayout(16000, 1, "s20le"))
    with pytest.raises(UsageError, match="0 channels"):
        rawpcm.names_of(RawLayout(16000, 0))
