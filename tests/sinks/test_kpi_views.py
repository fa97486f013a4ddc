"""KPIs by the views: the formulas, the groups, the buckets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.kpis import KPIS, value
from schemas.panes import ABANDONED_WITHIN, WAIT_BUCKETS, wait_bucket
from schemas.registry import Alias, Floor, Membership, Person, Queue, ReasonCode, Site, Team
from schemas.times import to_ms
from sinks.kpi_groups import By
from sinks.kpi_rows import FIGURES, Question, read_kpis
from sinks.registry import store_registry

Put = Callable[..., None]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def ask(by: By, first: str, last: str, zone: str = "UTC", **more: Any) -> Question:
    """The question over [first, last), local times of the zone."""
    place = ZoneInfo(zone)
    span = [to_ms(datetime.fromisoformat(text).replace(tzinfo=place)) for text in (first, last)]
    return Question(by, span[0], span[1], place, **more)


def on(by: By, **more: Any) -> Question:
    """The question over the 2nd of March 2026, UTC."""
    return ask(by, "2026-03-02", "2026-03-03", **more)


@pytest.fixture
def golden(put_queue: Put) -> None:
    """Of kpis.md: 1000 answered, 860 of them within 20 s; 60 abandoned, 20 within 20 s, 10 of these within 5 s."""
    put_queue("q", "2026-03-02T10:00", [(860, 12), (140, 50)], [(10, 4), (10, 18), (40, 70)])


@pytest.mark.parametrize(("variant", "share"), [(1, 0.830), (2, 0.860), (3, 0.811), (4, 0.827), (5, 0.821)])
def test_service_level_has_five_variants(client: Client, golden: None, variant: int, share: float) -> None:
    """Each contract form of the service level gives its own share of the same contacts."""
    (row,) = read_kpis(client, on("queue", variant=variant))

    assert round(row["service_level"], 3) == share


def test_service_level_at_a_wait_of_exactly_the_threshold(client: Client, put_queue: Put) -> None:
    """A wait of exactly the threshold is within it."""
    put_queue("q", "2026-03-02T10:00", [(1, 20.0), (1, 20.001)], [])

    (row,) = read_kpis(client, on("queue"))

    assert row["service_level"] == 0.5


def test_ratios_are_merged_by_their_sums(client: Client, put_queue: Put) -> None:
    """Of 400 at 92 % and 600 at 88 % come 89.6 %, not the mean of the two."""
    put_queue("q", "2026-03-02T10:00", [(368, 1), (32, 60)], [])
    put_queue("q", "2026-03-02T15:00", [(528, 1), (72, 60)], [])

    (row,) = read_kpis(client, on("queue"))

    assert row["service_level"] == pytest.approx(0.896)
    assert row["n"]["service_level"] == 1000


@pytest.mark.parametrize(("reason", "adherence"), [("break/1:1", 1.0), ("training", 1.0), ("training/alone", 0.0)])
def test_a_reason_code_may_have_a_slash(client: Client, put_agent: Put, reason: str, adherence: float) -> None:
    """What counts is the whole code: one that begins like a productive code is none for that."""
    codes = [ReasonCode(id="break"), *(ReasonCode(id=name, productive=True) for name in ("break/1:1", "training"))]
    store_registry(client, Floor(reason_codes=codes), "tests", NOON)
    put_agent("a1", "2026-03-02T10:00", by_plan={"P": 60_000, "W": 60_000, f"W/away/{reason}": 60_000})

    (row,) = read_kpis(client, on("agent", figures=("adherence", "adherence_graced")))

    assert (row["adherence"], row["adherence_graced"]) == (adherence, adherence)


def test_nothing_to_divide_by_is_null(client: Client, put_queue: Put) -> None:
    """A ratio without denominator is null, with n 0: neither 0 nor 1."""
    put_queue("q", "2026-03-02T10:00", [], [(1, 9)])

    (row,) = read_kpis(client, on("queue"))

    assert (row["asa_s"], row["n"]["asa_s"], row["aht_s"]) == (None, 0, None)
    assert row["abandon_rate"] == 1.0


def test_less_than_nothing_to_divide_by_is_null(client: Client) -> None:
    """
    Who was offered before a bucket and gave up in it leaves it with less than nobody: no share is below 0.

        offered    x x |
        abandoned      | after 4 s, after 9 s
    """
    waits = [0] * WAIT_BUCKETS
    waits[wait_bucket(4_000)] = waits[wait_bucket(9_000)] = 1
    names = ["queue", "minute", "channel", "version", "abandoned", "abandoned_waits"]
    client.insert("queue_minutes", [["q", NOON, "voice", 1, 2, waits]], column_names=names)
    sums = {"abandoned": 2, ABANDONED_WITHIN[0]: 1, ABANDONED_WITHIN[1]: 1}

    (row,) = read_kpis(client, on("queue", figures=("abandon_rate_beyond_short",)))

    assert (row["abandon_rate_beyond_short"], row["n"]) == (None, {"abandon_rate_beyond_short": -1})
    assert value(KPIS["abandon_rate_beyond_short"], sums) is None


def test_few_are_shown_with_their_n(client: Client, put_agent: Put) -> None:
    """A view gives the figure from the first on, with its n beside it: the minimum n is for those who judge."""
    put_agent("a1", "2026-03-02T10:00", scored=1, score_hundredths=8_000)

    (row,) = read_kpis(client, on("agent", figures=("quality", "csat")))

    assert (row["quality"], row["n"]["quality"], row["csat"], row["n"]["csat"]) == (80.0, 1, None, 0)


def test_a_row_has_every_key_in_order(client: Client, golden: None) -> None:
    """A row names its group, its bounds with offset, every figure and the n of every ratio."""
    (row,) = read_kpis(client, on("site"))

    assert list(row) == ["site", "from", "to", *FIGURES, "n"]
    assert (row["site"], row["from"], row["to"]) == ("main", "2026-03-02T00:00:00+00:00", "2026-03-03T00:00:00+00:00")
    assert list(row["n"]) == [name for name in FIGURES if KPIS[name].denominator]


def test_a_queue_has_the_handled_of_agents_and_of_nobody(client: Client, put_agent: Put) -> None:
    """Handle time of a queue is that of its agents and of the contacts without a known agent."""
    put_agent("a1", "2026-03-02T10:00", "q", handled=1, talk_ms=60_000)
    client.insert(
        "queue_minutes",
        [["q", NOON, "voice", 1, 1, 120_000]],
        column_names=["queue", "minute", "channel", "version", "handled", "talk_ms"],
    )

    (row,) = read_kpis(client, on("queue"))

    assert (row["handled"], row["aht_s"]) == (2, 90.0)


def test_time_of_agents_belongs_to_no_queue(client: Client, put_agent: Put) -> None:
    """Occupancy and time away are null by queue and there by site."""
    put_agent("a1", "2026-03-02T10:00", "q", handled=1, on_contact_ms=30_000, ready_ms=10_000, away_ms=5_000)

    (queue,) = read_kpis(client, on("queue"))
    (site,) = read_kpis(client, on("site"))

    assert (queue["occupancy"], queue["away_s"], queue["n"]["occupancy"]) == (None, None, None)
    assert (site["occupancy"], site["away_s"]) == (0.75, 5.0)


def test_waits_belong_to_no_agent(client: Client, put_agent: Put) -> None:
    """What the queue counts is null by agent and by team."""
    put_agent("a1", "2026-03-02T10:00", "q", handled=2, talk_ms=8_000, short_calls=1)

    (row,) = read_kpis(client, on("agent"))

    assert [row[name] for name in ("offered", "answered", "abandoned", "asa_s", "service_level")] == [None] * 5
    assert (row["agent"], row["short_call_share"], row["n"]["short_call_share"]) == ("a1", 0.5, 2)


def test_only_the_newest_version_of_a_pane_counts(client: Client, put_agent: Put) -> None:
    """A pane written again replaces the one before."""
    put_agent("a1", "2026-03-02T10:00", "q", handled=1)
    client.insert(
        "agent_minutes",
        [["a1", datetime(2026, 3, 2, 10, tzinfo=UTC), "q", "voice", 2, 5]],
        column_names=["agent", "minute", "queue", "channel", "version", "handled"],
    )

    (row,) = read_kpis(client, on("agent"))

    assert row["handled"] == 5


@pytest.fixture
def floor(client: Client) -> None:
    """Two sites; an agent who moved from t1 (main) to t2 (mnl) at noon, also known as acd:77; a queue of a client."""
    teams = [Membership(team="t1", valid_to=NOON), Membership(team="t2", valid_from=NOON)]
    floor = Floor(
        sites=[Site(id="main"), Site(id="mnl", timezone="Asia/Manila")],
        teams=[Team(id="t1"), Team(id="t2", site="mnl")],
        queues=[Queue(id="q", site="mnl", client="acme")],
        people=[Person(id="a1", aliases=[Alias(source="acd", id="77")], teams=teams)],
    )
    store_registry(client, floor, "tests", NOON)


@pytest.mark.usefixtures("floor")
def test_a_team_has_the_minutes_of_its_time(client: Client, put_agent: Put) -> None:
    """A minute counts for the team that the agent was in then; the minute of the move is the new team's."""
    put_agent("a1", "2026-03-02T11:59", handled=1)
    put_agent("a1", "2026-03-02T12:00", handled=2)
    put_agent("stranger", "2026-03-02T12:00", handled=4)

    rows = read_kpis(client, on("team"))

    assert {row["team"]: row["handled"] for row in rows} == {"t1": 1, "t2": 2, "": 4}


@pytest.mark.usefixtures("floor")
def test_a_site_has_its_queues_and_the_agents_of_its_teams(client: Client, put_agent: Put, put_queue: Put) -> None:
    """Waits count at the queue's site, handled contacts at the site of the agent's team then."""
    put_agent("a1", "2026-03-02T11:00", "q", handled=1)
    put_agent("a1", "2026-03-02T13:00", "q", handled=2)
    put_queue("q", "2026-03-02T13:00", [(5, 1)], [])
    put_queue("nobodys", "2026-03-02T13:00", [(7, 1)], [])

    rows = read_kpis(client, on("site"))

    assert {row["site"]: (row["handled"], row["answered"]) for row in rows} == {"main": (1, 7), "mnl": (2, 5)}


@pytest.mark.usefixtures("floor")
def test_a_client_has_the_sums_of_its_queues(client: Client, put_agent: Put, put_queue: Put) -> None:
    """What agents handled of a client's queue counts for the client."""
    put_agent("a1", "2026-03-02T13:00", "q", handled=2)
    put_queue("q", "2026-03-02T13:00", [(5, 1)], [])

    (row,) = read_kpis(client, on("client"))

    assert (row["client"], row["handled"], row["answered"]) == ("acme", 2, 5)


@pytest.mark.usefixtures("floor")
def test_an_alias_is_joined_to_its_person(client: Client, put_agent: Put) -> None:
    """What was counted before an alias was known stands with the person and the team."""
    put_agent("acd:77", "2026-03-02T13:00", handled=2)
    put_agent("a1", "2026-03-02T13:00", handled=1)

    (agent,) = read_kpis(client, on("agent"))
    (team,) = read_kpis(client, on("team"))

    assert (agent["agent"], agent["handled"]) == ("a1", 3)
    assert (team["team"], team["handled"]) == ("t2", 3)


def test_a_day_of_23_hours(client: Client, put_agent: Put) -> None:
    """The local day of the spring change has 23 hours; the minutes around its ends fall on the right days."""
    for minute in ("2026-03-28T22:59", "2026-03-28T23:00", "2026-03-29T21:59", "2026-03-29T22:00"):
        put_agent("a1", minute, handled=1)

    rows = read_kpis(client, ask("agent", "2026-03-28", "2026-03-31", "Europe/Berlin", step_s=86_400))

    assert [(row["from"], row["to"], row["handled"]) for row in rows] == [
        ("2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", 1),
        ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 2),
        ("2026-03-30T00:00:00+02:00", "2026-03-31T00:00:00+02:00", 1),
    ]


def test_half_hours_of_a_day_of_25_hours(client: Client, put_agent: Put) -> None:
    """The hour that comes twice in autumn has four half-hours, none lost and none counted twice."""
    for minute in ("00:00", "00:30", "01:00", "01:30"):
        put_agent("a1", f"2026-10-25T{minute}", handled=1)

    rows = read_kpis(client, ask("agent", "2026-10-25", "2026-10-26", "Europe/Berlin", step_s=1800))

    assert [row["from"][11:] for row in rows] == [
        "02:00:00+02:00",
        "02:30:00+02:00",
        "02:00:00+01:00",
        "02:30:00+01:00",
    ]


@pytest.mark.parametrize(
    ("zone", "step_s", "bucket"),
    [
        ("Asia/Kolkata", 3600, "2026-03-02T15:00:00+05:30"),
        ("Asia/Kathmandu", 1800, "2026-03-02T15:30:00+05:45"),
    ],
)
def test_buckets_follow_the_local_clock(client: Client, put_agent: Put, zone: str, step_s: int, bucket: str) -> None:
    """Zones that are no whole hours off have buckets at their own full and half hours."""
    put_agent("a1", "2026-03-02T10:10", handled=1)

    (row,) = read_kpis(client, ask("agent", "2026-03-02", "2026-03-03", zone, step_s=step_s))

    assert row["from"] == bucket


def test_the_range_cuts_buckets(client: Client, put_agent: Put) -> None:
    """A row says what it covers: a bucket that the range cuts has the bounds of the range; `to` is exclusive."""
    for minute in ("10:09", "10:10", "10:39", "10:40"):
        put_agent("a1", f"2026-03-02T{minute}", handled=1)

    rows = read_kpis(client, ask("agent", "2026-03-02T10:10", "2026-03-02T10:40", step_s=1800))

    assert [(row["from"][11:16], row["to"][11:16], row["handled"]) for row in rows] == [
        ("10:10", "10:30", 1),
        ("10:30", "10:40", 1),
    ]


@pytest.mark.parametrize(("step_s", "threshold_s"), [(7, 20), (172_800, 20), (0, 21)])
def test_a_view_refuses_what_it_cannot_answer(client: Client, golden: None, step_s: int, threshold_s: int) -> None:
    """A threshold that is not counted, or a step that does not divide the day, is an error and no number."""
    asked = f"step_s={step_s}, threshold_s={threshold_s}, short_s=5, only=''"
    arguments = f"from='2026-03-02', to='2026-03-03', zone='UTC', {asked}"

    with pytest.raises(DatabaseError, match="expected"):
        client.query(f"SELECT * FROM kpi_queue({arguments})")
