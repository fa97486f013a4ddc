"""The other views: what counts, what holds, what stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.registry import Alias, Floor, Membership, Person, Queue, Team
from sinks.card_views import CARD_KPIS
from sinks.registry import store_registry
from sinks.schema import apply_schema, statements
from tests.sinks.rolling import rolled_up

Put = Callable[..., None]
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def put_event(client: Client, event_id: str, revision: int, *, void: int = 0) -> None:
    """Store one revision of an event."""
    row = ["contact_offered", "queue:q", AT, "acd", event_id, revision, void, revision + 1]
    names = ["type", "subject", "at", "source", "id", "revision", "void", "version"]
    client.insert("events", [row], column_names=names)


def put_transition(client: Client, alert: str, sequence: int, state: str, value: float) -> None:
    """Store one step of an alert."""
    row = [alert, sequence, state, "breached", AT.replace(minute=sequence), "long-away", "agent:a1", value, 0.5]
    names = ["alert", "sequence", "state", "reason", "at", "rule", "subject", "value", "threshold"]
    client.insert("alert_transitions", [row], column_names=names)


def put_entries(client: Client, stream: str, record: str, entries: list[tuple[str, str]]) -> None:
    """Store (kind, body) entries of one stream of the ledger, each a minute after the one before."""
    names = ["stream", "sequence", "id", "kind", "at", "by", "record", "version", "body"]
    rows = [
        [stream, number, f"e{number}", kind, AT.replace(minute=number), "lead1", record, number, body]
        for number, (kind, body) in enumerate(entries, start=1)
    ]
    client.insert("record_events", rows, column_names=names)


def test_every_table_column_and_view_is_commented(client: Client) -> None:
    """No table, no view and no column is without a word on what it holds."""
    tables = client.query("SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''")
    columns = client.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = ''"
        " AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase())"
    )

    assert [*tables.result_rows, *columns.result_rows] == []


def test_applying_the_schema_again_keeps_the_data(client: Client) -> None:
    """A second apply replaces views and leaves tables as they are."""
    put_event(client, "e1", 0)

    apply_schema(client, str(client.database))

    assert client.query("SELECT count() FROM events_current").result_rows == [(1,)]


def test_every_statement_can_be_read_by_people() -> None:
    """Nothing is left to fill in but the parameters of views, which have a type."""
    left = [found for _file, text in statements() for found in re.findall(r"\{\w+\}", text)]

    assert left == []


def test_the_highest_revision_of_an_event_counts(client: Client) -> None:
    """A replaced revision and a fact taken back do not stand in `events_current`."""
    put_event(client, "plain", 0)
    put_event(client, "corrected", 0)
    put_event(client, "corrected", 2)
    put_event(client, "void", 0)
    put_event(client, "void", 1, void=1)

    rows = client.query("SELECT id, revision FROM events_current ORDER BY id").result_rows

    assert list(rows) == [("corrected", 2), ("plain", 0)]


def test_memberships_are_those_of_the_newest_registry(client: Client) -> None:
    """An older revision of the registry leaves nothing behind; an open end is far away."""
    store_registry(client, Floor(people=[Person(id="a1", teams=[Membership(team="old")])]), "tests", AT)
    now = Person(id="a1", teams=[Membership(team="t1", valid_from=AT)])
    store_registry(client, Floor(teams=[Team(id="t1", site="mnl")], people=[now]), "tests", AT)

    rows = client.query("SELECT agent, team, site, toString(valid_from), toYear(valid_to) FROM memberships").result_rows

    assert list(rows) == [("a1", "t1", "mnl", "2026-03-02 10:00:00.000", 2299)]


def test_queues_have_site_and_client(client: Client) -> None:
    """A registered queue says whom it serves and where."""
    store_registry(client, Floor(queues=[Queue(id="q", client="acme")]), "tests", AT)

    assert client.query("SELECT * FROM queue_sites").result_rows == [("q", "main", "acme")]


@pytest.mark.parametrize(("kind", "subject", "handled"), [("agent", "a1", 3), ("queue", "q", 2), ("team", "t1", 3)])
def test_rolling_is_the_last_whole_minutes(
    client: Client, put_agent: Put, kind: str, subject: str, handled: int
) -> None:
    """A window of 5 minutes at 10:05:30 holds 10:00 up to and with 10:04."""
    person = Person(id="a1", teams=[Membership(team="t1")])
    store_registry(client, Floor(teams=[Team(id="t1")], people=[person]), "tests", AT)
    for minute, queue in (("09:59", "q"), ("10:00", "q"), ("10:02", ""), ("10:04", "q"), ("10:05", "q")):
        put_agent("a1", f"2026-03-02T{minute}", queue, handled=1)
    put_agent("a2", "2026-03-02T10:01", "other", handled=9)

    rows = client.query(
        f"SELECT handled FROM rolling(kind='{kind}', id='{subject}', minutes=5, at='2026-03-02 10:05:30')"
    ).result_rows

    assert rows == [(handled,)]


def test_agent_day_has_exact_quantiles(client: Client, put_agent: Put) -> None:
    """A day of an agent sums its minutes and takes quantiles over every single handle time."""
    put_agent("a1", "2026-03-02T10:00", "q", handled=2, handle_times_ms=[1000, 2000], away_by_reason={"lunch": 5})
    put_agent("a1", "2026-03-02T11:00", "q", handled=1, handle_times_ms=[9000], away_by_reason={"lunch": 2})

    rows = client.query(
        "SELECT toString(day), handled, handle_p50_s, away_by_reason FROM"
        " agent_day(from='2026-03-02', to='2026-03-03', zone='Asia/Manila', only='')"
    ).result_rows

    assert rows == [("2026-03-02", 3, 2.0, {"lunch": 7})]


def test_an_alert_stands_as_its_last_step_and_as_people_left_it(client: Client) -> None:
    """State is the rule's last word, handling the people's; value and threshold are those of the firing."""
    put_transition(client, "x", 1, "firing", 0.9)
    put_transition(client, "x", 2, "resolved", 0.1)
    put_transition(client, "y", 1, "firing", 0.8)
    put_entries(client, "alert:y", "y", [("alert_acknowledged", "{}"), ("command_refused", "{}")])

    rows = client.query("SELECT alert, state, handling, handled_by, value FROM alerts ORDER BY alert").result_rows

    assert list(rows) == [("x", "resolved", "new", "", 0.9), ("y", "firing", "acknowledged", "lead1", 0.8)]


@pytest.mark.parametrize("asked", ["subject = 'agent:a1'", "started_at >= '2026-03-02 09:00:00'"])
def test_a_question_about_some_alerts_adds_up_no_others(client: Client, asked: str) -> None:
    """A floor gathers them for years: what is asked is left out before steps are put together, not after."""
    plan = [
        str(row[0]) for row in client.query(f"EXPLAIN actions = 1 SELECT alert FROM alerts WHERE {asked}").result_rows
    ]

    column = asked.partition(" ")[0]
    together = next(place for place, line in enumerate(plan) if "Keys: alert" in line)
    assert any("Filter column" in line and column in line for line in plan[together:])


def test_the_history_of_an_alert_has_rule_people_and_case(client: Client) -> None:
    """Steps of the rule, of people and of the case stand in one order."""
    put_transition(client, "x", 1, "firing", 0.9)
    put_entries(client, "alert:x", "x", [("alert_snoozed", '{"until":"2026-03-02T12:00:00Z"}')])
    put_entries(client, "agent:a1", "c1", [("case_opened", '{"transition":{"alert":"x"}}')])

    rows = client.query("SELECT step FROM alert_history WHERE alert = 'x' ORDER BY step").result_rows

    assert [step for (step,) in rows] == ["case_opened", "firing", "snoozed"]


def test_an_escalated_alert_is_told_with_its_reason_alone(client: Client) -> None:
    """How it fired goes along in the entry, for delivery; the history has that as a step of its own."""
    put_transition(client, "x", 1, "firing", 0.9)
    put_entries(client, "alert:x", "x", [("alert_escalated", '{"reason":"again","transition":{"alert":"x"}}')])

    history = client.query("SELECT why FROM alert_history WHERE alert = 'x' AND step = 'escalated'").result_rows
    stands = client.query("SELECT handling FROM alerts WHERE alert = 'x'").result_rows

    assert (history, stands) == ([('{"reason":"again"}',)], [("escalated",)])


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([], "proposed"),
        ([("case_acknowledged", "{}"), ("plan_written", '{"due":"2026-04-01"}')], "planned"),
        ([("case_acknowledged", "{}"), ("case_commented", "{}")], "acknowledged"),
        ([("case_closed", '{"outcome":"improved"}'), ("command_refused", "{}")], "closed"),
    ],
)
def test_a_case_stands_as_its_last_step(client: Client, steps: list[tuple[str, str]], state: str) -> None:
    """Remarks, evidence and refusals leave the state of a case as it is."""
    opening = ("case_opened", '{"opens":"coaching","transition":{"alert":"x","kpi":"aht_s","team":"t1"}}')
    put_entries(client, "agent:a1", "c1", [opening, *steps])

    found: list[Any] = list(client.query("SELECT record, subject, kpi, team, state FROM records").result_rows)

    assert found == [("c1", "agent:a1", "aht_s", "t1", state)]


@pytest.mark.parametrize("rolled", [False, True])
def test_cards_agree_with_the_kpi_views(client: Client, put_agent: Put, *, rolled: bool) -> None:
    """A card has the figures of kpi_agent and kpi_team, aliases and moves included, rolled up or not."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    moved = [Membership(team="t1", valid_to=noon), Membership(team="t2", valid_from=noon)]
    person = Person(id="a1", teams=moved, aliases=[Alias(source="acd", id="7")])
    store_registry(client, Floor(teams=[Team(id="t1"), Team(id="t2")], people=[person]), "tests", noon)
    put_agent("a1", "2026-03-02T11:45", handled=2, talk_ms=60_000, ready_ms=40_000, on_contact_ms=20_000)
    put_agent("acd:7", "2026-03-02T11:50", handled=1, talk_ms=30_000)
    put_agent("a1", "2026-03-02T12:00", handled=4, talk_ms=10_000, short_calls=3)
    put_agent("a2", "2026-03-02T11:45", handled=9)
    if rolled:
        rolled_up(client)
    figures = ("handled", *CARD_KPIS)
    day = "from='2026-03-02', to='2026-03-03'"
    whole = f"{day}, step_s=86400, zone='UTC', threshold_s=20, short_s=5"

    card = client.query(f"SELECT {', '.join(figures)} FROM agent_card({day}, zone='UTC', agent='a1')").result_rows
    team = client.query(f"SELECT agent, handled, aht_s FROM team_day({day}, team='t1')").result_rows

    assert card == client.query(f"SELECT {', '.join(figures)} FROM kpi_agent({whole}, only='a1')").result_rows
    assert card[0][0] == 7
    assert team == [("a1", 3, 30.0)]
    assert client.query(f"SELECT agent FROM team_day({day}, team='t2')").result_rows == [("a1",)]
    assert client.query(f"SELECT handled FROM agent_card({day}, zone='UTC', agent='a2')").result_rows == [(9,)]
    assert client.query(f"SELECT handled FROM agent_card({day}, zone='UTC', agent='acd:7')").result_rows == []


@pytest.mark.parametrize("rolled", [False, True])
def test_a_move_within_a_quarter_hour_parts_the_cards(client: Client, put_agent: Put, *, rolled: bool) -> None:
    """Each minute counts for the team, and the person, of its start: before and after its day is rolled up."""
    at = datetime(2026, 3, 2, 12, 7, tzinfo=UTC)
    moved = [Membership(team="t1", valid_to=at), Membership(team="t2", valid_from=at)]
    was = Person(id="a2", aliases=[Alias(source="acd", id="7", valid_to=at)])
    person = Person(id="a1", teams=moved, aliases=[Alias(source="acd", id="7", valid_from=at)])
    store_registry(client, Floor(teams=[Team(id="t1"), Team(id="t2")], people=[person, was]), "tests", at)
    for minute, handled in (("12:01", 1), ("12:06", 2), ("12:07", 4), ("12:14", 8)):
        put_agent("a1", f"2026-03-02T{minute}", handled=handled)
        put_agent("acd:7", f"2026-03-02T{minute}", handled=handled * 16)
    if rolled:
        rolled_up(client)
    day = "from='2026-03-02', to='2026-03-03'"

    teams = [client.query(f"SELECT handled FROM team_day({day}, team='{team}')").result_rows for team in ("t1", "t2")]
    people = [
        client.query(f"SELECT handled FROM agent_card({day}, zone='UTC', agent='{agent}')").result_rows
        for agent in ("a1", "a2")
    ]

    assert teams == [[(3,)], [(12 + 192,)]]
    assert people == [[(15 + 192,)], [(48,)]]
