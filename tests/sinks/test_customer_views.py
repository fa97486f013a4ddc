"""Views over days: customers that come again, tickets, and what is open at the end of each day."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.events import ContactOffered, FloorEvent, TicketChanged, TicketWorked
from schemas.registry import Floor, Hours, Queue, Site
from tests.known_floor import instant, tell

MARCH = "from = '2026-03-01 00:00:00', to = '2026-04-01 00:00:00'"
BERLIN = Site(id="main", timezone="Europe/Berlin")
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def offered(contact: str, at: str, customer: str | None, queue: str = "sales") -> ContactOffered:
    """A contact of a customer."""
    return ContactOffered(
        source="acd", id=f"{contact}-{queue}", at=instant(at), contact=contact, queue=queue, customer=customer
    )


def step(ticket: str, at: str, change: Any, queue: str = "desk", **more: Any) -> TicketChanged:
    """A step of a ticket."""
    return TicketChanged(
        source="desk", id=f"{ticket}-{at}-{change}", at=instant(at), ticket=ticket, change=change, queue=queue, **more
    )


def repeats(client: Client, columns: str, days: int, zone: str = "UTC") -> list[Any]:
    """Rows of the view."""
    sql = f"SELECT {columns} FROM repeats({MARCH}, days = {days}, zone = '{zone}') ORDER BY queue"
    return list(client.query(sql).result_rows)


def tickets(client: Client, columns: str, zone: str = "Europe/Berlin") -> list[Any]:
    """Rows of the view."""
    return list(client.query(f"SELECT {columns} FROM tickets({MARCH}, zone = '{zone}') ORDER BY ticket").result_rows)


def desk(*hours: Hours, site: Site = BERLIN) -> Floor:
    """A floor with one queue of tickets and its hours."""
    return Floor(sites=[site], queues=[Queue(id="desk", client="acme", hours=list(hours))])


FLOOR = Floor(queues=[Queue(id="sales", client="acme"), Queue(id="help", client="acme"), Queue(id="x", client="bolt")])


def test_first_contact_resolution_by_window(client: Client) -> None:
    """k1 comes again within the day, in another queue of the client; k2 does not; both days are over."""
    told = [
        offered("c1", "2026-03-02T10:00", "k1"),
        offered("c2", "2026-03-03T09:59", "k1", "help"),
        offered("c3", "2026-03-02T11:00", "k2"),
        offered("c4", "2026-03-02T12:00", None),
        offered("end", "2026-03-05T10:00", None, "x"),
    ]
    tell(client, told, FLOOR)

    rows = repeats(client, "queue, client, known, unknown, due, repeated, first_contact_resolution, repeat_rate", 1)

    assert rows == [
        ("help", "acme", 1, 0, 1, 0, 1.0, 0.0),
        ("sales", "acme", 2, 1, 2, 1, 0.5, 0.5),
        ("x", "bolt", 0, 1, 0, 0, None, None),
    ]


def test_contacts_whose_days_are_not_over_are_left_out(client: Client) -> None:
    """They are counted as not over, even when the customer came again; the floor's clock says what is over."""
    told = [offered("c1", "2026-03-02T10:00", "k1"), offered("c2", "2026-03-08T10:00", "k1")]
    tell(client, told, FLOOR)
    assert repeats(client, "known, due, not_over, first_contact_resolution", 7) == [(2, 0, 2, None)]

    tell(client, told, FLOOR, ended_at="2026-03-09T10:00")

    assert repeats(client, "known, due, not_over, first_contact_resolution", 7) == [(2, 1, 1, 0.0)]


def test_a_contact_in_two_queues_is_one_and_another_client_is_no_repeat(client: Client) -> None:
    """It belongs to the queue it entered first; the same customer of another client asked somebody else."""
    told = [
        offered("c1", "2026-03-02T10:00", "k1"),
        offered("c1", "2026-03-02T10:05", "k1", "help"),
        offered("c2", "2026-03-02T11:00", "k1", "x"),
        offered("end", "2026-03-05T10:00", "k9"),
    ]
    tell(client, told, FLOOR)

    rows = repeats(client, "queue, known, due, repeated", 1)

    assert rows == [("sales", 2, 1, 0), ("x", 1, 1, 0)]


def test_a_contact_in_two_queues_around_the_start_of_a_range_came_before_it(client: Client) -> None:
    """Days add up: it counts on the day on which it came, and not again where it goes on to another queue."""
    told = [
        offered("c1", "2026-02-28T23:50", "k1"),
        offered("c1", "2026-03-01T00:05", "k1", "help"),
        offered("c2", "2026-03-01T12:00", "k1", "help"),
        offered("end", "2026-03-05T10:00", "k9", "x"),
    ]
    tell(client, told, FLOOR)

    rows = repeats(client, "queue, known, due, repeated", 1)

    assert rows == [("help", 1, 1, 0), ("x", 1, 0, 0)]


def test_two_contacts_of_one_instant_are_no_repeat_of_each_other(client: Client) -> None:
    """Neither came again; one that comes later repeats both."""
    told = [
        offered("c1", "2026-03-02T10:00", "k1"),
        offered("c2", "2026-03-02T10:00", "k1", "help"),
        offered("end", "2026-03-05T10:00", "k9"),
    ]
    tell(client, told, FLOOR)
    assert repeats(client, "queue, repeated", 1) == [("help", 0), ("sales", 0)]

    tell(client, [*told, offered("c3", "2026-03-02T11:00", "k1", "help")], FLOOR)

    assert repeats(client, "queue, repeated", 1) == [("help", 1), ("sales", 1)]


@pytest.mark.parametrize(("zone", "repeated"), [("Europe/Berlin", 0), ("UTC", 1)])
def test_days_are_those_of_the_zone(client: Client, zone: str, repeated: int) -> None:
    """From 12:00 to 12:00 next day are 23 h where the clocks go forward, and 24 h in UTC."""
    told = [
        offered("c1", "2026-03-28T11:00", "k1"),
        offered("c2", "2026-03-29T10:30", "k1"),
        offered("end", "2026-03-30T11:00", None),
    ]
    tell(client, told, FLOOR)

    ((due, found),) = repeats(client, "due, repeated", 1, zone)

    assert (due, found) == (2, repeated)


def test_a_ticket_has_its_times_by_the_calendar_and_in_business_hours(client: Client) -> None:
    """Created at half past midnight of a day of 23 hours; open 9 to 17, Mondays also 16 to 24; a holiday between."""
    hours = (
        Hours(days=[day for day in WEEK if day != "sat"], opens="09:00", closes="17:00"),
        Hours(days=["mon"], opens="16:00", closes="24:00"),
    )
    told: list[FloorEvent] = [
        step("t1", "2026-03-28T23:30", "created", priority="high"),
        step("t1", "2026-03-29T07:00", "assigned"),
        step("t1", "2026-03-29T08:00", "replied"),
        TicketWorked(source="desk", id="w", at=instant("2026-03-29T08:00"), ticket="t1", change="replied", agent="a1"),
        step("t1", "2026-03-30T21:00", "solved"),
        step("t1", "2026-03-31T10:00", "reopened"),
        step("t1", "2026-03-31T11:00", "breached"),
        step("t1", "2026-04-01T08:00", "solved"),
    ]
    holiday = Site(id="main", timezone="Europe/Berlin", holidays=["2026-03-31"])
    tell(client, told, desk(*hours, site=holiday))

    (row,) = tickets(
        client,
        "client, priority, toString(created_at), reopened, is_open, breached, first_reply_s / 3600,"
        " first_reply_business_s / 3600, resolution_s / 3600, resolution_business_s / 3600,"
        " full_resolution_s / 3600, full_resolution_business_s / 3600",
    )

    assert row[:6] == ("acme", "high", "2026-03-29 00:30:00.000", 1, 0, 1)
    assert row[6:] == (8.5, 1.0, 45.5, 22.0, 80.5, 24.0)


def test_business_hours_on_a_day_of_25_hours(client: Client) -> None:
    """A night shift desk from 00:00 to 06:00 is open for 7 h when the clocks go back."""
    told = [step("t1", "2026-10-24T21:00", "created"), step("t1", "2026-10-25T06:00", "solved")]
    tell(client, told, desk(Hours(days=["sun"], opens="00:00", closes="06:00")))

    rows = client.query(
        "SELECT resolution_s / 3600, resolution_business_s / 3600 FROM tickets("
        "from = '2026-10-01 00:00:00', to = '2026-11-01 00:00:00', zone = 'Europe/Berlin')"
    ).result_rows

    assert list(rows) == [(9.0, 7.0)]


def test_business_hours_past_midnight(client: Client) -> None:
    """Created at one in the night, solved at ten in the evening of Monday: Sunday's hours reach to six."""
    told = [step("t1", "2026-03-02T00:00", "created"), step("t1", "2026-03-02T21:00", "solved")]
    tell(client, told, desk(Hours(days=["sat", "sun"], opens="22:00", closes="06:00")))

    rows = tickets(client, "ticket, resolution_s / 3600, resolution_business_s / 3600")

    assert rows == [("t1", 21.0, 5.0)]


def test_the_night_before_a_range_is_open(client: Client) -> None:
    """What was created in the first night of a range came within the hours that began on the day before."""
    told = [step("t1", "2026-02-28T23:30", "created"), step("t1", "2026-03-01T01:00", "solved")]
    tell(client, told, desk(Hours(days=["sat"], opens="22:00", closes="01:00")))
    march = "from = '2026-02-28 23:00:00', to = '2026-04-01 00:00:00', zone = 'Europe/Berlin'"

    rows = client.query(f"SELECT resolution_business_s / 60 FROM tickets({march})").result_rows

    assert rows == [(30.0,)]


def test_a_ticket_that_is_open_has_no_full_resolution(client: Client) -> None:
    """Reopened and not solved again; a queue without hours is always open; what never happened is NULL."""
    told = [
        step("t1", "2026-03-07T10:00", "created"),
        step("t1", "2026-03-07T12:00", "solved"),
        step("t1", "2026-03-08T10:00", "reopened"),
        step("t2", "2026-03-07T10:00", "created"),
    ]
    tell(client, told, desk())

    rows = tickets(client, "is_open, first_reply_s, resolution_s, resolution_business_s, full_resolution_s")

    assert rows == [(1, None, 7200.0, 7200.0, None), (1, None, None, None, None)]


def backlog(client: Client, first: str = "2026-03-02", last: str = "2026-03-05") -> list[Any]:
    """Queue, day, and the figures of each row."""
    columns = "open_before, created, reopened, moved_in, solved, moved_out, open_after, difference"
    return list(
        client.query(
            f"SELECT queue, toDayOfMonth(opened_at), {columns} FROM backlog(from = '{first} 00:00:00',"
            f" to = '{last} 00:00:00', step_s = 86400, zone = 'UTC') ORDER BY queue, opened_at"
        ).result_rows
    )


def test_the_backlog_is_who_is_open(client: Client) -> None:
    """Open before, created and reopened less solved is open after, day by day, on days without a step too."""
    told = [
        step("t1", "2026-03-01T10:00", "created"),
        step("t1", "2026-03-02T10:00", "solved"),
        step("t1", "2026-03-04T10:00", "reopened"),
        step("t2", "2026-03-02T10:00", "created"),
        step("old", "2026-03-04T10:00", "solved"),
    ]
    tell(client, told, desk())

    assert backlog(client) == [
        ("desk", 2, 2, 1, 0, 0, 1, 0, 2, 0),
        ("desk", 3, 2, 0, 0, 0, 0, 0, 2, 0),
        ("desk", 4, 2, 0, 1, 0, 1, 0, 2, 0),
    ]


def test_a_ticket_moves_with_its_next_step(client: Client) -> None:
    """It leaves the backlog of one queue and enters that of the other."""
    told = [
        step("t1", "2026-03-02T10:00", "created"),
        step("t1", "2026-03-03T10:00", "assigned", "second"),
        step("t1", "2026-03-04T10:00", "solved", "second"),
    ]
    tell(client, told, desk())

    assert backlog(client) == [
        ("desk", 2, 0, 1, 0, 0, 0, 0, 1, 0),
        ("desk", 3, 1, 0, 0, 0, 0, 1, 0, 0),
        ("second", 3, 0, 0, 0, 1, 0, 0, 1, 0),
        ("second", 4, 1, 0, 0, 0, 1, 0, 0, 0),
    ]


def test_a_step_that_does_not_fit_shows_as_a_difference(client: Client) -> None:
    """A ticket that is solved twice leaves the backlog once."""
    told = [
        step("t1", "2026-03-02T10:00", "created"),
        step("t1", "2026-03-02T11:00", "solved"),
        step("t1", "2026-03-02T12:00", "solved"),
    ]
    tell(client, told, desk())

    assert backlog(client) == [("desk", 2, 0, 1, 0, 0, 2, 0, 0, -1)]
