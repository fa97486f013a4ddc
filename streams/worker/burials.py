"""The limit of dead letters of each partition: a worker that buries nearly everything stops instead."""

from __future__ import annotations

from faust.types import TP

from schemas.errors import StopWorker
from schemas.letter_limit import LetterCount, LetterLimit


class Burials:
    """Counts what was taken and what was buried, by partition."""

    def __init__(self, limit: LetterLimit) -> None:
        """Nothing was buried yet."""
        self._limit = limit
        self._counts: dict[TP, LetterCount] = {}
        self._taken: dict[TP, int] = {}

    def begin(self, tp: TP, taken: int, in_a_row: int = 0) -> None:
        """A partition was assigned; `taken` and `in_a_row` as its checkpoint has them."""
        self._counts[tp] = LetterCount(self._limit, in_a_row)
        self._taken[tp] = taken

    def note(self, tp: TP, taken: int, offset: int, why: str) -> None:
        """A record was buried, `taken` records of its partition never were; StopWorker when it is one too many."""
        count = self._counts[tp]
        count.good(taken - self._taken[tp])
        self._taken[tp] = taken
        count.dead()
        if verdict := count.verdict():
            raise StopWorker(
                f"{tp.topic}:{tp.partition} stops at offset {offset}, as {verdict} ({why}); nothing of it is lost: "
                "mend the worker or what is sent, or raise dead_letters_in_a_row or dead_letters_percent"
            )
