"""What people ask ClickHouse, on thirty days of a 2,000-seat floor whose minutes are made by SQL."""

from __future__ import annotations

import random
from collections.abc import Callable
from time import perf_counter, sleep
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from benchmarks.events import PARTITIONS, simulator_of
from benchmarks.results import Column, Result, quantile
from benchmarks.scale import Scale
from benchmarks.servers import running_floor
from floorpulse.wiring import clickhouse_client
from schemas.times import DAY_MS, from_ms
from sinks.kpi_groups import By
from sinks.kpi_rows import Question, read_kpis
from sinks.rollups import roll_up

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SEATS = 2_000
TEAM = 10
DAYS = 30
FIRST_DAY_MS = 1_772_323_200_000 - 29 * DAY_MS
"""The last of the thirty days is 2026-03-01."""
SHIFT_MINUTES = 540
CONTACT_EACH_MINUTES = 9
ASKED = 60
MERGED_WITHIN_S = 120.0

_NAMES = f"concat('a', leftPad(toString(number % {SEATS} + 1), 4, '0'))"
_TIME = f"""
INSERT INTO agent_minutes (agent, minute, queue, channel, ready_ms, on_contact_ms, in_wrap_ms, engaged_ms,
    partition, version)
SELECT {_NAMES}, toDateTime({{day:UInt32}} + 28800 + intDiv(number, {SEATS}) * 60, 'UTC'), '', '',
    20000 + number % 7000, 30000 - number % 7000, 10000, 40000 - number % 7000, number % 4, 281474976710656 + number
FROM numbers({SEATS * SHIFT_MINUTES})"""
_CONTACTS = f"""
INSERT INTO agent_minutes (agent, minute, queue, channel, handled, talk_ms, hold_ms, wrap_ms, held, short_calls,
    accepted, rang_ms, handle_times_ms, partition, version)
SELECT {_NAMES}, toDateTime({{day:UInt32}} + 28800 + intDiv(number, {SEATS}) * {CONTACT_EACH_MINUTES * 60}, 'UTC'),
    concat('queue-', toString(number % 20)), 'voice', 1, 180000 + cityHash64(number) % 200000, 10000, 60000, 1,
    number % 97 = 0, 1, 4000, [toUInt32(250000 + cityHash64(number) % 200000)], number % 4, 281474976710656 + number
FROM numbers({SEATS * (SHIFT_MINUTES // CONTACT_EACH_MINUTES)})"""

Ask = Callable[["Client", random.Random, int], object]


def queries(scale: Scale) -> Result:
    """How long each question takes, asked again and again of other agents, teams and days."""
    days = max(round(DAYS * scale.share), 2)
    result = Result(
        "queries",
        "Questions to ClickHouse",
        f"`agent_minutes` of {SEATS:,} agents with a nine-hour shift on each of {days} days, on the embedded"
        f" ClickHouse, asked over HTTP with the client that everything uses, {ASKED} times each in every round, each"
        " time of another agent, team and day. Rows went in day by day, and every day was rolled up.",
        [Column("p50", "p50 ms", 1), Column("p95", "p95 ms", 1), Column("max", "longest ms", 1)],
    )
    with running_floor(simulator_of(SEATS).floor(), PARTITIONS, "wall") as settings:
        client = clickhouse_client(settings)
        for day in range(days):
            scale.say(f"making day {day + 1} of {days}")
            for statement in (_TIME, _CONTACTS):
                client.command(statement, parameters={"day": _day(day) // 1000})
        scale.say("rolling up")
        roll_up(client, settle_ms=0)
        _wait_for_merges(client)
        rows = client.query("SELECT count() FROM agent_minutes").result_rows[0][0]
        result.size = {"rows": int(rows), "agents": SEATS, "days": days, "rounds": scale.rounds}
        for number in range(scale.rounds):
            for name, ask in QUESTIONS.items():
                _time(name, ask, client, days, number, result, scale)
    return result


def _time(name: str, ask: Ask, client: Client, days: int, seed: int, result: Result, scale: Scale) -> None:
    chance = random.Random(seed)
    ask(client, chance, days)
    took = []
    for _ in range(ASKED):
        began = perf_counter()
        if not ask(client, chance, days):
            raise RuntimeError(f"{name} gave no row")
        took.append((perf_counter() - began) * 1000)
    result.row(name).add(p50=quantile(took, 0.5), p95=quantile(took, 0.95), max=max(took))
    scale.say(f"  {name}: p50 {quantile(took, 0.5):.1f} ms, p95 {quantile(took, 0.95):.1f} ms")


def _agent_card(client: Client, chance: random.Random, days: int) -> object:
    """The card of one agent: all days."""
    return _card(client, "agent_card", {"agent": _agent(chance), "zone": "UTC"}, 0, days)


def _team_day(client: Client, chance: random.Random, days: int) -> object:
    """A row for each agent of one team, one day."""
    return _card(client, "team_day", {"team": _team(chance)}, chance.randrange(days), 1)


def _card(client: Client, view: str, asked: dict[str, str], day: int, days: int) -> object:
    first, last = (from_ms(_day(at)).strftime("%Y-%m-%d %H:%M:%S") for at in (day, day + days))
    given = {"from": first, "to": last, **asked}
    listed = ", ".join(f"{name} = {{{name}:String}}" for name in given)
    return client.query(f"SELECT * FROM {view}({listed})", parameters=given).result_rows


def _kpis(by: By, only: str, day: int, days: int, step_s: int) -> Question:
    return Question(by, _day(day), _day(day + days), ZoneInfo("UTC"), step_s, only=only)


HALF_HOUR_S = 1_800
QUESTIONS: dict[str, Ask] = {
    "card of one agent: all days": _agent_card,
    "a team's day: each of its agents": _team_day,
    "one agent: all days by half hour": lambda client, chance, days: read_kpis(
        client, _kpis("agent", _agent(chance), 0, days, HALF_HOUR_S)
    ),
    "one team: all days by half hour": lambda client, chance, days: read_kpis(
        client, _kpis("team", _team(chance), 0, days, HALF_HOUR_S)
    ),
    "the site: all days by half hour": lambda client, _chance, days: read_kpis(
        client, _kpis("site", "", 0, days, HALF_HOUR_S)
    ),
    "every team: one day": lambda client, chance, days: read_kpis(
        client, _kpis("team", "", chance.randrange(days), 1, 0)
    ),
}
"""The first two are views with the usual figures; the others are `floorpulse kpi` with its figures."""


def _day(day: int) -> int:
    return FIRST_DAY_MS + day * DAY_MS


def _agent(chance: random.Random) -> str:
    return f"a{chance.randrange(SEATS) + 1:04d}"


def _team(chance: random.Random) -> str:
    return f"t{chance.randrange(SEATS // TEAM) + 1:02d}"


def _wait_for_merges(client: Client) -> None:
    began = perf_counter()
    while client.query("SELECT count() FROM system.merges").result_rows[0][0]:
        if perf_counter() - began > MERGED_WITHIN_S:
            return
        sleep(1)
