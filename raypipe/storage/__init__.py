"""Where inputs are read and outputs appear: folders of this machine, and buckets.

Comes in: paths and addresses. Goes out: files that appear whole or not at all,
inputs that are read by ranges, and one error class for whatever a storage says.

- `paths`: what a path or an address is, and how it is printed.
- `place`: what a run needs of its output; `hold` gives one, for the time of a run.
- `local`, `local_hold`, `files`: an output folder on a disk, and the single files in it.
- `bucket`, `bucket_hold`, `bucket_publisher`, `lease`, `scratch`: an output in a store.
- `troubles`, `retry`, `store`, `s3`, `web`, `address`: objects in stores, by fsspec.
- `inputs`, `listing`: files and objects alike, to be read and to be found.
- `remote`: an object that is read as a file, by ranges.
- `output`: the right one of these for a path or an address.
"""

from raypipe.storage.local import LocalPlace
from raypipe.storage.local_hold import LocalHold
from raypipe.storage.local_hold import LocalHold as Hold
from raypipe.storage.output import hold, place_at, report_of, write_text
from raypipe.storage.paths import (
    PRIVATE,
    absolute,
    as_tree,
    free_bytes,
    from_tree,
    is_address,
    join,
    located,
    path_or_address,
    relative,
    scheme_of,
    show,
    storage_error,
    too_long,
    without_secrets,
)
from raypipe.storage.place import JournalPart, Place, Publisher, Stamp

__all__ = [
    "PRIVATE",
    "Hold",
    "JournalPart",
    "LocalHold",
    "LocalPlace",
    "Place",
    "Publisher",
    "Stamp",
    "absolute",
    "as_tree",
    "free_bytes",
    "from_tree",
    "hold",
    "is_address",
    "join",
    "located",
    "path_or_address",
    "place_at",
    "relative",
    "report_of",
    "scheme_of",
    "show",
    "storage_error",
    "too_long",
    "without_secrets",
    "write_text",
]
