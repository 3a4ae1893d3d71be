"""What a run is told: `RunSettings`, frozen and checked.

Comes in by name, from `raypipe.configuration` or from Python; what is not said is as
below. Goes out as one value that travels to every process, and as a fingerprint of
just those settings that can change the sound.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from raypipe.errors import UsageError
from raypipe.types import MOST_CHANNELS, MOST_HZ, RawLayout

SOUND_VERSION = 1
"""Raised whenever the same settings and model would give other samples than before."""

DEFAULT_MODEL = "denoise-48k"
"""Takes noise out of speech; it comes with raypipe."""

DEFAULT_LANES = 70
"""Where streaming models measured so far stop gaining from more lanes; a width of the ladder."""

SAMPLE_TYPES = (
    "u8", "s8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be",
    "f32le", "f32be", "f64le", "f64be",
)  # fmt: skip
EXECUTORS = ("auto", "inline", "ray")
CLIP_RULES = ("count", "scale")
MOST_GB = 1e6


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Everything that a run may be told. ``None`` stands for "choose for me" (``auto``)."""

    model: str = DEFAULT_MODEL
    """Name of a shipped or pulled model, or path of a ``.tflite``."""
    rate_hz: int | None = None
    """Rate of a model that has no card."""
    workers: int | None = None
    """Processes that step the model; None: one for each core, or for each CPU of a cluster, more
    when nodes join it and fewer when they leave."""
    max_workers: int | None = None
    """No more than these, where `workers` does not say how many."""
    worker_memory_gb: float | None = None
    """Memory that each worker asks a cluster for, in GB; None: estimated."""
    lanes: int | None = None
    """Widest batch of a worker; None: chosen from the model."""
    executor: str = "auto"
    """``inline`` (this process), ``ray``, or ``auto``: inline for a small job."""
    address: str | None = None
    """Ray cluster to attach to; ``auto``: the one that this machine or job belongs to; None: a
    local one of our own."""
    dashboard: bool = False
    """Start a local Ray with its dashboard, and say where that can be seen."""
    include: tuple[str, ...] = ()
    """Glob patterns; a file must match one of them (against its relative name or base name)."""
    exclude: tuple[str, ...] = ()
    """Glob patterns; a file or folder that matches one is left out."""
    raw: RawLayout | None = None
    """Layout of ``.raw`` and ``.pcm`` files."""
    output_format: str = "keep"
    """``keep``, or a format such as ``wav`` or ``flac``."""
    suffix: str = ""
    """Put between a file's stem and its extension."""
    overwrite: bool = False
    """Replace outputs that no earlier run of raypipe made."""
    fresh: bool = False
    """Forget the journal: do everything again."""
    atten_limit_db: float | None = None
    """Take at most so many dB away from any sound: 0 changes nothing; None: no limit."""
    mix: float = 1.0
    """Share of the cleaned sound in the output, from 0 to 1; the rest is the input."""
    clip: str = "count"
    """``count``: hold integer output at full scale and count it; ``scale``: turn the file down."""
    keep_truncated: bool = False
    """Process the sound that a truncated file still has, instead of failing it."""
    max_failures: int | None = None
    """Stop the run once so many files have failed."""
    timeout_s: float | None = None
    """Longest time a batch may take before its worker is replaced; None: from its length."""
    segment_s: float | None = None
    """Length of a segment; None: from the number of lanes."""

    def __post_init__(self) -> None:
        _one_of("executor", self.executor, EXECUTORS)
        _one_of("clip", self.clip, CLIP_RULES)
        for name in ("workers", "max_workers", "lanes", "rate_hz"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= 10_000_000:
                raise UsageError(f"{name} must be auto or at least 1, not {value}")
        for name in ("timeout_s", "segment_s"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise UsageError(f"{name} must be more than 0 seconds, not {value}")
        self._check_strength()
        memory_gb = self.worker_memory_gb
        if memory_gb is not None and not 0 < memory_gb < MOST_GB:
            raise UsageError(f"worker_memory_gb must be more than 0 GB, not {memory_gb}")
        if (self.workers or 1) > (self.max_workers or self.workers or 1):
            raise UsageError(
                f"workers {self.workers} is more than max_workers {self.max_workers}; give one"
            )
        if self.max_failures is not None and self.max_failures < 1:
            raise UsageError(f"max_failures must be at least 1, not {self.max_failures}")
        if "/" in self.suffix or "\\" in self.suffix or "\0" in self.suffix:
            raise UsageError(f"suffix must not hold a path separator: {self.suffix!r}")
        if self.executor == "inline" and (self.address or (self.workers or 1) > 1):
            raise UsageError("executor inline works in this process: no address, no 2nd worker")
        if self.executor == "inline" and self.dashboard:
            raise UsageError("executor inline works in this process: no Ray, no dashboard")
        if self.raw is not None:
            check_raw(self.raw)

    def _check_strength(self) -> None:
        limit_db = self.atten_limit_db
        if limit_db is not None and not limit_db >= 0:
            raise UsageError(f"atten_limit_db must be none or at least 0 dB, not {limit_db}")
        if limit_db == float("inf"):
            object.__setattr__(self, "atten_limit_db", None)
        if not 0 <= self.mix <= 1:
            raise UsageError(f"mix must be from 0 to 1, not {self.mix}")

    @property
    def worker_memory_bytes(self) -> int | None:
        """`worker_memory_gb` in bytes."""
        return None if self.worker_memory_gb is None else round(self.worker_memory_gb * 1e9)

    def fingerprint(self, model: str) -> str:
        """Digest of the model and of every setting that changes the sound, and of nothing else.

        The layout of headerless files is not in it: it changes those files alone, and stands with
        them (`AudioFile.layout`).

        Parameters
        ----------
        model : str
            Digest of the model, its card included.

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        sound: dict[str, Any] = {
            "sound_version": SOUND_VERSION,
            "model": model,
            "rate_hz": self.rate_hz,
            "output_format": self.output_format,
            "clip": self.clip,
            "keep_truncated": self.keep_truncated,
        }
        # Only where they are not as ever: what was done before they came is not done again.
        if self.atten_limit_db is not None:
            sound["atten_limit_db"] = self.atten_limit_db
        if self.mix != 1:
            sound["mix"] = self.mix
        text = json.dumps(sound, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def check_raw(raw: RawLayout) -> RawLayout:
    """Give the layout back, or raise `UsageError` with what is wrong with it."""
    if raw.sample not in SAMPLE_TYPES:
        raise UsageError(
            f"raw sample type {raw.sample!r} is not known; known: {', '.join(SAMPLE_TYPES)}"
        )
    if not 1 <= raw.rate_hz <= MOST_HZ:
        raise UsageError(f"raw rate must be 1 to {MOST_HZ} Hz, not {raw.rate_hz}")
    if not 1 <= raw.channels <= MOST_CHANNELS:
        raise UsageError(f"raw channels must be 1 to {MOST_CHANNELS}, not {raw.channels}")
    return raw


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name} must be one of {', '.join(known)}, not {value!r}")
