"""What `reconcile` finds, and `--repair`: owners fold again what differs, in memory or long gone; days are rolled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from schemas.controls import RefoldAsked, Ticked
from schemas.events import ContactHandled, StateChanged, encode
from schemas.times import MINUTE_MS, from_ms, to_ms
from sinks.clickhouse import ClickHouseSink
from sinks.reconcile import Difference, Place, reconcile
from sinks.repair import WHY, days_to_roll, refolds
from sinks.rollups import roll_again, wrong_quarters
from streams.core.log import Item
from streams.core.versions import version_of
from tests.sinks.rolling import rolled_up
from tests.streams.runs import new_engine

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
MORNING, EVENING = AT, AT + timedelta(hours=10)
Record = ContactHandled | StateChanged | RefoldAsked | Ticked


@pytest.fixture
def tell(client: Client) -> Callable[..., None]:
    """Has one engine fold records and store what came of them."""
    engine = new_engine(event_clock=True)

    def run(*records: Record) -> None:
        for record in records:
            offset = engine.boundary + 1
            engine.apply(Item(offset, to_ms(EVENING) + 60_000, encode(record), b"", record, content=offset))
        engine.take_outbox()
        ClickHouseSink(client).write([engine.freeze()])
        engine.acknowledged(engine.boundary)

    return run


def handled(name: str, at: datetime) -> ContactHandled:
    """A contact of a1."""
    return ContactHandled(
        source="acd", id=name, at=at, contact=name, agent="a1", queue="sales", started_at=at, talk_s=60.0
    )


def damage(client: Client, at: datetime, queue: str, handled: int) -> None:
    """Overwrite a pane as nobody may, at the version of the last flush."""
    row = ["a1", at, queue, "voice", handled, version_of(1, 3)]
    client.insert("agent_minutes", [row], column_names=["agent", "minute", "queue", "channel", "handled", "version"])


@pytest.mark.parametrize("at", [MORNING, EVENING], ids=["long gone", "still in memory"])
@pytest.mark.parametrize("queue", ["sales", "nowhere"], ids=["a pane changed", "a pane made up"])
def test_a_damaged_pane_comes_right(client: Client, tell: Callable[..., None], at: datetime, queue: str) -> None:
    """The difference is found, asked for, folded again by the owner, and gone."""
    states = [
        StateChanged(source="acd", id=f"s{n}", at=t, agent="a1", state="ready")
        for n, t in enumerate((MORNING, EVENING))
    ]
    tell(states[0], handled("h1", MORNING), states[1], handled("h2", EVENING))
    assert reconcile(client).differences == []
    damage(client, at, queue, 7)
    before = reconcile(client).differences

    asked = refolds(before, EVENING)
    tell(*(record for _, record in asked))

    assert [difference.what for difference in before] == ["pane"]
    assert [(partition, record.subject, record.from_at, record.why) for partition, record in asked] == [
        (0, "agent:a1", at, WHY)
    ]
    assert reconcile(client).differences == []


def test_a_pane_of_somebody_without_events_is_found(client: Client, tell: Callable[..., None]) -> None:
    """Of an agent, and of a queue, of whom no raw event says anything: the owner folds it to nothing."""
    tell(handled("h1", MORNING), handled("h2", EVENING), Ticked(at=EVENING))
    names = ["minute", "channel", "handled", "version"]
    row = [MORNING, "voice", 9, version_of(1, 2)]
    waits = {"answered_waits": [0] * 15, "abandoned_waits": [0] * 15}
    client.insert("agent_minutes", [["ghost", *row]], column_names=["agent", *names])
    client.insert("queue_minutes", [["ghost", *row, *waits.values()]], column_names=["queue", *names, *waits])

    before = reconcile(client).differences
    tell(*(record for _, record in refolds(before, EVENING)))

    assert [(found.what, found.place.subject if found.place else "") for found in before] == [
        ("pane", "agent:ghost"),
        ("pane", "queue:ghost"),
    ]
    assert reconcile(client).differences == []


@pytest.mark.parametrize(
    ("change", "expected", "found"),
    [
        ("UPDATE handled = 7", {"handled": "1"}, {"handled": "7"}),
        ("UPDATE handle_times_ms = [5]", {"handle_times_ms": "[60000]"}, {"handle_times_ms": "[5]"}),
        ("DELETE", {}, None),
    ],
)
def test_a_quarter_hour_that_is_not_its_minutes_is_found(
    client: Client, tell: Callable[..., None], change: str, expected: dict[str, str], found: dict[str, str] | None
) -> None:
    """A day that is read by quarter hours is compared with its minutes; rolled up again, nothing differs."""
    tell(handled("h1", MORNING))
    rolled_up(client)
    assert reconcile(client).differences == []
    client.command(f"ALTER TABLE agent_quarters {change} WHERE handled = 1 SETTINGS mutations_sync = 1")

    (wrong,) = wrong_quarters(client)
    (difference,) = reconcile(client).differences
    roll_again(client, days_to_roll([difference]))

    assert (difference.what, difference.where) == ("quarter", "agent:a1 2026-03-02T10:00:00.000Z sales/voice")
    assert (wrong.expected if found is not None else {}, wrong.found) == (expected, found or {})
    assert reconcile(client).differences == []
    rolled_up(client)
    assert client.query("SELECT count() FROM clean_days").result_rows == [(1,)]
    assert reconcile(client).differences == []


def test_a_quarter_hour_made_up_is_found(client: Client, tell: Callable[..., None]) -> None:
    """Of a queue that has no minute; where only some subjects are asked for, it shows with its own."""
    tell(handled("h1", MORNING))
    rolled_up(client)
    made_up = {"queue": "q", "quarter": MORNING, "channel": "voice", "handled": 9, "stored_at": datetime.now(UTC)}
    client.insert("queue_quarters", [list(made_up.values())], column_names=list(made_up))

    (difference,) = reconcile(client).differences

    assert (difference.where, difference.expected) == ("queue:q 2026-03-02T10:00:00.000Z -/voice", "none")
    assert [wrong.found["handled"] for wrong in wrong_quarters(client, ["queue:q"])] == ["9"]
    assert wrong_quarters(client, ["agent:a1"]) == []


def test_quarter_hours_whose_minutes_expired_are_not_compared(client: Client, tell: Callable[..., None]) -> None:
    """Nothing is left to compare them with."""
    tell(handled("h1", MORNING))
    rolled_up(client)
    client.command("TRUNCATE TABLE pane_days SYNC")
    long_ago = "rolled_at - INTERVAL 40 DAY"
    client.command(f"INSERT INTO pane_days SELECT day, {long_ago}, {long_ago}, panes FROM rolled_days FINAL")
    client.command("ALTER TABLE agent_quarters UPDATE handled = 7 WHERE 1 SETTINGS mutations_sync = 1")

    assert client.query("SELECT count() FROM clean_days").result_rows == [(1,)]
    assert wrong_quarters(client) == []


def test_minutes_near_each_other_are_asked_for_together() -> None:
    """One ask for up to an hour between them; each subject goes to its owner; counts of offsets cannot be folded."""
    minutes = [("agent:a1", 0, 100), ("agent:a1", 0, 103), ("agent:a1", 0, 900), ("queue:q", 2, 101)]
    differences = [Difference("pane", "", "", "", Place(p, subject, minute)) for subject, p, minute in minutes]

    asked = refolds([*differences, Difference("offsets", "floor.events:0", "9", "8")], AT)

    spans = [(p, r.subject, r.from_at, r.to_at) for p, r in asked]
    assert spans == [
        (0, "agent:a1", from_ms(100 * MINUTE_MS), from_ms(104 * MINUTE_MS)),
        (0, "agent:a1", from_ms(900 * MINUTE_MS), from_ms(901 * MINUTE_MS)),
        (2, "queue:q", from_ms(101 * MINUTE_MS), from_ms(102 * MINUTE_MS)),
    ]
