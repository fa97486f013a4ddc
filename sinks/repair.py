"""What brings wrong panes right: owners fold minutes again from the raw events, days are rolled up again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from schemas.controls import RefoldAsked
from schemas.times import MINUTE_MS, from_ms
from sinks.reconcile import Difference

WHY = "reconcile --repair"
_APART = 60
"""Minutes that differ and lie at most so far apart are asked for together."""


def refolds(differences: Iterable[Difference], at: datetime) -> list[tuple[int, RefoldAsked]]:
    """(partition of the owner, what it is asked) for all panes that differ; nothing else can be folded again."""
    minutes: dict[tuple[int, str], set[int]] = {}
    for difference in differences:
        place = difference.place
        if place is not None:
            minutes.setdefault((place.partition, place.subject), set()).add(place.minute)
    return [
        (partition, _ask(subject, first, last, at))
        for (partition, subject), wanted in sorted(minutes.items())
        for first, last in _runs(sorted(wanted))
    ]


def days_to_roll(differences: Iterable[Difference]) -> set[date]:
    """The UTC days whose quarter hours are to be made again from their minutes."""
    return {difference.day for difference in differences if difference.day is not None}


def _ask(subject: str, first: int, last: int, at: datetime) -> RefoldAsked:
    start, stop = from_ms(first * MINUTE_MS), from_ms((last + 1) * MINUTE_MS)
    return RefoldAsked(at=at, subject=subject, from_at=start, to_at=stop, why=WHY)


def _runs(minutes: list[int]) -> Iterator[tuple[int, int]]:
    first = last = minutes[0]
    for minute in minutes[1:]:
        if minute - last > _APART:
            yield first, last
            first = minute
        last = minute
    yield first, last
