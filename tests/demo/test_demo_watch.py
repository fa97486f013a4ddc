"""What a demo tells of its store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from floorpulse.demo.watch import AlertTail, read_figures
from floorpulse.prepare import prepare
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client

STORED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class FakeStore:
    """Answers with the steps stored since the instant that is asked for."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.result_rows: Sequence[tuple[Any, ...]] = ()

    def add(self, alert: str, stored_at: datetime, rule: str = "abandon-rate-30m", value: float = 0.12) -> None:
        at = STORED - timedelta(hours=1)
        self.rows.append((alert, 1, stored_at, at, "firing", rule, "queue:sales", "abandon_rate", value, 0.08))

    def query(self, _sql: str, parameters: dict[str, datetime]) -> FakeStore:
        self.result_rows = [row for row in self.rows if row[2] >= parameters["since"]]
        return self


def tail(store: FakeStore) -> AlertTail:
    return AlertTail(cast(Client, store), ZoneInfo("Asia/Manila"))


def test_a_step_is_one_line_in_local_time() -> None:
    """When, what, by which rule, about whom, and the figures."""
    store = FakeStore()
    store.add("x", STORED)

    (line,) = tail(store).fresh()

    assert line.split() == (
        ["16:00", "firing", "abandon-rate-30m", "queue:sales", "Abandon", "rate", "12", "%,", "threshold", "8.0", "%"]
    )


def test_each_step_is_told_once() -> None:
    """Also one that was stored a little before the newest and became visible later."""
    store = FakeStore()
    store.add("x", STORED)
    alerts = tail(store)

    told = [len(alerts.fresh()), len(alerts.fresh())]
    store.add("late", STORED - timedelta(seconds=1))
    told.append(len(alerts.fresh()))

    assert told == [1, 0, 1]


def test_an_empty_floor_has_no_figures(own_floor: Settings) -> None:
    """Every figure is asked for in tables and views that exist."""
    prepare(own_floor)

    figures = read_figures(clickhouse_client(own_floor))

    assert (figures.events, figures.windows, figures.panes, figures.dead_letters) == (0, 0, 0, 0)
    assert (figures.alerts, figures.cases, figures.fired) == ({}, {}, set())
