"""Which of Ray's errors mean that a process is gone, which do not, and what to say of them."""

from __future__ import annotations

from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    GetTimeoutError,
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RaySystemError,
    RayTaskError,
    RpcError,
    WorkerCrashedError,
)

from raypipe.errors import RaypipeError

PROCESS_LOST = (
    RayActorError, WorkerCrashedError, NodeDiedError, OutOfMemoryError, ActorUnschedulableError,
)  # fmt: skip
"""The last four are no `RayActorError`. `RayTaskError` is not among them: it carries what our own
code raised, and must stop the run. Nor is `RaySystemError`: Ray itself is broken then."""

NODE_LOST = (ActorUnavailableError, NodeDiedError, ActorUnschedulableError)
"""Those of `PROCESS_LOST` that tell of the machine or the way to it. An actor that cannot be
reached may still be at work: what it still answers or writes, nobody takes."""

SOUND_LOST = (ObjectLostError, NodeDiedError)
"""What a call gets for its argument, or the driver for an answer, when the node that held it is
gone: `OwnerDiedError`, `ObjectFetchTimedOutError` and `ObjectReconstructionFailedError` too."""

HEAD_SILENT = (RpcError, GetTimeoutError, RaySystemError)
"""What a question to the head gets while that is away or begins again."""


GOES_ON = "what was done stays, and the same command goes on from there"
"""What a lost cluster comes to where outputs are kept and known again."""


def broken_ray(error: RayError, comes_to: str = GOES_ON) -> RaypipeError:
    """What to say where Ray itself has failed, which no other worker can mend."""
    if isinstance(error, LocalRayletDiedError):
        what = "Ray's process on this machine has died"
    else:
        said = " ".join(str(error).strip().splitlines()[:2]) or type(error).__name__
        what = f"Ray has failed: {said}"
    return RaypipeError(f"{what}; {comes_to}")


def cause_of(error: RayTaskError) -> Exception:
    """What our code raised in another process, as its own type where that is possible."""
    cause = error.as_instanceof_cause()
    inner = getattr(error, "cause", None)
    return inner if isinstance(inner, Exception) else cause


def why_lost(error: Exception) -> str:
    """What happened to a worker, for a person."""
    return "ran out of memory" if isinstance(error, OutOfMemoryError) else "crashed"


def cannot_load(error: Exception) -> RaypipeError:
    """What to say where a node's Python does not even unpickle a worker."""
    return RaypipeError(
        "a worker cannot load raypipe; is the same version installed on every node? "
        f"{first_line(error)}"
    )


def first_line(error: Exception) -> str:
    """An error's own words without the traceback that Ray puts behind them."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
