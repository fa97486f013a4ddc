"""`reconcile --repair`: the owner folds again what differs, whether it is still in memory or long gone."""

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
from sinks.repair import WHY, refolds
from streams.core.log import Item
from streams.core.versions import version_of
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
