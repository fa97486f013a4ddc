"""Who waits and what is in hand now, when facts come late or are corrected."""

from __future__ import annotations

from datetime import datetime

import pytest

from schemas.events import ContactAbandoned, ContactAnswered, ContactOffered, FloorEvent
from schemas.times import MINUTE_MS, from_ms
from streams.core.partition import PartitionEngine
from tests.streams.floors import DAWN, item_of
from tests.streams.oracle import Sent
from tests.streams.runs import new_engine

HOURS = 120


def offered(minute: float = 0, *, revision: int = 0) -> ContactOffered:
    """The contact c enters the queue."""
    return ContactOffered(
        source="acd", id="o", at=_at(minute), contact="c", queue="sales", revision=revision, priority=revision
    )


def answered(minute: float = 0.2) -> ContactAnswered:
    """And leaves it for an agent."""
    return ContactAnswered(source="acd", id="a", at=_at(minute), contact="c", queue="sales", waited_s=12.0)


def abandoned(minute: float, clamped_s: float = 0.0) -> ContactAbandoned:
    """And leaves it because its customer gave up."""
    return ContactAbandoned(
        source="acd", id="a", at=_at(minute), contact="c", queue="sales", waited_s=0.0, clamped_s=clamped_s
    )


def waiting_after(*told: tuple[float, FloorEvent]) -> dict[str, int]:
    """Who waits once these were told, each at its minute."""
    engine: PartitionEngine = new_engine(event_clock=False)
    for offset, (minute, event) in enumerate(told):
        engine.apply(item_of(Sent(offset, DAWN + round(minute * MINUTE_MS), event, offset)))
    return engine.subjects["queue:sales"].waiting


@pytest.mark.parametrize("corrected", [60, 89, HOURS])
def test_a_correction_of_who_has_left_lets_nobody_wait(corrected: float) -> None:
    """
    That a contact left is remembered for 90 minutes; what is told of it later does not open it again.

    minute   0        0.2        120
    log      offered  answered   offered, another priority
    """
    assert waiting_after((0, offered()), (0.2, answered()), (corrected, offered(revision=1))) == {}


@pytest.mark.parametrize("corrected", [60, HOURS])
def test_a_correction_of_who_waits_goes_on(corrected: float) -> None:
    """However long the wait is, and since the corrected instant."""
    assert waiting_after((0, offered()), (corrected, offered(1, revision=1))) == {"c": DAWN + MINUTE_MS}


@pytest.mark.parametrize(("hours", "waits"), [(0.1, True), (11.9, True), (12, False)])
def test_who_left_without_a_word_waits_for_twelve_hours(hours: float, waits: bool) -> None:
    """What nobody ended ends by itself, and not before."""
    other = offered(hours * 60).model_copy(update={"id": "o2", "contact": "d"})

    assert ("c" in waiting_after((0, offered()), (hours * 60, other))) is waits


def test_what_is_told_when_departures_are_forgotten_opens_nothing() -> None:
    """Both are two hours late, the answer first: whether a departure was told before is not known any more."""
    assert waiting_after((HOURS, answered()), (HOURS, offered())) == {}


@pytest.mark.parametrize("is_first", [True, False])
def test_nobody_waits_who_left_by_a_clock_that_is_behind(is_first: bool) -> None:
    """The departure is told for a second before the entry, whichever comes first; without a word of it, it is none."""
    entry, later = (1.0, offered(1.0)), 1 + 1 / 60
    left = (1.0, abandoned(1 - 1 / 60, clamped_s=1.0))

    assert waiting_after(*((left, entry) if is_first else (entry, left))) == {}
    assert waiting_after((1.0, abandoned(1 - 1 / 60)), entry) == {"c": DAWN + MINUTE_MS}
    assert waiting_after(left, (later, offered(later))) == {"c": DAWN + MINUTE_MS + 1000}


def _at(minute: float) -> datetime:
    return from_ms(DAWN + round(minute * MINUTE_MS))
