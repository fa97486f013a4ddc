"""Trap h of reference/kpis.md: days of 23 and 25 hours, a site at +5:30, nights, a client in another zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.events import FloorEvent
from schemas.registry import Client, Floor, Membership, Person, Queue, Site, Team
from schemas.times import day_end, day_start, from_ms
from tests.conftest import Schemas
from tests.traps.conftest import MakeTelling, tables, told_to
from tests.traps.facts import answered, handled, state
from tests.traps.telling import Telling, at
from tests.traps.test_traps_time import shift

DAYS = [
    ("Europe/Berlin", "2026-03-29", 23),
    ("Europe/Berlin", "2026-10-25", 25),
    ("America/New_York", "2026-03-08", 23),
    ("America/New_York", "2026-11-01", 25),
    ("Asia/Kolkata", "2026-03-02", 24),
]
STEPS = [86_400, 1_800, 900]
Day = tuple[Telling, str, str, int]
"""Floor, zone, day, hours."""


def floor_in(zone: str) -> Floor:
    """A site in a zone with one team, one agent and a client's queue."""
    return Floor(
        sites=[Site(id="main", timezone=zone)],
        clients=[Client(id="acme")],
        teams=[Team(id="t1")],
        queues=[Queue(id="q", client="acme")],
        people=[Person(id="a1", teams=[Membership(team="t1")])],
    )


def busy_day(day: str, zone: str) -> list[FloorEvent]:
    """Away from local midnight to the next, said each hour; a contact handled and one answered each quarter hour."""
    start, end = (from_ms(edge(date.fromisoformat(day), ZoneInfo(zone))) for edge in (day_start, day_end))
    told: list[FloorEvent] = [state(end, "offline")]
    told += [state(start + timedelta(hours=n), "away") for n in range(round((end - start) / timedelta(hours=1)))]
    for n in range(round((end - start) / timedelta(minutes=15))):
        middle = start + timedelta(minutes=15 * n + 7)
        told += [handled(middle, 60), answered(middle, f"c{n}", 9)]
    return sorted(told, key=lambda event: event.at)


@pytest.fixture(scope="module", params=DAYS, ids=lambda given: f"{given[0]} {given[1]}")
def told(request: pytest.FixtureRequest, schemas: Schemas) -> Iterator[Day]:
    """A busy day of a site: floor, zone, day, hours."""
    zone, day, hours = request.param
    with tables(schemas) as client:
        floor = told_to(client, floor_in(zone))
        floor.tell(*busy_day(day, zone))
        yield floor, zone, day, hours


def length_s(row: dict[str, Any]) -> float:
    """How long a bucket is."""
    return (datetime.fromisoformat(row["to"]) - datetime.fromisoformat(row["from"])).total_seconds()


@pytest.mark.parametrize("step_s", STEPS)
def test_trap_h_buckets_have_no_gap_and_nothing_twice(told: Day, step_s: int) -> None:
    """
    Buckets of a local day follow each other from midnight to midnight, and each holds its own part of every sum.

    Naively a day has 24 hours: buckets are missing in autumn, and reach into the next day in spring.
    """
    floor, zone, day, hours = told
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()

    rows = floor.ask("agent", day, following, zone, step_s=step_s)

    bounds = [(datetime.fromisoformat(row["from"]), datetime.fromisoformat(row["to"])) for row in rows]
    assert (bounds[0][0], bounds[-1][1]) == (at(day, zone), at(following, zone))
    assert all(before[1] == after[0] for before, after in pairwise(bounds))
    assert [row["away_s"] for row in rows] == [length_s(row) for row in rows]
    assert sum(row["away_s"] for row in rows) == hours * 3600
    assert [row["handled"] for row in rows] == [length_s(row) / 900 for row in rows]
    naive = 24 * 3600 // min(step_s, 3600)
    assert (hours == 24) == (hours * 3600 // min(step_s, 3600) == naive)
    assert len(rows) == (1 if step_s == 86_400 else hours * 3600 // step_s)


@pytest.mark.parametrize("by", ["team", "queue", "client", "site"])
def test_trap_h_every_group_has_the_same_half_hours(told: Day, by: str) -> None:
    """Views by team, queue, client and site cut the day at the same instants; nothing is lost between them."""
    floor, zone, day, hours = told
    following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()

    rows = floor.ask(by, day, following, zone, step_s=1_800)

    assert len({row["from"] for row in rows}) == len(rows) == hours * 2
    assert sum(row["handled"] for row in rows) == hours * 4
    naive_labels = {row["from"][11:16] for row in rows}
    assert (len(naive_labels) < len(rows)) == (hours == 25)


def test_trap_h_the_site_day_of_rules_has_as_many_hours(told: Day) -> None:
    """The sums that rules over a day are judged by are those of the local day, whatever its length."""
    floor, _, day, hours = told

    days = floor.subject("agent:a1").days

    naive = 24 * 3_600_000
    assert days[day]["away_ms"] == hours * 3_600_000
    assert (days[day]["away_ms"] == naive) == (hours == 24)
    assert sum(sums.get("away_ms", 0) for sums in days.values()) == hours * 3_600_000


def test_trap_h_hours_of_a_site_at_half_past(stored: MakeTelling) -> None:
    """In Kolkata an hour begins at :30 UTC; naively, cut in UTC, an hour of the report holds halves of two."""
    floor = stored(floor_in("Asia/Kolkata"))
    floor.tell(handled(at("2026-03-02T10:10", "Asia/Kolkata"), 60), handled(at("2026-03-02T10:50", "Asia/Kolkata"), 60))

    (row,) = floor.ask("agent", "2026-03-02", "2026-03-03", "Asia/Kolkata", step_s=3_600)

    naive = {at(text, "Asia/Kolkata").hour for text in ("2026-03-02T10:10", "2026-03-02T10:50")}
    assert (row["from"], row["handled"]) == ("2026-03-02T10:00:00+05:30", 2)
    assert len(naive) == 2


def test_trap_h_a_night_shift_over_the_change_of_clocks() -> None:
    """A shift from 22:00 to 06:00 over the lost hour lasts 7 h and is one shift; naively it is 8 h long."""
    floor = Telling(floor_in("Europe/Berlin"))
    start, end = (at(text, "Europe/Berlin") for text in ("2026-03-28T22:00", "2026-03-29T06:00"))
    floor.tell(shift(start.strftime("%Y-%m-%dT%H:%M"), end.strftime("%Y-%m-%dT%H:%M")))
    floor.tell(state(start, "ready"), handled(at("2026-03-28T23:50", "Europe/Berlin"), 60))
    floor.tell(handled(at("2026-03-29T03:10", "Europe/Berlin"), 60))

    floor.tell(state(end - timedelta(seconds=1), "wrap"))

    agent = floor.subject("agent:a1")
    naive_s = (datetime(2026, 3, 29, 6) - datetime(2026, 3, 28, 22)).total_seconds()  # noqa: DTZ001  wall clock, wrong
    assert agent.shift_sums["handled"] == 2
    assert agent.shift_sums["ready_ms"] == (7 * 3600 - 1) * 1000
    assert naive_s == 8 * 3600


def test_trap_h_the_clients_day_is_of_the_clients_zone(stored: MakeTelling) -> None:
    """A contact at 01:30 in Kolkata is of the day before for a client in New York; naively all have the floor's day."""
    floor = stored(floor_in("Asia/Kolkata"))
    floor.tell(answered(at("2026-03-03T01:30", "Asia/Kolkata"), "c1", 9))

    (theirs,) = floor.ask("client", "2026-03-01", "2026-03-05", "America/New_York", step_s=86_400)
    (ours,) = floor.ask("site", "2026-03-01", "2026-03-05", "Asia/Kolkata", step_s=86_400)

    naive = ours["from"][:10]
    assert (theirs["client"], theirs["from"][:10]) == ("acme", "2026-03-02")
    assert naive == "2026-03-03"
