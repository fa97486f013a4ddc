"""The KPIs that need single facts equal a plain recomputation: in progress, backlog, replies, resolutions, repeats."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.events import ContactOffered, FloorEvent
from schemas.times import day_start, from_ms
from schemas.view_kpis import VIEW_KPIS
from tests.streams.fact_floors import FLOOR, desks
from tests.streams.fact_oracle import Life, lives, open_tickets, repeats, waiting
from tests.streams.kpi_floors import Story
from tests.streams.oracle import counting
from tests.streams.test_kpi_views_against_oracle import stored

ZONE = ZoneInfo("Europe/Berlin")
PROVEN = {
    "in_progress": "queue_balance",
    "backlog": "backlog",
    "first_reply_s": "tickets",
    "resolution_s": "tickets",
    "first_contact_resolution": "repeats",
    "repeat_rate": "repeats",
}
"""KPI -> the view that is compared here."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def client(shared_schema: Client) -> Client:
    """A client on a database of the module's own, with all tables and views."""
    return shared_schema


def test_every_kpi_of_single_facts_is_compared() -> None:
    """Whoever adds one to the catalogue adds its plain recomputation."""
    assert {name: kpi.view for name, kpi in VIEW_KPIS.items()} == PROVEN


def span(story: Story) -> tuple[int, int]:
    """[from, to): local days that hold everything of a story."""
    first = from_ms(story.dawn).astimezone(ZONE).date()
    return day_start(first, ZONE), day_start(first + timedelta(days=14), ZONE)


def rows(client: Client, view: str, story: Story, arguments: str) -> list[dict[str, Any]]:
    """The rows of a view over the whole story."""
    first, last = (from_ms(ms).strftime("%Y-%m-%d %H:%M:%S") for ms in span(story))
    edges = ", toUnixTimestamp(opened_at) AS opens_s, toUnixTimestamp(closed_at) AS closes_s"
    called = f"{view}(from = '{first}', to = '{last}', zone = '{ZONE.key}'{arguments})"
    return list(client.query(f"SELECT *{edges if 'step_s' in arguments else ''} FROM {called}").named_results())


def edges_of(row: dict[str, Any]) -> tuple[int, int]:
    """The instants at which a bucket begins and ends."""
    return row["opens_s"] * 1000, row["closes_s"] * 1000


@settings(max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(story=desks(), step_s=st.sampled_from([1_800, 86_400, 0]), days=st.sampled_from([1, 7]))
def test_views_of_single_facts_equal_the_recomputation(client: Client, story: Story, step_s: int, days: int) -> None:
    """Whatever was told twice, late, taken back or never; over changes of the clocks, week-ends and holidays."""
    stored(client, story, [])
    events = [sent.event for sent in counting(story.log(event_clock=False))]
    steps = f", step_s = {step_s}"

    balance = rows(client, "queue_balance", story, steps)
    backlog = rows(client, "backlog", story, steps)
    tickets = rows(client, "tickets", story, "")
    again = rows(client, "repeats", story, f", days = {days}")

    _check_balance(balance, events, story.end)
    _check_backlog(backlog, events)
    assert {row["ticket"]: Life(*(row[name] for name in Life.__annotations__)) for row in tickets} == lives(
        events, FLOOR, ZONE
    )
    _check_repeats(again, events, story, days)


def _check_balance(found: list[dict[str, Any]], events: list[FloorEvent], now: int) -> None:
    """In progress at both ends of each bucket, and the balance of what came and went where all is explained."""
    for row in found:
        before, after = (waiting(events, row["queue"], edge, now) for edge in edges_of(row))
        assert (row["in_progress_before"], row["in_progress_after"]) == (before, after)
        explained = row["never_offered"] - row["never_left"]
        came = row["in_progress_before"] + row["offered"] + explained
        assert came == row["answered"] + row["abandoned"] + row["flowed_out"] + row["in_progress_after"]
    offers = sum(isinstance(event, ContactOffered) for event in events)
    assert sum(row["offered"] for row in found) == offers


def _check_backlog(found: list[dict[str, Any]], events: list[FloorEvent]) -> None:
    """Open tickets at both ends of each bucket."""
    for row in found:
        before, after = (open_tickets(events, row["queue"], edge) for edge in edges_of(row))
        assert (row["open_before"], row["open_after"]) == (before, after)


def _check_repeats(found: list[dict[str, Any]], events: list[FloorEvent], story: Story, days: int) -> None:
    """Who came again, by the queue that the contact entered first."""
    expected = repeats(events, FLOOR, days, ZONE, story.end)
    counted = {
        (row["queue"], row["client"]): (row["known"], row["unknown"], row["due"], row["repeated"]) for row in found
    }
    assert counted == {at: (cell.known, cell.unknown, cell.due, cell.repeated) for at, cell in expected.items()}
    for row in found:
        cell = expected[row["queue"], row["client"]]
        share = 1 - cell.repeated / cell.due if cell.due else None
        assert row["first_contact_resolution"] == (None if share is None else pytest.approx(share))
        assert row["repeat_rate"] == (cell.repeated / cell.due if cell.due else None)
