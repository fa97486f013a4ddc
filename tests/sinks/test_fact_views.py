"""Views from single facts: what comes, leaves and waits, and everything in the bucket of its completion."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.events import (
    ContactAbandoned,
    ContactAnswered,
    ContactFlowedOut,
    ContactHandled,
    ContactOffered,
    FloorEvent,
    StateChanged,
    decode,
    encode,
)
from schemas.registry import Alias, Floor, Person
from tests.known_floor import instant, tell

MORNING = "from = '2026-03-02 05:00:00', to = '2026-03-02 09:00:00', step_s = 1800, zone = 'UTC'"


def offered(contact: str, at: str, queue: str = "q", **more: Any) -> ContactOffered:
    """The contact entered a queue."""
    return ContactOffered(source="acd", id=f"{contact}-{at}", at=instant(at), contact=contact, queue=queue, **more)


def answered(contact: str, at: str, waited_s: float, queue: str = "q", **more: Any) -> ContactAnswered:
    """The contact left the queue for an agent."""
    return ContactAnswered(
        source="acd", id=f"{contact}-{at}", at=instant(at), contact=contact, queue=queue, waited_s=waited_s, **more
    )


def abandoned(contact: str, at: str, waited_s: float, **more: Any) -> ContactAbandoned:
    """The customer gave up."""
    return ContactAbandoned(
        source="acd", id=f"{contact}-{at}", at=instant(at), contact=contact, queue="q", waited_s=waited_s, **more
    )


def flowed_out(contact: str, at: str, waited_s: float) -> ContactFlowedOut:
    """The contact left the queue otherwise."""
    return ContactFlowedOut(
        source="acd", id=f"{contact}-{at}", at=instant(at), contact=contact, queue="q", waited_s=waited_s
    )


def handled(contact: str, start: str, at: str, agent: str = "a1", **more: Any) -> ContactHandled:
    """The contact is finished; talk from its start where nothing else is said."""
    talk_s = (instant(at) - instant(start)).total_seconds()
    fields: dict[str, Any] = {"queue": "q", "talk_s": talk_s, "started_at": instant(start)} | more
    return ContactHandled(source="acd", id=f"{contact}-{at}", at=instant(at), contact=contact, agent=agent, **fields)


def ask(client: Client, columns: str, view: str, arguments: str = MORNING) -> list[Any]:
    """Rows of a view in the order of their columns, instants as HH:MM."""
    rows = client.query(f"SELECT {columns} FROM {view}({arguments}) ORDER BY ALL").result_rows
    return [tuple(f"{value:%H:%M}" if hasattr(value, "hour") else value for value in row) for row in rows]


def test_attribution_by_completion(client: Client) -> None:
    """Amazon's contact records: all 52 min of a call of 05:23 to 06:15 stand in the half hour of its end."""
    call: list[FloorEvent] = [offered("c", "05:22"), answered("c", "05:23", 60), handled("c", "05:23", "06:15")]
    tell(client, call)

    of_queue = ask(
        client,
        "opened_at, offered, answered, asa_s, handled, talk_ms / 60000",
        "queue_at_completion",
        f"{MORNING}, threshold_s = 20",
    )
    of_agent = ask(client, "opened_at, agent, handled, in_hand_ms / 60000", "agent_at_completion")

    assert of_queue == [("06:00", 1, 1, 60.0, 1, 52.0)]
    assert of_agent == [("06:00", "a1", 1, 52.0)]


def test_attribution_by_wall_clock(client: Client) -> None:
    """Amazon's agent activity: the same call is 7, 30 and 15 min of state time."""
    states = [("05:23", "on_contact"), ("06:15", "offline")]
    told: list[FloorEvent] = [
        StateChanged(source="acd", id=at, at=instant(at), agent="a1", state=state)  # type: ignore[arg-type]
        for at, state in states
    ]
    tell(client, [*told, handled("c", "05:23", "06:15")])

    rows = ask(
        client,
        "opened_at, on_contact_ms / 60000, engaged_ms / 60000",
        "kpi_agent",
        f"{MORNING}, threshold_s = 20, short_s = 5, only = ''",
    )

    assert rows == [("05:00", 7.0, 7.0), ("05:30", 30.0, 30.0), ("06:00", 15.0, 15.0)]


def test_attribution_by_event_time(client: Client) -> None:
    """Genesys: enqueued 7:28 and answered 7:32 is offered in the first half hour and answered in the second."""
    tell(client, [offered("c", "07:28"), answered("c", "07:32", 240)])

    by_minutes = ask(
        client, "opened_at, offered, answered", "kpi_queue", f"{MORNING}, threshold_s = 20, short_s = 5, only = ''"
    )
    by_facts = ask(
        client, "opened_at, in_progress_before, offered, answered, in_progress_after, difference", "queue_balance"
    )

    assert by_minutes == [("07:00", 1, 0), ("07:30", 0, 1)]
    assert by_facts == [("07:00", 0, 1, 0, 1, 0), ("07:30", 1, 0, 1, 0, 0)]


def test_the_balance_of_a_queue_holds_for_any_contacts(client: Client) -> None:
    """Before and offered equal all that left and after, and `after` is who really waits: half hours, a DST day."""
    chance = random.Random(7)
    start = instant("2026-03-28T20:00")
    told: list[FloorEvent] = []
    waits = []
    for number in range(400):
        came = start + timedelta(seconds=chance.randrange(86_400))
        waited_s = chance.choice([0, 1, 20, 1800, 3600, 9000])
        left = came + timedelta(seconds=waited_s)
        waits.append((came, left))
        make: Any = chance.choice([answered, abandoned, flowed_out])
        told += [offered(f"c{number}", _text(came)), make(f"c{number}", _text(left), waited_s)]
    tell(client, told)

    rows = client.query(
        "SELECT toUnixTimestamp(closed_at), in_progress_after, difference FROM queue_balance("
        "from = '2026-03-28 21:00:00', to = '2026-03-29 23:00:00', step_s = 1800, zone = 'Europe/Berlin')"
    ).result_rows

    assert len(rows) >= 45
    for closed_s, after, difference in rows:
        waiting = sum(came.timestamp() < closed_s <= left.timestamp() for came, left in waits)
        assert (after, difference) == (waiting, 0)


def _text(at: Any) -> str:
    return str(at.replace(tzinfo=None).isoformat())


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        ([offered("c", "05:40"), answered("c", "05:40", 0)], (1, 1, 0, 0, 0)),
        (
            [offered("c", "05:10"), flowed_out("c", "05:40", 1800), offered("c", "05:40"), answered("c", "05:50", 600)],
            (2, 2, 0, 0, 0),
        ),
        ([offered("c", "05:40:01"), answered("c", "05:40:00", 0, clamped_s=1)], (1, 1, 0, 0, 0)),
        ([offered("c", "05:40:01.001"), answered("c", "05:40:00", 0, clamped_s=1.001)], (1, 1, 0, 0, 0)),
        ([answered("c", "05:40", 12)], (0, 1, 0, 0, 1)),
        ([offered("c", "05:40"), offered("c", "05:45"), abandoned("c", "05:50", 300)], (2, 1, 0, 1, 0)),
        ([offered("c", "05:40"), offered("d", "08:59"), abandoned("d", "08:59", 0)], (2, 1, 1, 0, 0)),
        ([offered("c", "2026-03-01T17:01"), answered("c", "05:01:01", 43_261)], (0, 1, 0, 1, 1)),
    ],
    ids=[
        "no wait",
        "back at once",
        "two clocks",
        "two clocks to the ms",
        "never offered",
        "offered twice",
        "still there",
        "beyond 12 hours",
    ],
)
def test_waits_are_paired_by_contact(
    client: Client, told: Sequence[FloorEvent], counted: tuple[int, int, int, int, int]
) -> None:
    """One departure ends one wait of its contact; what does not fit is counted, and is the difference."""
    tell(client, told)

    (row,) = ask(
        client,
        "sum(offered), sum(answered + abandoned + flowed_out), argMax(in_progress_after, closed_at), sum(never_left),"
        " sum(never_offered), sum(difference)",
        "queue_balance",
    )

    assert row[:5] == counted
    assert row[5] == row[3] - row[4]


def test_a_wait_that_nobody_ends_ends_after_12_hours(client: Client) -> None:
    """It is in progress until then, and is shown as never left: only when the floor's clock is that far."""
    day = "from = '2026-03-02 00:00:00', to = '2026-03-03 00:00:00', step_s = 21600, zone = 'UTC'"
    columns = "opened_at, in_progress_after, never_left, difference"
    tell(client, [offered("c", "05:40")])
    assert ask(client, columns, "queue_balance", day) == [("00:00", 1, 0, 0)]

    tell(client, [offered("c", "05:40")], ended_at="2026-03-02T05:41")

    assert ask(client, columns, "queue_balance", day) == [("00:00", 1, 0, 0), ("06:00", 1, 0, 0), ("12:00", 0, 1, 1)]


def test_who_leaves_after_the_range_waits_at_its_end(client: Client) -> None:
    """However late it is now: the range knows only what happened before its end."""
    tell(client, [offered("c", "08:58"), abandoned("c", "09:01", 180)], ended_at="2026-03-04T00:00")

    rows = ask(client, "opened_at, in_progress_after, difference", "queue_balance")

    assert rows == [("08:30", 1, 0)]


def test_a_correction_moves_a_contact_once(client: Client) -> None:
    """Of a corrected departure the newest revision counts, and one that was taken back does not."""
    wrong, right = abandoned("c", "05:40", 60), abandoned("c", "06:40", 60, revision=1)
    right = right.model_copy(update={"id": wrong.id})
    gone = offered("d", "05:50")
    tell(client, [offered("c", "05:39"), wrong, right, gone, gone.model_copy(update={"revision": 1, "void": True})])

    rows = ask(client, "opened_at, offered, abandoned, in_progress_after, difference", "queue_balance")

    assert rows == [("05:30", 1, 0, 1, 0), ("06:00", 0, 0, 1, 0), ("06:30", 0, 1, 0, 0)]


def test_contacts_that_are_not_complete_are_counted_apart(client: Client) -> None:
    """At completion, offered = answered + abandoned + flowed out; who waits or is in hand stands beside it."""
    told: list[FloorEvent] = [
        offered("waits", "06:10"),
        offered("talks", "06:11"), answered("talks", "06:12", 60),
        offered("left", "05:59"), abandoned("left", "06:01", 120),
        offered("done", "05:59"), answered("done", "06:01", 120), handled("done", "06:00:59", "06:00:59", talk_s=5),
    ]  # fmt: skip
    tell(client, told)

    rows = ask(
        client,
        "opened_at, contacts, offered, answered, abandoned, handled, not_completed",
        "queue_at_completion",
        f"{MORNING}, threshold_s = 20",
    )

    assert rows == [("06:00", 2, 2, 1, 1, 1, 2)]


def test_a_contact_that_began_before_the_range_is_whole_at_completion(client: Client) -> None:
    """What happened up to a day before belongs to it."""
    tell(client, [offered("c", "04:50"), answered("c", "04:51", 60), handled("c", "04:51", "05:10")])

    rows = ask(client, "offered, answered, handled", "queue_at_completion", f"{MORNING}, threshold_s = 20")

    assert rows == [(1, 1, 1)]


def test_service_level_at_completion_has_any_threshold(client: Client) -> None:
    """Waits are counted from single facts: a threshold need not be one that panes count."""
    told: list[FloorEvent] = [
        offered("c", "05:00"), answered("c", "05:00:17", 17), handled("c", "05:00:17", "05:10"),
        offered("d", "05:00"), answered("d", "05:00:18", 18), handled("d", "05:00:18", "05:11"),
    ]  # fmt: skip
    tell(client, told)

    rows = ask(client, "answered_within_t, service_level", "queue_at_completion", f"{MORNING}, threshold_s = 17")

    assert rows == [(1, 0.5)]


def test_a_stuck_contact_is_capped_at_completion_too(client: Client) -> None:
    """Talk counts up to 4 h, time in hand up to 12 h, as in panes; an alias stands with its person."""
    stuck = handled("c", "2026-03-01T05:00", "05:10", agent="acd:77")
    tell(client, [stuck], Floor(people=[Person(id="ann", aliases=[Alias(source="acd", id="77")])]))

    rows = ask(client, "agent, talk_ms / 3600000, in_hand_ms / 3600000, aht_s", "agent_at_completion")

    assert rows == [("ann", 4.0, 12.0, 14_400.0)]


@pytest.mark.parametrize(
    "start",
    [
        "2026-03-02T05:23:00Z",
        "2026-03-02t05:23:00z",
        "2026-03-02_05:23:00,000Z",
        "2026-03-02 10:53:00+0530",
        "2026-03-02T01:53:00\u221203:30",
        "1772428980",
        "+1772428980",
        "1772428980000.0",
    ],
)
def test_a_start_counts_however_it_is_written(client: Client, start: str) -> None:
    """A payload stands as it came: what the decoder reads as an instant, the views of completion read so too."""
    told = handled("c", "05:23", "06:15")
    payload = encode(told).replace(b"2026-03-02T05:23:00Z", start.encode())
    names = ["type", "subject", "at", "source", "id", "payload", "version"]
    client.insert("events", [[told.type, "agent:a1", told.at, told.source, told.id, payload, 1]], column_names=names)

    of_agent = ask(client, "in_hand_ms / 60000", "agent_at_completion")
    of_queue = ask(client, "in_hand_ms / 60000", "queue_at_completion", f"{MORNING}, threshold_s = 20")

    assert decode(payload) == told
    assert of_agent == of_queue == [(52.0,)]


@pytest.mark.parametrize(
    ("day", "zone", "step_s", "buckets"),
    [
        (("2026-03-28 23:00:00", "2026-03-29 22:00:00"), "Europe/Berlin", 1800, 46),
        (("2026-10-24 22:00:00", "2026-10-25 23:00:00"), "Europe/Berlin", 1800, 50),
        (("2026-10-24 22:00:00", "2026-10-25 23:00:00"), "Europe/Berlin", 86_400, 1),
        (("2026-03-01 18:30:00", "2026-03-02 18:30:00"), "Asia/Kolkata", 3600, 24),
        (("2026-03-01 18:10:00", "2026-03-03 18:30:00"), "Asia/Kolkata", 0, 1),
    ],
)
def test_buckets_have_no_gap(client: Client, day: tuple[str, str], zone: str, step_s: int, buckets: int) -> None:
    """Days of 23 and 25 hours and zones of half an hour: one bucket ends where the next begins."""
    arguments = f"from = '{day[0]}', to = '{day[1]}', step_s = {step_s}, zone = '{zone}'"

    (row,) = client.query(
        "SELECT count(), sum(dateDiff('second', opened_at, closed_at)), toUInt32(max(closed_at) - min(opened_at))"
        f" FROM buckets({arguments})"
    ).result_rows

    assert row[0] == buckets
    assert row[1] == row[2]


def test_buckets_refuse_a_step_that_does_not_divide_the_day(client: Client) -> None:
    """An error, and no figures of odd buckets."""
    with pytest.raises(DatabaseError, match="step_s: expected"):
        client.query(f"SELECT * FROM queue_balance({MORNING.replace('1800', '7000')})")
