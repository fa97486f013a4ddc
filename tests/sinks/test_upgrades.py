"""A floor that is already there gets what came later, and keeps what it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.registry import Floor, Membership, Person, Team
from sinks.registry import store_registry
from sinks.retention import Retention
from sinks.schema import apply_schema

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture
def old(own_database: Settings) -> Iterator[Client]:
    """A floor from before there were roll-ups, maps and places, with a registry and one minute."""
    opened = clickhouse_client(own_database)
    apply_schema(opened, own_database.clickhouse_database)
    spell = Person(id="a1", teams=[Membership(team="t1")])
    store_registry(opened, Floor(teams=[Team(id="t1")], people=[spell]), "tests", AT)
    for view in ("agent_pane_days", "queue_pane_days", "pane_days", "rolled_days", "agent_quarters", "places"):
        opened.command(f"DROP TABLE {view} SYNC")
    opened.command("ALTER TABLE agent_minutes DROP COLUMN by_plan, DROP COLUMN aways")
    names = ["agent", "minute", "handled", "version"]
    opened.insert("agent_minutes", [["a1", AT, 3, 1]], column_names=names)
    yield opened
    opened.close()


def test_columns_and_days_and_places_are_added(old: Client) -> None:
    """What was counted stands, in its team, with nothing in the new columns; its day is noted to be rolled."""
    apply_schema(old, str(old.database))

    counted = "SELECT team, handled, aways, by_plan FROM kpi_team(from = '2026-03-02', to = '2026-03-03', step_s = 0,"
    rows = old.query(f"{counted} zone = 'UTC', threshold_s = 20, short_s = 5, only = '')").result_rows
    assert rows == [("t1", 3, 0, {})]
    assert old.query("SELECT toString(day) FROM pane_days").result_rows == [("2026-03-02",)]


def test_a_key_grows_with_the_column_that_it_lacks(old: Client) -> None:
    """A letter from before topics were told apart stands, and one of a topic made anew beside it."""
    statement = str(old.query("SHOW CREATE TABLE dead_letters").result_rows[0][0])
    old.command("DROP TABLE dead_letters SYNC")
    old.command(re.sub(r" *`made_anew`.+\n", "", statement).replace(", made_anew)", ")"))
    columns = ["topic", "partition", "offset", "reason", "value"]
    old.insert("dead_letters", [["floor.events", 0, 7, "invalid", "old"]], column_names=columns)

    apply_schema(old, str(old.database))

    row = ["floor.events", 0, 7, "invalid", "new", 1]
    old.insert("dead_letters", [row], column_names=[*columns, "made_anew"])
    rows = old.query("SELECT value, made_anew FROM dead_letters FINAL ORDER BY made_anew").result_rows
    assert rows == [("old", 0), ("new", 1)]


def test_another_retention_is_set(old: Client) -> None:
    """The days of the settings hold for tables that stand; the same days again change nothing."""
    shorter = Retention(events_days=10, minutes_days=20, quarters_months=3)

    apply_schema(old, str(old.database), shorter)

    ttl = (
        "SELECT name, extract(engine_full, 'TTL (.+?) SETTINGS') FROM system.tables WHERE database = currentDatabase()"
    )
    rows = old.query(
        f"{ttl} AND name IN ('events', 'dead_letters', 'agent_minutes', 'agent_quarters') ORDER BY name"
    ).result_rows
    assert list(rows) == [
        ("agent_minutes", "toDateTime(stored_at) + toIntervalDay(20)"),
        ("agent_quarters", "toDateTime(stored_at) + toIntervalMonth(3)"),
        ("dead_letters", "toDateTime(stored_at) + toIntervalDay(10)"),
        ("events", "greatest(toDateTime(stored_at), toDateTime(at)) + toIntervalDay(10)"),
    ]


def test_a_longer_retention_brings_no_minutes_back(old: Client) -> None:
    """A rolled day whose minutes may have expired before has none for any query, however long they are kept now."""
    apply_schema(old, str(old.database))
    days = [["2026-01-01", 50], ["2026-01-02", 20]]
    for day, age in days:
        stored = f"now64(3) - toIntervalDay({age})"
        old.command(f"INSERT INTO pane_days SELECT '{day}', {stored}, {stored}, 1")
        old.command(f"INSERT INTO rolled_days SELECT '{day}', {stored}, now64(3), 1, 0")

    apply_schema(old, str(old.database), Retention(minutes_days=60))

    found = old.query("SELECT toString(day), has_minutes FROM clean_days ORDER BY day").result_rows
    assert found == [("2026-01-01", 0), ("2026-01-02", 1)]
