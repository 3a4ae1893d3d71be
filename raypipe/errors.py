"""Everything that raypipe raises on purpose.

::

    RaypipeError                 exit 1
    ├── UsageError               exit 2   a setting or a path that cannot be meant
    ├── StorageError             exit 3   disk full, read-only, vanished, the journal
    │   └── OutputBusy           exit 3   another run is writing to the same output
    ├── ModelError               exit 4   a model that is missing, broken or misdescribed
    ├── ClusterError             exit 5   a cluster was lost, or could not start what was submitted
    ├── AudioError               exit 1   one file's own fault; it becomes ``Failed``
    │   ├── UnreadableAudio               no decoder could open it or go on with it
    │   ├── TruncatedAudio                the sound ends before its header says
    │   └── UnsupportedAudio              it can be read, but not carried through
    └── TooManyFailures          exit 1   ``max_failures`` was reached

Errors cross process borders: every class hands *all* its arguments to
``super().__init__``, so that pickle rebuilds it whole (a test walks the tree).
"""

from __future__ import annotations

__all__ = [
    "AudioError",
    "ClusterError",
    "ModelError",
    "OutputBusy",
    "RaypipeError",
    "StorageError",
    "TooManyFailures",
    "TruncatedAudio",
    "UnreadableAudio",
    "UnsupportedAudio",
    "UsageError",
]


class RaypipeError(Exception):
    """Root of all errors that raypipe raises on purpose; its text is for people."""

    exit_code = 1


class UsageError(RaypipeError):
    """A setting, an option or a path that cannot be meant."""

    exit_code = 2


class StorageError(RaypipeError):
    """The place that is read from or written to refuses: full, read-only, gone."""

    exit_code = 3


class OutputBusy(StorageError):
    """Another run holds the output folder."""


class ModelError(RaypipeError):
    """A model is missing, unreadable, or not what its card says."""

    exit_code = 4


class ClusterError(RaypipeError):
    """A cluster does not answer any more, or could not start what was submitted to it."""

    exit_code = 5


class AudioError(RaypipeError):
    """One audio file is at fault; the run goes on and records it as ``Failed``.

    Parameters
    ----------
    path : str
        The file, as the user would name it.
    reason : str
        What was found and what was wanted, in one clause without the path.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class UnreadableAudio(AudioError):
    """No decoder could open the file, or none could go on with it."""


class TruncatedAudio(AudioError):
    """The sound ends before the place that its own header promises."""


class UnsupportedAudio(AudioError):
    """The file can be read, but cannot be carried through as asked."""


class TooManyFailures(RaypipeError):
    """The run was stopped because ``max_failures`` files had failed."""
