"""Which of Ray's errors mean a dead process, lost sound, or what our own code said."""

from __future__ import annotations

import inspect

import pytest

ray_exceptions = pytest.importorskip("ray.exceptions")

from raypipe.errors import AudioError, ModelError, UnreadableAudio  # noqa: E402
from raypipe.execution.losses import (  # noqa: E402
    PROCESS_LOST,
    SOUND_LOST,
    broken_ray,
    cannot_load,
    cause_of,
    why_lost,
)

MEANS = {
    "ActorDiedError": PROCESS_LOST,
    "ActorUnavailableError": PROCESS_LOST,
    "ActorUnschedulableError": PROCESS_LOST,
    "WorkerCrashedError": PROCESS_LOST,
    "NodeDiedError": PROCESS_LOST,
    "OutOfMemoryError": PROCESS_LOST,
    "ObjectLostError": SOUND_LOST,
    "ObjectFetchTimedOutError": SOUND_LOST,
    "ObjectFreedError": SOUND_LOST,
    "OwnerDiedError": SOUND_LOST,
    "ObjectReconstructionFailedError": SOUND_LOST,
    "RayTaskError": (),
    "RaySystemError": (),
    "LocalRayletDiedError": (),
    "RpcError": (),
    "TaskCancelledError": (),
    "GetTimeoutError": (),
    "ObjectStoreFullError": (),
    "OutOfDiskError": (),
    "RuntimeEnvSetupError": (),
}


@pytest.mark.parametrize("name", MEANS)
def test_each_error_of_rays_has_one_meaning(name: str) -> None:
    kind = getattr(ray_exceptions, name)
    assert inspect.isclass(kind)
    assert issubclass(kind, PROCESS_LOST) == (MEANS[name] is PROCESS_LOST)
    if name != "NodeDiedError":  # with a process or with the sound on it
        assert issubclass(kind, SOUND_LOST) == (MEANS[name] is SOUND_LOST)


def raised(error: Exception) -> Exception:
    return cause_of(ray_exceptions.RayTaskError("step", "the traceback", error))


@pytest.mark.parametrize(
    "error", [ModelError("m: broken"), UnreadableAudio("a.wav", "is empty"), ZeroDivisionError("x")]
)
def test_what_our_code_raised_comes_back_as_itself(error: Exception) -> None:
    cause = raised(error)
    assert type(cause) is type(error)
    assert str(cause) == str(error)
    if isinstance(error, AudioError):
        assert isinstance(cause, AudioError)
        assert cause.reason == error.reason


def test_lost_sound_inside_a_call_is_seen_as_that() -> None:
    lost = ray_exceptions.ObjectLostError("00" * 28, "owner", "site")
    assert isinstance(raised(lost), SOUND_LOST)


def test_a_worker_that_cannot_be_unpickled_is_told_of_in_one_line() -> None:
    said = str(cannot_load(ray_exceptions.RaySystemError("no module raypipe\n  File x, line 1")))
    assert said.startswith("a worker cannot load raypipe; is the same version installed")
    assert said.endswith("no module raypipe")


def test_a_lack_of_memory_is_told_from_a_crash() -> None:
    assert why_lost(ray_exceptions.OutOfMemoryError("killed")) == "ran out of memory"
    assert why_lost(ray_exceptions.WorkerCrashedError()) == "crashed"


def test_a_broken_ray_is_said_with_what_that_comes_to() -> None:
    lost = ray_exceptions.RaySystemError("no more")
    assert str(broken_ray(lost)).endswith(
        "; what was done stays, and the same command goes on from there"
    )
    assert str(broken_ray(lost, "the same command begins anew")).endswith(
        "no more; the same command begins anew"
    )
