"""List files: paths or addresses, one a line or, as names may hold line breaks, after NULs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from raypipe.storage.inputs import open_input

BLOCK_BYTES = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def listed_paths(path: str) -> Iterator[str]:
    """Paths of a list file: separated by NUL if there is one near its head, else one a line.

    Among lines, empty ones and those that begin with ``#`` are passed over.
    """
    with open_input(path) as file:
        by_nul = b"\0" in file.read(65536)
        file.seek(0)
        rest = b""
        while block := file.read(BLOCK_BYTES):
            *whole, rest = (rest + block).split(b"\0" if by_nul else b"\n")
            yield from _paths(whole, by_nul)
        yield from _paths([rest], by_nul)


def _paths(entries: list[bytes], by_nul: bool) -> Iterator[str]:
    for entry in entries:
        path = entry
        if not by_nul:
            path = entry.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n")
            if path.startswith(b"#") or not path.strip():
                continue
        if path:
            yield os.fsdecode(path)
