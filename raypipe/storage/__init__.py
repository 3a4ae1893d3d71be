"""Where inputs are read and outputs appear: folders of this machine, and buckets.

Comes in: paths and addresses. Goes out: files that appear whole or not at all,
inputs that are read by ranges, and one error class for whatever a storage says.

- `paths`: what a path or an address is, and how it is printed.
- `place`: what a run needs of its output; `hold` gives one, for the time of a run.
- `local`, `local_hold`: an output folder on a disk.
- `output`: the right one of these for a path or an address.
"""

from raypipe.storage.local import LocalPlace
from raypipe.storage.local_hold import LocalHold
from raypipe.storage.output import hold, place_at, write_text
from raypipe.storage.paths import (
    PRIVATE,
    absolute,
    free_bytes,
    is_address,
    join,
    path_or_address,
    show,
    storage_error,
    too_long,
)
from raypipe.storage.place import JournalPart, Place, Publisher, Stamp

__all__ = [
    "PRIVATE",
    "JournalPart",
    "LocalHold",
    "LocalPlace",
    "Place",
    "Publisher",
    "Stamp",
    "absolute",
    "free_bytes",
    "hold",
    "is_address",
    "join",
    "path_or_address",
    "place_at",
    "show",
    "storage_error",
    "too_long",
    "write_text",
]
