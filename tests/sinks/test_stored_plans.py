"""Plans in the store: found for the minutes they cover, and told ahead of time without making everything old."""

from __future__ import annotations

import pytest
from clickhouse_connect.driver.client import Client

from schemas.times import MINUTE_MS
from sinks.raw import last_known
from streams.core.versions import version_of
from tests.sinks.test_restore import MINUTE, flushed, restored
from tests.streams.plans import WORK, entered, plan
from tests.streams.runs import new_engine
from tests.streams.test_clockwork import ticked
from tests.streams.test_restart import handled


def test_a_late_minute_finds_a_plan_that_began_nineteen_hours_before(client: Client) -> None:
    """What is read to fold a minute again reaches back as far as a plan can."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, plan(0, 0, (WORK, 0, 1_200)), ticked(1, 1_300))
    flushed(client, engine, entered(2, 1_139, "ready", told=1_301), entered(3, 1_142, "offline", told=1_302))

    rows = client.query(f"SELECT by_plan FROM agent_minutes FINAL WHERE minute = toDateTime({(MINUTE + 1_140) * 60})")

    assert rows.result_rows == [({"W": MINUTE_MS, "P": MINUTE_MS, "W/work": MINUTE_MS},)]


def test_a_restart_goes_on_counting_what_is_planned(client: Client) -> None:
    """Each minute once: those before the restart stand, those after it come as they pass."""
    engine = new_engine(event_clock=False)
    flushed(client, engine, plan(0, 0, (WORK, 60, 120)), ticked(1, 90.5))

    again = restored(client)
    flushed(client, again, ticked(2, 130))

    rows = client.query("SELECT sum(by_plan['P']), count() FROM agent_minutes FINAL").result_rows
    assert rows == [(60 * MINUTE_MS, 60)]


def test_a_plan_ahead_of_time_makes_no_event_old(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event up to the newest forgotten one is looked up: a shift in three weeks must not be that."""
    monkeypatch.setattr("sinks.raw.REMEMBERED", 1)
    engine = new_engine(event_clock=False)
    flushed(client, engine, handled(0, 1), plan(1, 2, (WORK, 30_000, 30_480)), handled(2, 3))

    known, forgotten = last_known(client, {0: (version_of(1, 2), 0)})[0]

    assert (len(known), forgotten) == (1, (MINUTE + 1) * MINUTE_MS)
