"""Quarter hours: they hold what the minutes hold, and are read only while nothing came since."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.times import to_ms
from sinks.kpi_rows import Question, read_kpis
from sinks.rollups import roll_up

Put = Callable[..., None]
AGENT_FIGURES = ("handled", "aht_s", "away_s", "adherence", "quality")


def asked(by: Any, step_s: int = 1800, figures: tuple[str, ...] = AGENT_FIGURES) -> Question:
    """The 2nd of March 2026 in half hours."""
    start, end = (to_ms(datetime(2026, 3, day, tzinfo=UTC)) for day in (2, 3))
    return Question(by, start, end, ZoneInfo("UTC"), step_s, figures=figures)


def tell(put_agent: Put) -> None:
    """Three minutes of one agent in two quarter hours."""
    put_agent("a1", "2026-03-02T10:01", handled=2, talk_ms=100_000, away_ms=9, by_plan={"W": 60_000, "W/work": 30_000})
    put_agent("a1", "2026-03-02T10:14", handled=1, talk_ms=50_000, handle_times_ms=[50_000])
    put_agent("a1", "2026-03-02T10:15", handled=4, talk_ms=20_000, by_plan={"W": 60_000, "W/work": 60_000})


def test_a_rolled_day_gives_the_same_figures(client: Client, put_agent: Put, put_queue: Put) -> None:
    """Rolling changes where a view reads, and no figure: by agent, site and queue."""
    tell(put_agent)
    put_queue("q", "2026-03-02T10:05", [(3, 12)], [(1, 40)])
    questions = [asked("agent"), asked("site"), asked("queue", figures=("offered", "service_level", "asa_s"))]
    before = [read_kpis(client, question) for question in questions]

    rolled = roll_up(client, settle_ms=0)

    assert [str(one.day) for one in rolled] == ["2026-03-02"]
    assert client.query("SELECT count() FROM clean_days").result_rows == [(1,)]
    client.command("TRUNCATE TABLE agent_minutes SYNC")  # so that nothing else than quarter hours can be read
    client.command("TRUNCATE TABLE queue_minutes SYNC")
    assert [read_kpis(client, question) for question in questions] == before
    assert roll_up(client, settle_ms=0) == []


def test_what_comes_late_counts_at_once(client: Client, put_agent: Put) -> None:
    """A pane that is stored after its day was rolled is in the next figure, before anybody rolls again."""
    tell(put_agent)
    roll_up(client, settle_ms=0)

    put_agent("a1", "2026-03-02T10:20", handled=1, talk_ms=10_000)

    (row,) = read_kpis(client, asked("agent", step_s=86_400))
    assert row["handled"] == 8
    assert [str(one.day) for one in roll_up(client, settle_ms=0)] == ["2026-03-02"]
    assert read_kpis(client, asked("agent", step_s=86_400)) == [row]


def test_an_insert_that_took_long_makes_its_day_dirty(client: Client, put_agent: Put) -> None:
    """A pane whose insert began before its day was rolled, and became visible after, is not left out."""
    tell(put_agent)
    roll_up(client, settle_ms=0)
    long_ago = datetime.now(UTC) - timedelta(minutes=5)

    put_agent("a1", "2026-03-02T10:20", handled=1, talk_ms=10_000, stored_at=long_ago)

    (row,) = read_kpis(client, asked("agent", step_s=86_400))
    assert row["handled"] == 8
    assert len(roll_up(client, settle_ms=0)) == 1


def test_a_day_that_is_still_coming_is_not_rolled(client: Client, put_agent: Put) -> None:
    """An insert under way could be missed: a day is rolled when nothing came for a while."""
    tell(put_agent)

    assert roll_up(client, settle_ms=3_600_000) == []


def test_minutes_that_expired_take_nothing_away(client: Client, put_agent: Put) -> None:
    """A quarter hour whose minutes are gone stays as it was, whatever comes to its day later."""
    tell(put_agent)
    roll_up(client, settle_ms=0)
    client.command("TRUNCATE TABLE agent_minutes SYNC")

    put_agent("a1", "2026-03-02T10:16", handled=1, talk_ms=1_000)
    (rolled,) = roll_up(client, settle_ms=0)

    assert rolled.kept == 1
    held = client.query("SELECT sum(handled) FROM agent_quarters FINAL").result_rows
    assert held == [(7,)]


def test_no_pane_is_lost_or_doubled_while_days_are_rolled(client: Client, clickhouse: Settings, put_agent: Put) -> None:
    """A question that is asked while days turn clean and dirty has every pane once: it knows one list of clean days."""
    for day in (2, 3):
        put_agent("a1", f"2026-03-{day:02}T10:01", handled=1)
    over = threading.Event()
    turning = threading.Thread(target=_turn_clean_and_dirty, args=(clickhouse, client.database, over))
    turning.start()
    start, end = (to_ms(datetime(2026, 3, day, tzinfo=UTC)) for day in (1, 11))
    question = Question("agent", start, end, ZoneInfo("UTC"), figures=("handled",))

    found = [read_kpis(client, question)[0]["handled"] for _ in range(12)]

    over.set()
    turning.join()
    assert found == [2] * 12


def _turn_clean_and_dirty(clickhouse: Settings, database: str | None, over: threading.Event) -> None:
    """Roll all days up, store one pane of each again, and so on: by a client of its own."""
    client = clickhouse_client(clickhouse, database=database)
    names = ["agent", "minute", "queue", "channel", "version", "handled"]
    panes = [["a1", datetime(2026, 3, day, 10, 1, tzinfo=UTC), "", "voice", 1, 1] for day in (2, 3)]
    while not over.is_set():
        roll_up(client, settle_ms=0)
        client.insert("agent_minutes", panes, column_names=names)
    client.close()
