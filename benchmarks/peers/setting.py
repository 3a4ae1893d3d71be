"""What every question is asked with: models, folders, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from raypipe.settings import DEFAULT_LANES

PROCESSES = 2
"""For every peer that works in several."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One call of the command."""

    scratch: Path
    """For corpora and outputs; a question has a folder of its own in it."""
    pair: Path | None
    """Folder of DTLN's published pair; None where it is not there."""
    models: dict[str, str] = field(
        default_factory=lambda: {"dtln": "dtln", "dtln-int8": "dtln-int8"}
    )
    """Name or path of our graphs of DTLN, by the name that tables give them."""
    ours: tuple[str, ...] = ("denoise-48k", "denoise-48k-int8")
    """Shipped denoisers, which do other work than DTLN: only their kernels are set beside it."""
    quick: bool = False
    """Small corpora: to see that all works, not to publish."""
    lanes: int = DEFAULT_LANES

    def pick(self, full: int, quick: int) -> int:
        """How much there is to be of something."""
        return quick if self.quick else full


NO_PAIR = "DTLN's published pair is not here (--model-dir)"
