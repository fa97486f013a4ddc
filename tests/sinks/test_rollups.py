"""Quarter hours: they hold what the minutes hold, and are read only while nothing came since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from clickhouse_connect.driver.client import Client

from schemas.times import to_ms
from sinks.kpi_rows import Question, read_kpis
from sinks.rollups import roll_up
from tests.sinks.rolling import rolled_up

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

    rolled = rolled_up(client)

    assert [str(one.day) for one in rolled] == ["2026-03-02"]
    assert client.query("SELECT count() FROM clean_days").result_rows == [(1,)]
    client.command("TRUNCATE TABLE agent_minutes SYNC")  # so that nothing else than quarter hours can be read
    client.command("TRUNCATE TABLE queue_minutes SYNC")
    assert [read_kpis(client, question) for question in questions] == before
    assert rolled_up(client) == []


def test_a_day_whose_minutes_expire_has_the_same_figures(client: Client, put_agent: Put) -> None:
    """From quarter hours alone, while some of the minutes may be there still and when none is."""
    card = "SELECT handled, aht_s FROM agent_card(from='2026-03-02', to='2026-03-03', zone='UTC', agent='a1')"
    long_ago = "now64(3) - INTERVAL 100 DAY"
    tell(put_agent)
    client.command(
        "INSERT INTO pane_days (day, first_stored, last_stored, panes)"
        f" SELECT toDate('2026-03-02'), {long_ago}, {long_ago}, 0"
    )
    rolled_up(client)
    assert client.query("SELECT has_minutes FROM clean_days").result_rows == [(0,)]

    before = client.query(card).result_rows, read_kpis(client, asked("agent", step_s=86_400))
    client.command("TRUNCATE TABLE agent_minutes SYNC")

    assert (client.query(card).result_rows, read_kpis(client, asked("agent", step_s=86_400))) == before
    assert (before[0], before[1][0]["handled"]) == ([(7, 170 / 7)], 7)


def test_what_comes_late_counts_at_once(client: Client, put_agent: Put) -> None:
    """A pane that is stored after its day was rolled is in the next figure, before anybody rolls again."""
    tell(put_agent)
    rolled_up(client)

    put_agent("a1", "2026-03-02T10:20", handled=1, talk_ms=10_000)

    (row,) = read_kpis(client, asked("agent", step_s=86_400))
    assert row["handled"] == 8
    assert [str(one.day) for one in rolled_up(client)] == ["2026-03-02"]
    assert read_kpis(client, asked("agent", step_s=86_400)) == [row]


def test_an_insert_that_took_long_makes_its_day_dirty(client: Client, put_agent: Put) -> None:
    """A pane whose insert began before its day was rolled, and became visible after, is not left out."""
    tell(put_agent)
    rolled_up(client)
    long_ago = datetime.now(UTC) - timedelta(minutes=5)

    put_agent("a1", "2026-03-02T10:20", handled=1, talk_ms=10_000, stored_at=long_ago)

    (row,) = read_kpis(client, asked("agent", step_s=86_400))
    assert row["handled"] == 8
    assert len(rolled_up(client)) == 1


def test_a_day_that_is_still_coming_is_not_rolled(client: Client, put_agent: Put) -> None:
    """An insert under way could be missed: a day is rolled when nothing came for a while."""
    tell(put_agent)

    assert roll_up(client, settle_ms=3_600_000) == []


def test_minutes_that_expired_take_nothing_away(client: Client, put_agent: Put) -> None:
    """A quarter hour whose minutes are gone stays as it was, whatever comes to its day later."""
    tell(put_agent)
    rolled_up(client)
    client.command("TRUNCATE TABLE agent_minutes SYNC")

    put_agent("a1", "2026-03-02T10:16", handled=1, talk_ms=1_000)
    (rolled,) = rolled_up(client)

    assert rolled.kept == 1
    held = client.query("SELECT sum(handled) FROM agent_quarters FINAL").result_rows
    assert held == [(7,)]


def test_a_query_reads_minutes_of_what_was_rolled_after_it_began(client: Client, put_agent: Put) -> None:
    """It sees the tables as they were at its start, when the quarter hours may not have been there."""
    tell(put_agent)
    roll_up(client, settle_ms=0)
    client.command(
        "ALTER TABLE rolled_days UPDATE rolled_at = now64(3) + INTERVAL 1 HOUR WHERE 1 SETTINGS mutations_sync = 1"
    )
    client.command("TRUNCATE TABLE agent_quarters SYNC")

    assert client.query("SELECT count() FROM clean_days").result_rows == [(0,)]
    (row,) = read_kpis(client, asked("agent", step_s=86_400))
    assert row["handled"] == 7


def test_a_roll_up_that_covers_less_changes_nothing(client: Client, put_agent: Put) -> None:
    """Of two that roll a day at the same time the one that saw more stands, whichever is done last."""
    tell(put_agent)
    roll_up(client, settle_ms=0)
    client.command(
        "INSERT INTO rolled_days (day, covers, panes) SELECT day, covers - INTERVAL 1 MINUTE, 1 FROM rolled_days FINAL"
    )

    assert client.query("SELECT panes FROM rolled_days FINAL").result_rows == [(3,)]
