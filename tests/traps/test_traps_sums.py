"""Traps a, f, g and l of reference/kpis.md in the views: what may be added up, and what may not."""

from __future__ import annotations

from datetime import timedelta
from statistics import mean

from schemas.registry import Floor, Membership, Person, Queue, Team
from tests.traps.conftest import MakeTelling
from tests.traps.facts import answered, handled, offered, state
from tests.traps.telling import Telling, at

MONDAY = ("2026-03-02", "2026-03-03")
TEAM = Floor(
    teams=[Team(id="t1")],
    queues=[Queue(id="sales"), Queue(id="help")],
    people=[Person(id=agent, teams=[Membership(team="t1")]) for agent in ("a1", "a2")],
)


def test_trap_a_averages_of_averages(stored: MakeTelling) -> None:
    """Handle time of a team is that of its contacts; naively it is the mean of its agents' means."""
    floor = stored(TEAM)
    floor.tell(handled(at("2026-03-02T09:00"), 600, agent="a1"))
    floor.tell(*(handled(at("2026-03-02T09:00") + timedelta(minutes=n), 60, agent="a2") for n in range(9)))

    (team,) = floor.ask("team", *MONDAY)

    naive = mean(row["aht_s"] for row in floor.ask("agent", *MONDAY))
    assert team["aht_s"] == 114.0
    assert naive == 330.0


def test_trap_a_a_day_is_not_the_mean_of_its_half_hours(stored: MakeTelling) -> None:
    """Speed of answer of a day is that of its contacts; naively a quiet half hour weighs as much as a busy one."""
    floor = stored(TEAM)
    floor.tell(*(answered(at("2026-03-02T09:00") + timedelta(minutes=n), f"c{n}", 90, "sales") for n in range(29)))
    floor.tell(answered(at("2026-03-02T20:00"), "late", 0, "sales"))

    (day,) = floor.ask("queue", *MONDAY)

    naive = mean(row["asa_s"] for row in floor.ask("queue", *MONDAY, step_s=1800))
    assert day["asa_s"] == 87.0
    assert naive == 45.0


def test_trap_f_multi_skill(stored: MakeTelling) -> None:
    """An agent's time belongs to no queue: queues have none, the agent has it once; naively each queue has it whole."""
    floor = stored(TEAM)
    floor.tell(state(at("2026-03-02T09:00"), "away"))
    floor.tell(handled(at("2026-03-02T09:10"), 60, queue="sales"), handled(at("2026-03-02T09:20"), 60, queue="help"))
    floor.tell(state(at("2026-03-02T10:00"), "offline"))

    queues = floor.ask("queue", *MONDAY)
    (agent,) = floor.ask("agent", *MONDAY)

    assert [(row["queue"], row["handled"], row["away_s"], row["occupancy"]) for row in queues] == [
        ("help", 1, None, None),
        ("sales", 1, None, None),
    ]
    naive = agent["away_s"] * len(queues)
    assert agent["away_s"] == 3600.0
    assert agent["away_s"] != naive


def test_trap_g_concurrency() -> None:
    """Occupancy of two chats at once is the union of their times; naively their sum makes more than there is."""
    floor = Telling()
    floor.tell(
        state(at("2026-03-02T10:00"), "on_contact"),
        handled(at("2026-03-02T10:30"), 1800, channel="chat"),
        state(at("2026-03-02T10:45"), "ready"),
        handled(at("2026-03-02T10:45"), 1800, channel="chat"),
        state(at("2026-03-02T10:50"), "offline"),
    )
    hour = ("2026-03-02T10:00", "2026-03-02T11:00")

    occupancy, engaged_s = floor.kpi("occupancy", *hour), floor.kpi("engaged_s", *hour)

    naive = 2 * 1800 / (50 * 60)
    assert (occupancy, engaged_s) == (0.9, 2700.0)
    assert naive > 1
    assert floor.kpi("concurrency", *hour) == 2 * 1800 / 2700
    assert floor.kpi("concurrent_aht_s", *hour) == 1350.0


def test_trap_g_chats_that_end_out_of_order() -> None:
    """The union is the same whichever chat is told first; naively time in hand is counted from the last end on."""
    hour = ("2026-03-02T10:00", "2026-03-02T12:00")
    chats = [
        handled(at("2026-03-02T11:00"), 3600, channel="chat"),
        handled(at("2026-03-02T10:20"), 600, channel="chat"),
        handled(at("2026-03-02T11:10"), 1200, channel="chat"),
    ]
    found = []
    for order in (chats, chats[::-1], [chats[1], chats[2], chats[0]]):
        floor = Telling()
        floor.tell(*order, later=at("2026-03-02T11:15"))
        found.append(floor.kpi("engaged_s", *hour))

    naive = sum(chat.talk_s for chat in chats)
    assert found == [4200.0] * 3
    assert naive == 5400.0


def test_trap_l_nothing_to_divide_by_in_sql(stored: MakeTelling) -> None:
    """A queue in which a customer still waits has no speed of answer and no service level; naively 0 s and 100 %."""
    floor = stored(TEAM)
    floor.tell(offered(at("2026-03-02T09:00"), "c1", "sales"))

    (row,) = floor.ask("queue", *MONDAY)

    naive = {"asa_s": 0.0, "service_level": 1.0}
    assert (row["asa_s"], row["service_level"], row["aht_s"]) == (None, None, None)
    assert (row["n"]["asa_s"], row["n"]["service_level"]) == (0, 0)
    assert {name: row[name] for name in naive} != naive
    assert row["abandon_rate"] == 0.0
