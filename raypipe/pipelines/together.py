"""Jobs of many threads at once, stepped together in lanes.

Comes in: one `Job` from each thread. Goes out: what became of it, the same to the bit as if
nobody else had asked; an error or an interrupt is that thread's own.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from raypipe.pipelines.enhance import Enhance, Job, Made


@dataclass(slots=True, eq=False)
class _Asked:
    """A job that a thread waits for."""

    job: Job
    made: Made | None = None
    error: Exception | None = None

    @property
    def waits(self) -> bool:
        """True until it has been stepped, or could not be."""
        return self.made is None and self.error is None


class Together:
    """One model for many threads.

    Parameters
    ----------
    enhance : Enhance
        Is stepped by one thread at a time.
    """

    def __init__(self, enhance: Enhance) -> None:
        self._enhance = enhance
        self._asked: list[_Asked] = []
        self._asking = threading.Lock()
        self._stepping = threading.Lock()

    def step(self, job: Job) -> Made:
        """Step this job together with those that other threads ask for in the meantime.

        Whoever gets the turn steps all that were asked for until then; the others find theirs
        made when they get it.
        """
        mine = _Asked(job)
        with self._asking:
            self._asked.append(mine)
        with self._stepping:
            if mine.waits:
                self._step_all(mine)
        if mine.error is not None:
            raise mine.error
        assert mine.made is not None, "whoever has the turn steps all that were asked for"
        return mine.made

    def _step_all(self, mine: _Asked) -> None:
        with self._asking:
            asked, self._asked = self._asked, []
        try:
            try:
                made = self._enhance.step([one.job for one in asked])
            except Exception:
                self._step_each(asked)  # one of them is at fault; the others must not suffer
                return
            for one, its in zip(asked, made, strict=True):
                one.made = its
        except BaseException:  # Ctrl-C is this thread's own: the others step theirs themselves
            with self._asking:
                self._asked[:0] = [one for one in asked if one.waits and one is not mine]
            raise

    def _step_each(self, asked: list[_Asked]) -> None:
        for one in asked:
            try:
                (one.made,) = self._enhance.step([one.job])
            except Exception as error:
                one.error = error
