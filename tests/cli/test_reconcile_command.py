"""`floorpulse reconcile`: what it says about what it does not compare."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from tests.sinks.test_restore import flushed
from tests.streams.runs import new_engine
from tests.streams.test_restart import handled


def test_panes_that_may_have_lost_their_events_are_left_out(
    run_on_schema: Callable[..., Any], own_schema: Settings
) -> None:
    """It says how many and from when on it compares; they are no difference, and nor is the count of rows."""
    client = clickhouse_client(own_schema)
    flushed(client, new_engine(event_clock=False), handled(0, 0.1), handled(1, 1.1))
    day = datetime(2026, 3, 2, tzinfo=UTC)
    client.command(f"INSERT INTO pane_days SELECT toDate('{day:%Y-%m-%d}'), now64(3) - toIntervalDay(36), now64(3), 0")
    client.command("ALTER TABLE events DELETE WHERE offset = 0", settings={"mutations_sync": 1})

    ended = run_on_schema("reconcile")

    assert ended.code == 0, ended.out
    assert "1 subjects, 0 panes, 1 events compared: 0 differences\n" in ended.err
    assert "2 panes left out: raw events are kept from 2026-03-05 00:00 UTC on\n" in ended.err
