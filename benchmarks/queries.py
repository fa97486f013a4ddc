"""What people ask ClickHouse, on thirty days of a 2,000-seat floor whose minutes are made by SQL."""

from __future__ import annotations

import random
from collections.abc import Callable
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from benchmarks.events import PARTITIONS, simulator_of
from benchmarks.results import Column, Result, quantile
from benchmarks.scale import Scale
from benchmarks.servers import running_floor
from floorpulse.wiring import clickhouse_client
from schemas.times import DAY_MS, HOUR_MS, from_ms

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

_KPIS = "handled, aht_s, avg_talk_s, avg_hold_s, avg_wrap_s, short_call_share, occupancy, away_s"

Ask = Callable[["Client", random.Random, int], None]


def queries(scale: Scale) -> Result:
    """How long each question takes, asked again and again of other agents, teams and days."""
    days = max(round(DAYS * scale.share), 2)
    result = Result(
        "queries",
        "Questions to ClickHouse",
        f"`agent_minutes` of {SEATS:,} agents with a nine-hour shift on each of {days} days, on the embedded"
        f" ClickHouse, asked over HTTP with the client that everything uses, {ASKED} times each in every round, each"
        " time of another agent, team and day. Rows went in day by day and were merged as ClickHouse saw fit.",
        [Column("p50", "p50 ms", 1), Column("p95", "p95 ms", 1), Column("max", "longest ms", 1)],
    )
    with running_floor(simulator_of(SEATS).floor(), PARTITIONS, "wall") as settings:
        client = clickhouse_client(settings)
        for day in range(days):
            scale.say(f"making day {day + 1} of {days}")
            for statement in (_TIME, _CONTACTS):
                client.command(statement, parameters={"day": _day(day) // 1000})
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
        ask(client, chance, days)
        took.append((perf_counter() - began) * 1000)
    result.row(name).add(p50=quantile(took, 0.5), p95=quantile(took, 0.95), max=max(took))
    scale.say(f"  {name}: p50 {quantile(took, 0.5):.1f} ms, p95 {quantile(took, 0.95):.1f} ms")


def _card(client: Client, chance: random.Random, days: int) -> None:
    """The figures of one agent's day."""
    agent, day = _agent(chance), chance.randrange(days)
    _kpis(client, "agent", f"{_KPIS}", _span(day, 1), 0, agent)


def _card_minutes(client: Client, chance: random.Random, days: int) -> None:
    """The line on the card: one agent's day in steps of ten minutes."""
    _kpis(client, "agent", "opened_at, handled, occupancy", _span(chance.randrange(days), 1), 600, _agent(chance))


def _card_days(client: Client, chance: random.Random, days: int) -> None:
    """One agent's days."""
    _kpis(client, "agent", f"opened_at, {_KPIS}", _span(0, days), 86_400, _agent(chance))


def _team_day(client: Client, chance: random.Random, days: int) -> None:
    """One team's day."""
    _kpis(client, "team", _KPIS, _span(chance.randrange(days), 1), 0, _team(chance))


def _team_line(client: Client, chance: random.Random, days: int) -> None:
    """One team's day in steps of half an hour."""
    _kpis(client, "team", f"opened_at, {_KPIS}", _span(chance.randrange(days), 1), 1_800, _team(chance))


def _all_teams(client: Client, chance: random.Random, days: int) -> None:
    """Every team's day."""
    _kpis(client, "team", f"team, {_KPIS}", _span(chance.randrange(days), 1), 0, "")


QUESTIONS: dict[str, Ask] = {
    "agent card: one agent, one day": _card,
    "agent card: one agent, one day by 10 min": _card_minutes,
    "agent card: one agent, all days by day": _card_days,
    "team day: one team, one day": _team_day,
    "team day: one team, one day by 30 min": _team_line,
    "all teams, one day": _all_teams,
}


def _kpis(client: Client, by: str, columns: str, span: tuple[str, str], step_s: int, only: str) -> None:
    """Read a view as the product does; the id is a parameter of the view, so that only its panes are read."""
    rows = client.query(
        f"SELECT {columns} FROM kpi_{by}(from = {{from:String}}, to = {{to:String}}, step_s = {step_s}, zone = 'UTC',"
        " threshold_s = 20, short_s = 10, only = {only:String})",
        parameters={"from": span[0], "to": span[1], "only": only},
    ).result_rows
    if not rows:
        raise RuntimeError(f"kpi_{by} of {only or 'all'} over {span} gave no row")


def _span(day: int, days: int) -> tuple[str, str]:
    first = _day(day)
    return tuple(from_ms(ms).strftime("%Y-%m-%d %H:%M:%S") for ms in (first, first + days * 24 * HOUR_MS))  # type: ignore[return-value]


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
