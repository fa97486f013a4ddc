"""Teams as of each minute, of days that are read by quarter hours; and what rolling leaves in the tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client

from schemas.registry import Floor, Membership, Person, Team
from schemas.times import to_ms
from sinks.kpi_rows import Question, read_kpis
from sinks.registry import store_registry
from tests.sinks.rolling import rolled_up

Put = Callable[..., None]
MINUTES = {"12:00": 1, "12:06": 2, "12:07": 4, "12:14": 8, "12:15": 16}


def move(client: Client, clock: str) -> None:
    """The agent a1 goes from t1 to t2 at a time of the 2nd of March 2026, UTC."""
    at = datetime.fromisoformat(f"2026-03-02T{clock}+00:00")
    spells = [Membership(team="t1", valid_to=at), Membership(team="t2", valid_from=at)]
    teams = [Team(id="t1"), Team(id="t2")]
    store_registry(client, Floor(teams=teams, people=[Person(id="a1", teams=spells)]), "tests", at)


def handled(client: Client, by: Any = "team", only: str = "") -> dict[str, int]:
    """Contacts handled on that day, by group."""
    start, end = (to_ms(datetime(2026, 3, day, tzinfo=UTC)) for day in (2, 3))
    rows = read_kpis(client, Question(by, start, end, ZoneInfo("UTC"), only=only, figures=("handled",)))
    return {row[by]: row["handled"] for row in rows}


@pytest.fixture
def rolled(client: Client, put_agent: Put) -> None:
    """A day of a1 that is rolled up: contacts in both quarter hours around 12:07."""
    for clock, count in MINUTES.items():
        put_agent("a1", f"2026-03-02T{clock}", handled=count)
    rolled_up(client)


@pytest.mark.usefixtures("rolled")
@pytest.mark.parametrize(
    ("clock", "counts"),
    [
        ("12:07", {"t1": 3, "t2": 28}),
        ("12:06:30", {"t1": 3, "t2": 28}),
        ("12:15", {"t1": 15, "t2": 16}),
        ("12:14:30", {"t1": 15, "t2": 16}),
    ],
)
def test_a_move_within_a_quarter_hour_is_exact(client: Client, clock: str, counts: dict[str, int]) -> None:
    """Each minute counts for the team of its start, also where quarter hours are read."""
    move(client, clock)

    assert handled(client) == counts
    assert {team: handled(client, only=team)[team] for team in counts} == counts


@pytest.mark.usefixtures("rolled")
def test_without_minutes_a_quarter_hour_counts_where_it_began(client: Client) -> None:
    """When its minutes have expired nothing is lost: the whole quarter hour is that of the team at its start."""
    card = "SELECT handled FROM team_day(from = '2026-03-02', to = '2026-03-03', team = {team:String})"
    client.command("TRUNCATE TABLE agent_minutes SYNC")
    client.command("TRUNCATE TABLE pane_days SYNC")
    long_ago = "rolled_at - INTERVAL 40 DAY"
    client.command(f"INSERT INTO pane_days SELECT day, {long_ago}, {long_ago}, panes FROM rolled_days FINAL")

    move(client, "12:07")

    assert handled(client) == {"t1": 15, "t2": 16}
    assert [client.query(card, {"team": team}).result_rows for team in ("t1", "t2")] == [[(15,)], [(16,)]]


@pytest.mark.usefixtures("rolled")
def test_a_range_that_cuts_quarter_hours_is_exact(client: Client) -> None:
    """The minutes at the edges of a range are read from minutes, those between from quarter hours, none twice."""
    start, end = (to_ms(datetime(2026, 3, 2, 12, minute, tzinfo=UTC)) for minute in (6, 16))

    (row,) = read_kpis(client, Question("agent", start, end, ZoneInfo("UTC"), figures=("handled",)))

    assert row["handled"] == 2 + 4 + 8 + 16


@pytest.mark.usefixtures("rolled")
def test_an_agent_day_is_the_same_from_quarter_hours(client: Client) -> None:
    """First and last minute too: a quarter hour knows of which minutes it is made."""
    ask = (
        "SELECT handled, toString(first_minute), toString(last_minute), team"
        " FROM agent_day(from = '2026-03-02', to = '2026-03-03', zone = 'UTC', only = 'a1')"
    )
    move(client, "12:15")

    client.command("TRUNCATE TABLE agent_minutes SYNC")

    assert client.query(ask).result_rows == [(31, "2026-03-02 12:00:00", "2026-03-02 12:15:00", "t2")]


def test_a_day_begins_and_ends_with_what_was_not_taken_back(client: Client, put_agent: Put) -> None:
    """Of a fact that was taken back zeros are left: by minutes and by quarter hours they are no part of the day."""
    for minute in ("08:00", "12:01", "12:07", "12:09", "16:00"):
        put_agent("a1", f"2026-03-02T{minute}", handled=1, by_plan={"P": 60_000})
    for minute in ("08:00", "12:01", "12:09", "16:00"):
        put_agent("a1", f"2026-03-02T{minute}", handled=0, by_plan={"P": 0})
    put_agent("a2", "2026-03-02T09:00", handled=0)
    ask = (
        "SELECT agent, handled, toString(first_minute), toString(last_minute)"
        " FROM agent_day(from = '2026-03-02', to = '2026-03-03', zone = 'UTC', only = '')"
    )
    day = [("a1", 1, "2026-03-02 12:07:00", "2026-03-02 12:07:00")]
    assert client.query(ask).result_rows == day

    rolled_up(client)
    client.command("TRUNCATE TABLE agent_minutes SYNC")

    assert client.query(ask).result_rows == day


@pytest.mark.usefixtures("rolled")
def test_rolling_leaves_one_part_of_a_day(client: Client, put_agent: Put) -> None:
    """Minutes expire by parts, so a day that was rolled is one part: it expires as a whole, or stays."""
    put_agent("a1", "2026-03-02T12:20", handled=1)

    rolled_up(client)

    parts = client.query(
        "SELECT table, count() FROM system.parts WHERE database = currentDatabase() AND active"
        " AND table IN ('agent_minutes', 'agent_quarters') GROUP BY table ORDER BY table"
    ).result_rows
    assert parts == [("agent_minutes", 1), ("agent_quarters", 1)]
