"""Every KPI of the SQL views equals a plain recomputation from the events, to the last digit."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.registry import Registry
from schemas.times import day_start, from_ms
from sinks.registry import store_registry
from tests.sinks.rolling import rolled_up
from tests.streams.kpi_facts import By, Places, buckets, facts_of, slices
from tests.streams.kpi_floors import Story, stories
from tests.streams.kpi_oracle import Terms, figures
from tests.streams.runs import STEPS, Run, new_engine
from tests.streams.sql_shelf import SqlShelf
from tests.streams.test_kpis_against_oracle import (
    KINDS,
    LIMITS,
    Cell,
    Shown,
    as_floats,
    catalogue,
    first_difference,
    items_of,
)

Rolled = Literal["never", "halfway", "at the end"]
ZONES = ("Europe/Berlin", "Asia/Kolkata")
OF_AGENTS_TIME = {
    "occupancy", "utilization", "shrinkage", "adherence", "adherence_graced", "conformance", "login_s", "ready_s",
    "away_s", "engaged_s", "contacts_per_hour", "contacts_per_ready_hour", "concurrency", "concurrent_aht_s",
    "aways", "logouts", "quality", "fatal", "csat", "nps", "resolved_rate", "tasks", "avg_task_s", "task_efficiency",
}  # fmt: skip
"""What belongs to people: no queue and no client has it."""
OF_WAITING = {
    "offered", "answered", "abandoned", "flowed_out", "abandon_rate", "abandon_rate_beyond_short", "flow_out_rate",
    "asa_s", "avg_abandon_wait_s", "tickets_created", "tickets_solved", "tickets_reopened", "tickets_breached",
    "reopen_rate", *(name for name in catalogue() if name.startswith("service_level")),
}  # fmt: skip
"""What belongs to queues: no agent and no team has it."""
NOT_OF: dict[By, set[str]] = {
    "agent": OF_WAITING,
    "team": OF_WAITING,
    "queue": OF_AGENTS_TIME,
    "client": OF_AGENTS_TIME,
    "site": set(),
}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def client(shared_schema: Client) -> Client:
    """A client on a database of the module's own, with all tables and views."""
    return shared_schema


def empty(client: Client) -> None:
    """Forget the floor before."""
    tables = client.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0")
    for (table,) in tables.result_rows:
        client.command(f"TRUNCATE TABLE `{table}` SYNC")


def stored(client: Client, story: Story, steps: list[str], rolled: Rolled = "never") -> None:
    """Fold a story into an empty ClickHouse, with its registry; days may be rolled up before the rest of it comes."""
    empty(client)
    store_registry(client, story.floor, "tests", from_ms(story.dawn))
    run = Run(new_engine(event_clock=False, registry=Registry(story.floor)), SqlShelf(client=client))
    items = items_of(story, event_clock=False)
    run.fold(items[: len(items) // 2], steps)
    run.finish()
    if rolled == "halfway":
        rolled_up(client)
    run.fold(items[len(items) // 2 :], steps)
    run.finish()
    if rolled == "at the end":
        rolled_up(client)


def whole_days(story: Story, zone: ZoneInfo) -> tuple[int, int]:
    """[from, to): the local days in which the story plays."""
    first: date = from_ms(story.dawn).astimezone(zone).date()
    return day_start(first, zone), day_start(first + timedelta(days=4), zone)


def asked(
    client: Client, by: By, span: tuple[int, int], zone: ZoneInfo, step_s: int, limits: tuple[int, int]
) -> dict[Cell, Shown]:
    """(group, bucket) -> what a view says of each KPI that it has, with its n."""
    first, last = (from_ms(ms).strftime("%Y-%m-%d %H:%M:%S") for ms in span)
    arguments = (
        f"from = '{first}', to = '{last}', step_s = {step_s}, zone = '{zone.key}',"
        f" threshold_s = {limits[0]}, short_s = {limits[1]}, only = ''"
    )
    answer = client.query(f"SELECT *, toUnixTimestamp(opened_at) AS opened_s FROM kpi_{by}({arguments})")
    found = {}
    for row in answer.named_results():
        opened = datetime.fromtimestamp(row["opened_s"], zone).isoformat()
        found[row[by], opened] = {name: _shown(row, name) for name in catalogue() if name in row}
    return found


def _shown(row: dict[str, Any], name: str) -> tuple[float | None, int | None]:
    value, n = row[name], row.get(f"n_{name}")
    return None if value is None else float(value), None if n is None else int(n)


@pytest.mark.parametrize("by", KINDS)
def test_a_view_has_the_kpis_of_its_kind(client: Client, by: By) -> None:
    """Every KPI of the catalogue, but for agents' time by queue and client, and for waits by agent and team."""
    columns = {str(row[0]) for row in client.query(f"DESCRIBE TABLE ({_one(by)})").result_rows}

    assert columns & set(catalogue()) == set(catalogue()) - NOT_OF[by]


def _one(by: By) -> str:
    return (
        f"SELECT * FROM kpi_{by}(from = '2026-03-02 00:00:00', to = '2026-03-03 00:00:00', step_s = 0, zone = 'UTC',"
        " threshold_s = 20, short_s = 5, only = '')"
    )


@settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    story=stories(16),
    steps=st.lists(st.sampled_from(STEPS), max_size=20),
    zone=st.sampled_from(ZONES),
    step_s=st.sampled_from([1_800, 86_400]),
    limits=st.sampled_from(LIMITS),
    rolled=st.sampled_from(get_args(Rolled)),
)
def test_every_view_equals_the_recomputation(
    client: Client, story: Story, steps: list[str], zone: str, step_s: int, limits: tuple[int, int], rolled: Rolled
) -> None:
    """By half hour or local day, over changes of the clocks, from minutes and quarter hours, for each kind of group."""
    stored(client, story, steps, rolled)
    place = ZoneInfo(zone)
    facts = facts_of(story.log(event_clock=False), story.end)
    places, terms = Places(story.floor), Terms(story.floor, *limits)
    bucket_of = buckets(place, step_s, *whole_days(story, place))
    for by in KINDS:
        happened = slices(facts, places, by, bucket_of)
        expected = {at: own(by, as_floats(figures(what, terms))) for at, what in happened.items()}

        found = asked(client, by, whole_days(story, place), place, step_s, limits)

        assert first_difference(found, expected) is None, by


def own(by: By, shown: Shown) -> Shown:
    """The figures that a kind of group has."""
    return {name: figure for name, figure in shown.items() if name not in NOT_OF[by]}
