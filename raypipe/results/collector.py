"""The collector: puts each file's pieces together and lets whole files appear.

Comes in: `Piece`s, each file's in order. Goes out: `Published` (with the file's
`Done`) or `Fault`. Files are written under short names in the output's private
folder; when some are whole they are made durable, journalled, renamed into
place and journalled again, all of one call together.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from raypipe.audio.tags import copy_tags
from raypipe.dsp.level import LevelSum
from raypipe.errors import AudioError, StorageError
from raypipe.results.journal import Artifacts, JournalWriter
from raypipe.results.sinks import Sink, open_sink
from raypipe.storage import Place, Stamp, show
from raypipe.storage.files import remove
from raypipe.storage.inputs import opened_together
from raypipe.types import Collected, Done, Fault, Gap, Levels, Piece, Published


@dataclass(frozen=True, slots=True)
class CollectorJob:
    """What every collector of a run is told once."""

    place: Place
    fingerprint: str
    clip: str
    """See `RunSettings.clip`."""
    resumable: bool
    """False: keep no journal."""


@dataclass(slots=True)
class _Unfinished:
    """A file that some pieces have come of."""

    sinks: dict[str, Sink]
    level_in: LevelSum
    level_out: LevelSum
    frames: int = 0
    clipped: int = 0
    busy_s: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Whole:
    """A file whose artifacts are complete, but not yet in place."""

    ticket: int
    done: Done
    temporary: dict[str, str]
    """Path by artifact."""


class Collector:
    """Writes and publishes.

    Parameters
    ----------
    job : CollectorJob
        Where to, and how.
    index : int
        Which collector of the run this is.
    name : str
        Names its part of the journal.
    """

    def __init__(self, job: CollectorJob, index: int, name: str) -> None:
        self.job = job
        self._files: dict[int, _Unfinished] = {}
        self._journal = JournalWriter(job.place, name, job.fingerprint)
        self._publisher = job.place.publisher(f"{index}-{name}")
        self._busy_s = 0.0

    def take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        """Write pieces and publish the files that are whole now.

        Parameters
        ----------
        pieces : sequence of Piece
            Each file's in order.
        drop : sequence of int
            Tickets that are void: what came of them is thrown away.

        Returns
        -------
        list of Collected
            One for each file that was published, or cannot be.

        Raises
        ------
        StorageError
            If the output refuses, or belongs to another run by now.
        """
        begin_s = time.perf_counter()
        self._check_ours()
        sources = opened_together(piece.file.path for piece in pieces if piece.ended)
        try:
            answers = self._take(pieces, drop)
        finally:
            for source in sources:
                source.close()
        self._busy_s += time.perf_counter() - begin_s
        return [self._with_time(answer) for answer in answers]

    def _take(self, pieces: Sequence[Piece], drop: Sequence[int]) -> list[Collected]:
        for ticket in drop:
            self._forget(ticket)
        answers: list[Collected] = []
        whole: list[_Whole] = []
        for piece in pieces:
            if piece.ticket in drop:
                for part in piece.parts:
                    if part.path:
                        remove(part.path)
                continue
            if gap := self._gap(piece):
                self._forget(piece.ticket)
                answers.append(Gap(piece.ticket, gap))
                continue
            try:
                self._write(piece)
                if piece.ended:
                    whole.append(self._complete(piece))
            except AudioError as error:
                self._forget(piece.ticket)
                answers.append(Fault(piece.ticket, error.reason))
        if whole:
            answers.extend(self._publish(whole))
        return answers

    def _with_time(self, answer: Collected) -> Collected:
        """The first that was published carries the time of all the work since the last one."""
        if not self._busy_s or not isinstance(answer, Published):
            return answer
        busy_s, self._busy_s = self._busy_s, 0.0
        return replace(answer, publish_s=busy_s)

    def _check_ours(self) -> None:
        """Stop where the driver is dead and another run has the place: it would be done twice."""
        place = self.job.place
        if not place.still_ours():
            raise StorageError(f"{show(place.root)}: was taken over by another run")

    def _gap(self, piece: Piece) -> str:
        """What is missing in front of a piece; nothing where it follows on."""
        file = self._files.get(piece.ticket)
        have = -1 if file is None else file.frames
        if have == piece.start or (file is None and piece.first):
            return ""
        return f"{piece.file.name}: sound came from sample {piece.start} on, {have} were there"

    def _write(self, piece: Piece) -> None:
        file = self._files.get(piece.ticket)
        if file is None:
            file = self._files[piece.ticket] = self._begin(piece)
        for part in piece.parts:
            file.sinks[part.name].write(part)
            file.clipped += part.clipped
        file.level_in.add(piece.level_in)
        file.level_out.add(piece.level_out)
        file.frames += piece.frames
        file.busy_s += piece.busy_s
        file.notes.extend(piece.notes)

    def _begin(self, piece: Piece) -> _Unfinished:
        sinks = {
            part.name: open_sink(
                part, self._publisher.temporary(f"{piece.ticket}-{part.name}"), self.job.clip
            )
            for part in piece.parts
        }
        info = piece.info
        return _Unfinished(
            sinks, LevelSum(info.rate_hz, info.channels), LevelSum(info.rate_hz, info.channels)
        )

    def _complete(self, piece: Piece) -> _Whole:
        file = self._files[piece.ticket]
        for part in piece.parts:
            sink = file.sinks[part.name]
            sink.finish()
            file.notes.extend(copy_tags(piece.file.path, sink.path, part.target))
        del self._files[piece.ticket]
        gain_db = sum(sink.gain_db for sink in file.sinks.values())
        done = Done(
            file=piece.file,
            artifacts={part.name: part.output for part in piece.parts},
            info=piece.info,
            frames=file.frames,
            level_in=file.level_in.levels(),
            level_out=_moved(file.level_out.levels(file.level_in), gain_db),
            clipped=file.clipped,
            gain_db=gain_db,
            notes=tuple(dict.fromkeys(file.notes)),
            busy_s=file.busy_s,
            worker=piece.worker,
        )
        return _Whole(piece.ticket, done, {n: sink.path for n, sink in file.sinks.items()})

    def _publish(self, files: list[_Whole]) -> list[Collected]:
        """Durable, journalled, in place, journalled: in this order, whatever dies in between."""
        sealed = self._publisher.seal([p for file in files for p in file.temporary.values()])
        self._check_ours()  # again: making files durable takes its time
        announced: list[Artifacts] = [
            {
                name: (output, *sealed[file.temporary[name]])
                for name, output in file.done.artifacts.items()
            }
            for file in files
        ]
        if self.job.resumable:
            self._journal.publishing(
                (file.done, told) for file, told in zip(files, announced, strict=True)
            )
        moves = [(f.temporary[n], o) for f in files for n, o in f.done.artifacts.items()]
        appeared = dict(zip(moves, self._publisher.publish(moves), strict=True))
        answers: list[Collected] = []
        in_place: list[Done] = []
        named: dict[str, Artifacts] = {}
        for file, told in zip(files, announced, strict=True):
            stamps = {n: appeared[file.temporary[n], o] for n, o in file.done.artifacts.items()}
            refused = [stamp for stamp in stamps.values() if isinstance(stamp, OSError)]
            if refused:
                self._take_back(file, stamps)
                reason = f"its output cannot be placed at {show(file.done.file.output)}: "
                answers.append(
                    Fault(file.ticket, reason + (refused[0].strerror or str(refused[0])))
                )
                continue
            found: Artifacts = {
                name: (*told[name][:2], stamp)
                for name, stamp in stamps.items()
                if not isinstance(stamp, OSError)
            }
            if found != told:
                named[file.done.file.output] = found
            in_place.append(file.done)
            answers.append(Published(file.ticket, file.done))
        if self.job.resumable:
            self._journal.done(in_place, named)
        return answers

    def _take_back(self, file: _Whole, stamps: dict[str, Stamp | OSError]) -> None:
        """Remove a file of which an artifact cannot be in place: the others, and what is left."""
        for name, output in file.done.artifacts.items():
            remove(file.temporary[name])
            if not isinstance(stamps[name], OSError):
                self._publisher.withdraw(output)

    def _forget(self, ticket: int) -> None:
        file = self._files.pop(ticket, None)
        if file is not None:
            for sink in file.sinks.values():
                sink.abort()

    def close(self) -> None:
        """Remove what is unfinished."""
        for ticket in list(self._files):
            self._forget(ticket)
        self._journal.close()
        self._publisher.close()


def _moved(levels: Levels, gain_db: float) -> Levels:
    """Levels of the same sound after a gain."""
    told = (levels.peak_db, levels.lufs, levels.floor_db)
    return Levels(*(None if level is None else level + gain_db for level in told))
