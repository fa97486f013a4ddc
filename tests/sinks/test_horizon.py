"""Raw events expire one by one, and the minutes that were made of them stand on: nothing makes zeros of these."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from schemas.controls import RefoldAsked, Ticked
from schemas.events import Activity, ContactHandled, FloorEvent, ShiftPlanned, SurveyAnswered, encode
from schemas.times import DAY_MS, from_ms, minute_of, to_ms
from sinks.clickhouse import ClickHouseSink
from sinks.horizon import read_horizon
from sinks.reconcile import reconcile
from sinks.repair import refolds
from sinks.retention import (
    DEFAULT_RETENTION,
    Retention,
    events_gone_before_ms,
    gone_under_another_ms,
    note_retention,
)
from streams.core.log import Item
from streams.core.spans import EVER
from streams.core.subject import REACH_MS
from tests.sinks.rolling import rolled_up
from tests.streams.runs import new_engine

AT = datetime.now(UTC).replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=36)
"""36 days ago by the clock of ClickHouse, which says what has expired."""
Tell = Callable[..., None]


@pytest.fixture
def tell(client: Client) -> Tell:
    """Has one engine fold records that the broker got at an instant, and store what came of them."""
    engine = new_engine(event_clock=False)

    def run(
        *records: FloorEvent | Ticked | RefoldAsked, broker: datetime, retention: Retention = DEFAULT_RETENTION
    ) -> None:
        for record in records:
            offset = engine.boundary + 1
            engine.apply(Item(offset, to_ms(broker), encode(record), b"", record, content=offset))
        engine.take_outbox()
        ClickHouseSink(client, retention=retention).write([engine.freeze()])
        engine.acknowledged(engine.boundary)

    return run


def handled(minute: int, at: datetime = AT) -> ContactHandled:
    """A contact of a1 that ended so many minutes after ten."""
    ended = at + timedelta(minutes=minute)
    return ContactHandled(
        source="acd", id=f"h{minute}", at=ended, contact=f"c{minute}", agent="a1", started_at=ended, talk_s=60.0
    )


def aged(client: Client, day: datetime, days: int) -> None:
    """Have a UTC day be stored so many days ago: its first row at least, as one part goes with its newest."""
    client.command(
        f"INSERT INTO pane_days SELECT toDate('{day:%Y-%m-%d}'), now64(3) - toIntervalDay({days}), now64(3), 0"
    )


def counted(client: Client) -> list[tuple[int, ...]]:
    """Contacts, talk and surveys of all minutes."""
    sql = "SELECT sum(handled), sum(talk_ms), sum(csat_answered) FROM agent_minutes FINAL"
    return [tuple(row) for row in client.query(sql).result_rows]


@pytest.fixture
def outlived(client: Client, tell: Tell) -> None:
    """Five contacts whose events have expired, in minutes that a survey of the same day has kept; the log goes on."""
    tell(*(handled(minute) for minute in range(5)), broker=AT + timedelta(minutes=6))
    survey = SurveyAnswered(source="crm", id="s1", at=AT + timedelta(hours=2), agent="a1", contact="c1", csat=5)
    tell(survey, broker=AT + timedelta(days=10))
    tell(Ticked(at=AT + timedelta(days=36)), broker=AT + timedelta(days=36))
    rolled_up(client)
    client.command("ALTER TABLE events DELETE WHERE type = 'contact_handled'", settings={"mutations_sync": 1})
    aged(client, AT, 36)


@pytest.mark.usefixtures("outlived")
def test_minutes_that_may_have_lost_events_are_not_compared(client: Client) -> None:
    """It is said how many, and from when on all is there; a count of rows proves nothing any more."""
    result = reconcile(client)

    assert result.differences == []
    assert (result.left_out, result.panes) == (5 + 1, 0)
    assert AT + timedelta(hours=14) <= from_ms(result.kept_from_ms) <= AT + timedelta(days=3)


@pytest.mark.usefixtures("outlived")
def test_minutes_that_may_have_lost_events_are_never_folded_again(client: Client, tell: Tell) -> None:
    """Whoever asks for it: the minutes and their quarter hours stay what they are."""
    before = counted(client)
    ask = RefoldAsked(at=AT, subject="agent:a1", from_at=AT, to_at=AT + timedelta(hours=3), why="a test")

    tell(ask, broker=AT + timedelta(days=36, minutes=1))
    rolled_up(client)

    assert counted(client) == before == [(5, 300_000, 1)]
    assert client.query("SELECT sum(handled) FROM agent_quarters FINAL").result_rows == [(5,)]


@pytest.mark.parametrize(("events_days", "is_lost"), [(35, True), (60, False)])
def test_the_setting_says_what_is_old(client: Client, tell: Tell, events_days: int, is_lost: bool) -> None:
    """What was stored 36 days ago is there with 60 days, and may be gone with 35."""
    tell(handled(0), broker=AT)
    aged(client, AT, 36)

    horizon = read_horizon(client, Retention(events_days=events_days))

    assert horizon.has_lost(minute_of(to_ms(AT))) == is_lost
    assert horizon.is_whole != is_lost
    assert horizon.has_lost_any(to_ms(AT) - DAY_MS, to_ms(AT) + 1) == is_lost
    assert (horizon.kept_from_ms > 0) == is_lost


def test_a_late_import_is_as_young_as_its_day_in_the_store(client: Client, tell: Tell) -> None:
    """History of last year that came today is compared and folded again as everything of today."""
    tell(handled(0, AT - timedelta(days=300)), broker=AT)

    horizon = read_horizon(client, DEFAULT_RETENTION)

    assert horizon.is_whole
    assert not horizon.has_lost(minute_of(to_ms(AT - timedelta(days=300))))


@pytest.mark.parametrize("days", [-1, 0, 1, 2])
def test_a_day_takes_the_days_around_it_along(client: Client, days: int) -> None:
    """A state or a plan of it reaches into the next two, and a contact that ended on it into the one before."""
    aged(client, AT - timedelta(days=10), 46)
    minute = minute_of(to_ms(AT) + (days - 10) * DAY_MS)

    horizon = read_horizon(client, DEFAULT_RETENTION)

    assert horizon.has_lost(minute)
    assert not horizon.has_lost(minute_of(to_ms(AT) - 6 * DAY_MS))


def test_what_is_young_has_lost_nothing(client: Client) -> None:
    """A minute of which even the earliest event that it needs is kept, however old the rest of its day."""
    aged(client, AT, 36)

    horizon = read_horizon(client, DEFAULT_RETENTION)

    kept_from = to_ms(datetime.now(UTC)) - 35 * DAY_MS + REACH_MS
    assert not horizon.has_lost(minute_of(kept_from) + 10)
    assert horizon.has_lost(minute_of(min(kept_from, to_ms(AT) + DAY_MS)) - 10)


def test_nothing_to_compare_asks_for_nothing(client: Client, tell: Tell) -> None:
    """A damaged minute that may have lost events is left as it is: nobody can say what is right."""
    tell(handled(0), broker=AT)
    client.command("ALTER TABLE agent_minutes UPDATE handled = 7 WHERE 1", settings={"mutations_sync": 1})
    found = [refolds(reconcile(client).differences, AT)]
    aged(client, AT, 36)

    found.append(refolds(reconcile(client).differences, AT))

    assert [len(asked) for asked in found] == [1, 0]


def test_a_plan_is_kept_from_its_shift_on(client: Client, tell: Tell) -> None:
    """It is told weeks ahead, and the minutes of the shift want it as long as any event of theirs."""
    work = Activity(activity="work", starts_at=AT + timedelta(days=30), ends_at=AT + timedelta(days=30, hours=8))
    tell(ShiftPlanned(source="wfm", id="p1", at=work.starts_at, agent="a1", activities=[work]), broker=AT)
    tell(handled(0), broker=AT)
    client.command(
        "ALTER TABLE events UPDATE stored_at = now64(3) - toIntervalDay(36) WHERE 1", settings={"mutations_sync": 1}
    )

    client.command("ALTER TABLE events MATERIALIZE TTL", settings={"mutations_sync": 1})
    client.command("OPTIMIZE TABLE events FINAL")

    assert client.query("SELECT toString(type) FROM events").result_rows == [("shift_planned",)]


@pytest.mark.usefixtures("outlived")
def test_a_longer_retention_brings_nothing_back(client: Client, tell: Tell) -> None:
    """What expired under the shorter one stays lost: it is not compared, and no late fact makes zeros of the rest."""
    longer = Retention(events_days=90, minutes_days=90)
    before = counted(client)
    note_retention(client, DEFAULT_RETENTION)

    note_retention(client, longer)
    result = reconcile(client, retention=longer)
    ask = RefoldAsked(at=AT, subject="agent:a1", from_at=AT, to_at=AT + timedelta(hours=3), why="a test")
    tell(ask, broker=AT + timedelta(days=36, minutes=1), retention=longer)

    assert (result.differences, result.left_out) == ([], 5 + 1)
    assert counted(client) == before == [(5, 300_000, 1)]


def test_an_import_that_may_have_lost_facts_stays_one_under_a_longer_retention(client: Client) -> None:
    """It cannot be taken back as a whole: what was stored 40 days ago was gone in part when 35 days became 60."""
    now = datetime.now(UTC)
    note_retention(client, DEFAULT_RETENTION)

    note_retention(client, Retention(events_days=60, minutes_days=60))
    gone_ms = events_gone_before_ms(client, Retention(events_days=60, minutes_days=60), to_ms(now))

    assert to_ms(now - timedelta(days=40)) < gone_ms
    assert to_ms(now - timedelta(days=34)) > gone_ms


@pytest.mark.parametrize(("event_clock", "days"), [(False, 35), (True, None)])
def test_a_worker_is_told_what_a_shorter_retention_let_go(client: Client, event_clock: bool, days: int | None) -> None:
    """A late fact of those days would be counted nowhere; under the event clock it is not known which days they are."""
    note_retention(client, DEFAULT_RETENTION)
    note_retention(client, Retention(events_days=60, minutes_days=60))

    gone_ms = gone_under_another_ms(client, event_clock=event_clock)

    age_days = round((to_ms(datetime.now(UTC)) - gone_ms) / DAY_MS)
    assert (age_days if gone_ms != EVER else None) == days


def test_a_retention_is_noted_when_it_changes(client: Client) -> None:
    """The first one says nothing of what was before; the same again, at the next start, says nothing new."""
    for days in (35, 35, 60, 60, 10):
        note_retention(client, Retention(events_days=days))

    noted = client.query(
        "SELECT days, if(gone_before < '2000-01-01', 0, dateDiff('day', gone_before, since))"
        " FROM retentions WHERE name = 'events' ORDER BY since"
    ).result_rows
    assert noted == [(35, 0), (60, 35), (10, 60)]
