"""Which of Ray's errors mean that a process is gone, and which do not."""

from __future__ import annotations

from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)

PROCESS_LOST = (RayActorError, WorkerCrashedError, NodeDiedError, OutOfMemoryError)
"""The last three are no `RayActorError`. `RayTaskError` is not among them: it carries what our own
code raised, and must stop the run. Nor is `RaySystemError`: Ray itself is broken then."""

SOUND_LOST = (ObjectLostError, NodeDiedError)
"""What a collector call gets for its argument when the node that held the sound is gone."""


def cause_of(error: RayTaskError) -> Exception:
    """What our code raised in another process, as its own type where that is possible."""
    cause = error.as_instanceof_cause()
    inner = getattr(error, "cause", None)
    return inner if isinstance(inner, Exception) else cause
