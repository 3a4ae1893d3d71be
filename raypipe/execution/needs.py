"""What a worker takes of its machine's memory, so that Ray puts no more workers there than fit.

Comes in: the model's size, and the sound that a batch holds. Goes out: the bytes
that a worker declares. An estimate on the safe side; ``--worker-memory`` overrides it.
"""

from __future__ import annotations

import os

from raypipe.inference.model_file import ModelFile

BASE_BYTES = 192 << 20
"""Python, numpy, LiteRT and Ray's own part: 100 to 125 MB before any work, measured, and Ray."""

MODEL_COPIES = 8
"""A graph is held once for each width in use; DTLN's 4 MB came to 30."""

USUAL_HZ = 48_000
"""Rates are known only once files are open; this is the highest usual one."""

SOUND_COPIES = 5
"""Read, resampled, stepped, resampled back, encoded; 3.5 to 4.5 were in use at once, measured."""

SAMPLE_BYTES = 4


def worker_bytes(model: ModelFile, lane_s: float) -> int:
    """Memory of one worker.

    Parameters
    ----------
    model : ModelFile
        Counts with the size of its file; nothing is known of a Python object.
    lane_s : float
        Seconds of sound in a batch, all lanes.
    """
    try:
        model_bytes = os.path.getsize(model.path)
    except OSError:
        model_bytes = 0
    sound_bytes = int(lane_s * USUAL_HZ) * SAMPLE_BYTES
    return BASE_BYTES + MODEL_COPIES * model_bytes + SOUND_COPIES * sound_bytes
