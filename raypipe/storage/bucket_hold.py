"""Holding an output in a store for one run: the lease, and what dead runs left.

Uploads that nobody will finish are not to be seen, but are paid for. Those below
OUT are ended whose names the journal knows as outputs of ours: while the lease is
ours, nobody else uploads those. Other people's are not touched.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from types import TracebackType

from raypipe.errors import StorageError
from raypipe.storage.address import store_of
from raypipe.storage.bucket import BucketPlace
from raypipe.storage.lease import Lease
from raypipe.storage.paths import PRIVATE
from raypipe.storage.refusals import refusals


class BucketHold:
    """Holds an output in a store; a context manager that gives the `BucketPlace`.

    Parameters
    ----------
    root : str
        Address that outputs are relative to.
    name : str or None
        Name of the one output, where it is one file: then there is neither lease nor journal.

    Raises
    ------
    OutputBusy
        If another run holds it.
    StorageError
        If the store refuses.
    """

    def __init__(self, root: str, name: str | None = None) -> None:
        self.place = BucketPlace(root, uuid.uuid4().hex[:12], resumable=name is None)
        self._name = name
        self._lease: Lease | None = None

    def __enter__(self) -> BucketPlace:
        place = self.place
        store = store_of(place.root)
        with refusals(place.root, "write into"):
            if self._name is None:
                lease = Lease(store, place.root, place.lease, place.run)
                lease.take()
                self._lease = lease
        try:
            if self._name is None:
                self._sweep("")
                place.tidy()
        except BaseException:
            self._let_go()
            raise
        return place

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(StorageError):  # the next run sweeps it
            self._sweep(self.place.run)
        self._let_go()

    def _let_go(self) -> None:
        if self._lease is not None:
            self._lease.release()

    def _sweep(self, run: str) -> None:
        """End uploads that nobody will finish, of one run or of any."""
        place = self.place
        announced: set[str] | None = None

        def is_ours(output: str) -> bool:
            nonlocal announced
            if self._name is not None:
                return output == self._name
            if announced is None:
                announced = _announced(place, run)
            return output.startswith(f"{PRIVATE}/") or output in announced

        with refusals(place.root, "look for unfinished uploads in"):
            store_of(place.root).abort_uploads(place.root, is_ours)


def _announced(place: BucketPlace, run: str) -> set[str]:
    """Outputs that were about to appear."""
    found: set[str] = set()
    for part in place.parts(run):
        for line in part:
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                told = json.loads(line)
                if told["state"] == "publishing":
                    found.update(str(artifact[0]) for artifact in told["artifacts"].values())
    return found
