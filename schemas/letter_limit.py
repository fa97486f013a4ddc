"""
When a source stops: too much of what it sends goes to the dead letters.

Few bad records among good ones are buried and the good ones go on. When nearly everything is bad, the fault is not in
the records (another format, a wrong mapping, a bad deployment): then the source stops, and what it would have sent
stays where it is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW = 1_000
"""The share is judged over so many records, and not before so many came."""


@dataclass(frozen=True, slots=True)
class LetterLimit:
    """What a source may send to the dead letters; `in_a_row` 0 and `percent` 100 set no limit."""

    in_a_row: int = 100
    percent: float = 5.0


USUAL_LIMIT = LetterLimit()


class LetterCount:
    """What became of the last records of one source."""

    def __init__(self, limit: LetterLimit, in_a_row: int = 0) -> None:
        """`in_a_row`: dead letters since the last good record, of a source that goes on where it was."""
        self._limit = limit
        self._runs: deque[tuple[bool, int]] = deque()
        self._records = self._dead = 0
        self.in_a_row = in_a_row

    def good(self, count: int = 1) -> None:
        """So many records were taken."""
        if count:
            self.in_a_row = 0
            self._add(is_dead=False, count=count)

    def dead(self, count: int = 1) -> None:
        """So many records became dead letters."""
        if count:
            self.in_a_row += count
            self._add(is_dead=True, count=count)

    def verdict(self) -> str:
        """Why the source must stop, in words; empty while it may go on."""
        limit = self._limit
        if limit.in_a_row and self.in_a_row >= limit.in_a_row:
            return f"{self.in_a_row:,} records in a row are dead letters"
        if self._records >= WINDOW and self._dead * 100 > limit.percent * self._records:
            return f"{self._dead} of the last {self._records:,} records are dead letters"
        return ""

    def _add(self, *, is_dead: bool, count: int) -> None:
        self._runs.append((is_dead, count))
        self._records += count
        self._dead += count if is_dead else 0
        while self._records > WINDOW:
            was_dead, oldest = self._runs[0]
            surplus = min(oldest, self._records - WINDOW)
            self._records -= surplus
            self._dead -= surplus if was_dead else 0
            if surplus == oldest:
                self._runs.popleft()
            else:
                self._runs[0] = (was_dead, oldest - surplus)
