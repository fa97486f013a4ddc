"""The board out of rows: windows that have passed, contracts of queues, urgency, what is too few."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from floorpulse.web.areas import MOST_TEAMS_UNFOLDED, UNFOLDED, Found, board_areas, find_agents
from floorpulse.web.figures import judge, of_sums
from floorpulse.web.fragments import Published, publish
from floorpulse.web.queries import MinuteRow, SubjectRow, WindowRow
from floorpulse.web.snapshot import Board, FloorRows, build_board, is_current
from floorpulse.web.sparkline import line
from floorpulse.web.trends import steps_of, waiting_trend
from schemas.kpis import KPIS
from schemas.registry import Floor, Registry
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS

NOW = 20_000 * DAY_MS + 14 * HOUR_MS
UTC = ZoneInfo("UTC")


def window(subject: str, name: str, sums: dict[str, int], closed_ms: int = NOW) -> WindowRow:
    return WindowRow(subject, name, NOW - NOW % DAY_MS, closed_ms, sums)


def agent(id_: str, state: str = "ready", since_ms: int = NOW, **more: Any) -> SubjectRow:
    return SubjectRow("agent", id_, state, since_ms=since_ms, **{"team": "aster", **more})


def board(floor: dict[str, Any] | None = None, **rows: Any) -> Board:
    registry = Registry(Floor.model_validate(floor or {}))
    return build_board(FloorRows(clock_ms=NOW, registry=registry, **rows))


@pytest.mark.parametrize(("age_ms", "current"), [(0, True), (30 * MINUTE_MS - 1, True), (30 * MINUTE_MS, False)])
def test_a_rolling_window_is_empty_once_its_whole_length_has_passed(age_ms: int, current: bool) -> None:
    """[closed - 30m, closed) overlaps [clock - 30m, clock) only while clock < closed + 30m."""
    assert is_current(window("queue:q", "30m", {}, NOW - age_ms), NOW, UTC) is current


def test_the_window_of_a_day_ends_with_its_site_day() -> None:
    """Yesterday's sums are not today's, however late the last of them came."""
    row = window("agent:a", "day", {})

    assert is_current(row, NOW + 9 * HOUR_MS, UTC)
    assert not is_current(row, NOW + 10 * HOUR_MS, UTC)


def test_the_service_level_of_the_floor_adds_sums_by_each_queues_own_contract() -> None:
    """Variant 2 counts the answered only, variant 3 the abandoned too: 80 of 100 and 30 of 60 make 110 of 160."""
    floor = {
        "queues": [
            {"id": "a", "service_level": {"variant": 2, "threshold_s": 20, "goal": 0.8}},
            {"id": "b", "service_level": {"variant": 3, "threshold_s": 10, "goal": 0.8}},
        ]
    }
    sums_a = {"answered": 100, "abandoned": 40, "answered_waits:3": 80}
    sums_b = {"answered": 50, "abandoned": 10, "answered_waits:1": 30, "answered_waits:3": 20}

    found = board(
        floor,
        subjects=[SubjectRow("queue", "a"), SubjectRow("queue", "b")],
        windows=[window("queue:a", "30m", sums_a), window("queue:b", "30m", sums_b)],
    )

    assert found.tiles[0].figure.text == "69 %"
    assert found.tiles[0].figure.note.startswith("n 160")
    assert [queue.service_level.text for queue in found.queues] == ["50 %", "80 %"]
    assert "Variant 2, T = 20 s" in found.queues[1].words


def test_below_the_minimum_n_a_figure_is_not_judged() -> None:
    """Four contacts are chance: the value stays, grey, and says how many are needed."""
    figure = of_sums(KPIS["abandon_rate"], {"abandoned": 2, "offered": 4}, 0.05, "last 30 min")

    assert (figure.text, figure.status, figure.few) == ("50 %", "", "n 4 of 20")


def test_from_the_minimum_n_on_a_figure_is_judged() -> None:
    """20 are as many as are needed."""
    figure = of_sums(KPIS["abandon_rate"], {"abandoned": 10, "offered": 20}, 0.05, "last 30 min")

    assert (figure.text, figure.status, figure.few) == ("50 %", "act", "")


def test_a_missing_value_is_not_a_zero() -> None:
    """Without a denominator there is a dash."""
    assert of_sums(KPIS["aht_s"], {}, 300, "today").text == "\u2013"


@pytest.mark.parametrize(
    ("kpi", "value", "status"),
    [
        ("service_level", 0.8, "good"), ("service_level", 0.75, "watch"), ("service_level", 0.6, "act"),
        ("abandon_rate", 0.8, "good"), ("abandon_rate", 0.85, "watch"), ("abandon_rate", 0.9, "act"),
        ("aht_s", 0.85, "good"), ("aht_s", 0.5, "watch"), ("aht_s", 0.95, "watch"), ("aht_s", 1.0, "act"),
    ],
)  # fmt: skip
def test_a_value_is_judged_by_the_direction_of_its_kpi(kpi: str, value: float, status: str) -> None:
    """Against a target of 0.8: higher is better, lower is better, or both sides are telling."""
    assert judge(KPIS[kpi], value, 0.8) == status


@pytest.mark.parametrize(("value", "status"), [(0.0, "good"), (0.1, "watch"), (0.2, "act")])
def test_a_target_of_zero_is_missed_by_the_value_itself(value: float, status: str) -> None:
    """There is nothing that the distance could be a part of."""
    assert judge(KPIS["abandon_rate"], value, 0.0) == status


def test_the_day_of_an_agent_is_that_of_the_site() -> None:
    """23:00 UTC of yesterday is 7:00 of today in Manila: what began then is over in UTC only."""
    floor = {
        "sites": [{"id": "mnl", "timezone": "Asia/Manila"}],
        "teams": [{"id": "m", "site": "mnl"}, {"id": "u"}],
        "people": [{"id": f"a-{team}", "teams": [{"team": team}]} for team in ("m", "u")],
    }
    opened_ms = NOW - 15 * HOUR_MS
    windows = [WindowRow(f"agent:a-{team}", "day", opened_ms, NOW, {"handled": 3}) for team in ("m", "u")]

    found = board(floor, subjects=[agent("a-m", team="m"), agent("a-u", team="u")], windows=windows)

    assert [team.agents[0].handled.text for team in found.teams] == ["3", "0"]


def test_the_states_of_a_team_are_counted_in_the_order_of_the_work() -> None:
    """Contacts first, and only states that somebody is in."""
    states = {"a1": "away", "a2": "ready", "a3": "on_contact", "a4": "ready", "a5": "offline"}

    (team,) = board(subjects=[agent(id_, state) for id_, state in states.items()]).teams

    assert team.head.in_states == "1 on contact, 2 ready, 1 away"


def test_only_who_waits_is_waited_for() -> None:
    """The oldest wait of the floor is that of a queue where somebody waits."""
    busy = SubjectRow("queue", "a", waiting=2, oldest_wait_ms=NOW - MINUTE_MS)
    empty = SubjectRow("queue", "b", oldest_wait_ms=NOW - HOUR_MS)

    found = board(subjects=[busy, empty])

    assert (found.tiles[1].figure.text, found.tiles[1].since_ms) == ("2", NOW - MINUTE_MS)
    assert [(queue.waiting, queue.oldest_ms) for queue in found.queues] == [(2, NOW - MINUTE_MS), (0, 0)]


def test_who_is_over_the_limit_of_a_reason_comes_first() -> None:
    """22 minutes of a break of at most 15 need somebody; a state that is fine does not."""
    away = agent("z9", "away", NOW - 22 * MINUTE_MS, reason="break")
    found = board({"reason_codes": [{"id": "break", "limit_s": 900}]}, subjects=[agent("a1"), away])

    (team,) = found.teams
    assert [(row.id, row.status) for row in team.agents] == [("z9", "watch"), ("a1", "")]
    assert team.head.needs == 1


def test_who_belongs_to_no_team_is_shown_as_such_and_last() -> None:
    """An agent without a team is not lost."""
    found = board(subjects=[agent("a1", team=""), agent("a2", team="zinnia")])

    assert [team.head.name for team in found.teams] == ["Team zinnia", "No team"]


@pytest.mark.parametrize(
    ("id_", "name", "shown"), [("x", "Briar", "Team Briar"), ("x", "Team 6", "Team 6"), ("x", "", "Team x")]
)
def test_a_team_is_called_team_once(id_: str, name: str, shown: str) -> None:
    """Also where its name says so itself."""
    found = board({"teams": [{"id": id_, "name": name}]}, subjects=[agent("a1", team=id_)])

    assert [team.head.name for team in found.teams] == [shown]


def test_a_team_may_be_called_none() -> None:
    """Its agents stand beside those of no team, and neither take the place of the others."""
    areas = board_areas(board(subjects=[agent("a1", team="none"), agent("a2", team="")]), is_empty=False)

    rows = [areas[f"rows-{team}"].orders[f"rows-{team}"] for team in areas["board"].orders["teams"]]
    assert rows == [("agent-a1",), ("agent-a2",)]


def test_on_a_large_floor_few_teams_begin_unfolded() -> None:
    """Of 20 teams with 4 agents each, 15 of which need somebody, ten; of one team less than fits, each."""
    agents = [
        agent(f"a{n}-{team}", "away", 0, team=f"t{team:02}", reason="break") for team in range(20) for n in range(4)
    ]
    floor = {"reason_codes": [{"id": "break", "limit_s": 900}]}
    calm = [agent(row.id, team=row.team) for row in agents[:20]]

    large = board_areas(board(floor, subjects=[*calm, *agents[20:]]), is_empty=False)
    small = board_areas(board(floor, subjects=calm), is_empty=False)

    assert [id_ for id_, macro, begins in large["board"].pieces if macro == "team" and begins == UNFOLDED] == [
        f"team-t{team:02}" for team in range(5, 5 + MOST_TEAMS_UNFOLDED)
    ]
    assert {begins for _, macro, begins in small["board"].pieces if macro == "team"} == {UNFOLDED}


def test_an_agent_is_found_by_a_part_of_id_or_name() -> None:
    """Who begins with the text comes first; case does not count; nobody is found who is not listed."""
    people = [{"id": "a1", "name": "Zoe Bauer"}, {"id": "b7", "name": "Ana Loe"}, {"id": "c3", "name": "Loe"}]
    floor = {"teams": [{"id": "briar", "name": "Briar"}], "people": people}
    agents = [agent("a1"), agent("b7", team="briar"), agent("c3", "on_contact"), agent("loe9", "offline")]
    areas = board_areas(board(floor, subjects=agents), is_empty=False)
    published = publish(Published(), areas, lambda macro, id_, view: "")

    found = find_agents(published, " lOE ", 5)

    assert found == [
        Found("c3", "Loe", "on contact", "team-aster", "Team aster"),
        Found("b7", "Ana Loe", "ready", "team-briar", "Team Briar"),
    ]
    assert [one.id for one in find_agents(published, "z", 5)] == ["a1"]
    assert len(find_agents(published, "o", 2)) == 2


def test_agents_who_signed_off_are_counted_and_not_listed() -> None:
    """A list of people who are at home helps nobody."""
    (team,) = board(subjects=[agent("a1"), agent("a2", "offline")]).teams

    assert [row.id for row in team.agents] == ["a1"]
    assert (team.head.agents, team.head.signed_off) == (1, 1)


def test_the_handle_time_of_the_floor_counts_contacts_without_an_agent_too() -> None:
    """The queue's own panes hold what no agent is known for: 10 contacts of 100 s and 10 of 200 s."""
    found = board(
        subjects=[agent("a1"), SubjectRow("queue", "q")],
        windows=[
            window("agent:a1", "60m", {"handled": 10, "talk_ms": 1_000_000}),
            window("queue:q", "60m", {"handled": 10, "talk_ms": 2_000_000}),
        ],
    )

    assert found.tiles[2].figure.text == "2:30"


def test_the_trend_of_the_last_hour_goes_by_five_minutes() -> None:
    """
    Twelve steps, of which the last still runs; what lies outside of them is left out.

    minute  -56   -55 -51                      -5     0     5
    step           0                           10    11
    """
    rows = [MinuteRow("q", NOW + minute * MINUTE_MS, {"offered": 1}) for minute in (-56, -55, -51, -5, 0, 5)]

    assert [sums.get("offered", 0) for sums in steps_of(rows, NOW)] == [2, *[0] * 9, 1, 1]


def test_the_trend_of_the_service_level_goes_by_each_queues_own_contract() -> None:
    """Variant 3 counts an abandoned contact, variant 2 does not: 2 of 3, then nobody, then 1 of 1."""
    floor = {"queues": [{"id": "a", "service_level": {"variant": 2}}, {"id": "b", "service_level": {"variant": 3}}]}
    sums = {"answered": 1, "abandoned": 1, "answered_waits:0": 1, "abandoned_waits:14": 1}
    minutes = [MinuteRow(queue, NOW + minute * MINUTE_MS, sums) for queue, minute in (("a", -10), ("b", -8), ("a", 0))]

    found = board(floor, queue_minutes=minutes)

    assert found.tiles[0].spark == line([*[None] * 9, 2 / 3, None, 1.0])


def test_how_many_waited_is_counted_back_from_now() -> None:
    """3 wait now; 5 came and 4 left in the last step, so 2 waited before it."""
    steps = [{}, {"offered": 1, "answered": 1}, {"offered": 5, "answered": 3, "abandoned": 1}]

    assert waiting_trend(3, steps) == [2, 2, 3]


def test_the_bars_of_an_agent_show_contacts_by_ten_minutes() -> None:
    """Eleven steps that have ended and the one that runs: a contact of five minutes ago is in the last but one."""
    found = board(subjects=[agent("a1")], agent_bars=[MinuteRow("a1", NOW - 5 * MINUTE_MS, {"handled": 1})])

    assert found.teams[0].agents[0].bars.startswith("M83.3 ")
