"""A site day is closed by the zone that its site has when it ends: a floor may learn of it while the day is open."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from schemas.controls import RegistryChanged
from schemas.registry import Floor, Registry, Site
from schemas.times import HOUR_MS, MINUTE_MS, from_ms, to_ms
from streams.core.groups import GroupEngine
from streams.core.log import Contribution, Item, Revision
from tests.streams.floors import DAWN
from tests.streams.judges import Notes
from tests.streams.runs import Run, new_engine, restarted
from tests.streams.test_clockwork import ticked
from tests.streams.test_restart import handled

NOON = DAWN + 4 * HOUR_MS
MOVES = [
    ("America/New_York", datetime(2026, 3, 3, 5, 15, tzinfo=UTC)),
    ("Asia/Manila", datetime(2026, 3, 2, 16, 15, tzinfo=UTC)),
    ("Pacific/Kiritimati", datetime(2026, 3, 2, 12, tzinfo=UTC)),  # it has ended: at once
]


def in_zone(zone: str, notes: Notes) -> Revision:
    """The registry, and the judge, of a floor in a zone."""
    return Revision(Registry(Floor(sites=[Site(id="main", timezone=zone)]), 1), notes, notes)


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("zone", "closed"), MOVES)
def test_a_day_is_closed_by_the_zone_that_was_told_since(zone: str, closed: datetime, *, is_restarted: bool) -> None:
    """At 08:00 the floor is in UTC, as one is that was told nothing; at 12:00 it is told its zone."""
    notes = Notes()
    run = Run(new_engine(event_clock=False, judge=notes))
    record = RegistryChanged(at=from_ms(NOON), revision=1)
    run.fold([handled(0, 0), Item(1, NOON, b"", b"", record, revision=in_zone(zone, notes))])
    run.finish()

    run = restarted(run) if is_restarted else run
    run.fold([ticked(2, 40 * 60)])

    (one,) = [found for found in notes.closed if found[1] == "2026-03-02"]
    assert from_ms(one[2]).replace(microsecond=0) == closed
    assert run.engine.clock == DAWN + 40 * HOUR_MS


@pytest.mark.parametrize(("zone", "closed"), MOVES)
def test_so_are_those_of_groups(zone: str, closed: datetime) -> None:
    """At whole minutes, as groups are judged."""
    notes = Notes()
    groups = GroupEngine(1, 1, Registry(Floor()), notes)
    first, last = DAWN // MINUTE_MS, NOON // MINUTE_MS - 1
    for offset, (mark, sums) in enumerate([(first, {"team:t1": {first: {"handled": 1}}}), (last, {})]):
        groups.apply(offset, [Contribution(0, mark, offset, sums)])

    groups.revise(2, in_zone(zone, notes))
    groups.apply(3, [Contribution(0, last + 40 * 60, 3, {})])

    (one,) = [found for found in notes.closed if found[1] == "2026-03-02"]
    assert one[2] == max(to_ms(closed), NOON + MINUTE_MS)


def test_time_does_not_go_back_for_days_that_have_ended() -> None:
    """From the last zone of the world to the first: two days are over, and are closed one after the other."""
    #   11:10 UTC: 2 March has begun there, and ended in Kiritimati
    notes = Notes()
    niue, kiritimati = (in_zone(zone, notes) for zone in ("Pacific/Niue", "Pacific/Kiritimati"))
    engine = new_engine(event_clock=False, registry=niue.registry, judge=notes)
    late = DAWN + 3 * HOUR_MS + 10 * MINUTE_MS
    record = RegistryChanged(at=from_ms(late), revision=1)

    engine.apply(handled(0, 0))
    engine.apply(Item(1, late, b"", b"", record, revision=kiritimati))
    engine.apply(ticked(2, 4 * 60))

    assert [(day, from_ms(now).isoformat()) for _, day, now, _ in notes.closed] == [
        ("2026-03-01", "2026-03-02T11:10:00.001000+00:00"),
        ("2026-03-02", "2026-03-02T11:10:00.002000+00:00"),
    ]
