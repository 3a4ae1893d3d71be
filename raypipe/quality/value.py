"""What a measure gives: a number, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no number."""

    reason: str
    """In one clause, for a person."""


TOO_LARGE = Missing("its samples are too large")
"""Their squares are beyond what the measure is worked out in."""

Value: TypeAlias = float | Missing


def parted(found: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a class of measures: numbers by name, None for what is missing, and the reasons
    under ``missing``."""
    missing = {name: v.reason for name, v in found.items() if isinstance(v, Missing)}
    return {name: None if name in missing else v for name, v in found.items()} | {
        "missing": missing
    }
