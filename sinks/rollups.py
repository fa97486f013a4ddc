"""
Quarter hours out of minutes: each UTC day that changed is rolled up again, whole.

The views read the quarter hours of a day only while nothing was stored since it was rolled (`clean_days`), else its
minutes: so the figures are right at every instant, and rolling a day once more, by whomever, changes none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from schemas.panes import AGENT_COLUMNS, MAPS, QUEUE_COLUMNS
from sinks.group_sql import holds_something, summing
from sinks.kpi_groups import WAITS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

SETTLE_MS = 60_000
"""Only days that nothing came to for so long are rolled; an insert that takes longer shows by the count of panes."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """What rolling one day did."""

    day: date
    kept: int
    """Quarter hours that stayed as they were, as minutes of them had expired."""


@dataclass(frozen=True, slots=True)
class WrongQuarter:
    """A quarter hour of a day that is read by quarter hours, and is not the sum of its minutes."""

    day: date
    subject: str
    start_s: int
    queue: str
    channel: str
    expected: dict[str, str]
    """What its minutes say of the columns that differ; empty when it has no minutes."""
    found: dict[str, str]
    """What it says of them; empty when it is missing."""


@dataclass(frozen=True, slots=True)
class _Panes:
    """One table of minutes and its quarter hours."""

    owner: str
    sums: tuple[str, ...]
    place: tuple[str, ...]
    """What tells the panes of one instant apart."""
    of_queue: str
    """SQL of the queue that a pane of the owner is split by; `''` for none."""


_TABLES = (
    _Panes("agent", (*AGENT_COLUMNS, *MAPS), ("agent", "queue", "channel"), "queue"),
    _Panes("queue", (*QUEUE_COLUMNS, *WAITS), ("queue", "channel"), "''"),
)


def roll_up(client: Client, settle_ms: int = SETTLE_MS) -> list[Rolled]:
    """Roll up every day to which something came since it was rolled, unless it is still coming; the oldest first."""
    rolled = [_roll(client, day, stored, settle_ms) for day, stored in _dirty_days(client, settle_ms)]
    if rolled:
        _merge(client, [one.day for one in rolled])
    return rolled


def roll_again(client: Client, days: Collection[date]) -> None:
    """Have days rolled up once more: their quarter hours hold no longer, and until then their minutes are read."""
    if days:
        client.command(
            "INSERT INTO pane_days (day, first_stored, last_stored, panes)"
            " SELECT arrayJoin({days:Array(Date)}), now64(3), now64(3), 1",
            parameters={"days": sorted(days)},
        )


def wrong_quarters(client: Client, subjects: Collection[str] | None = None) -> list[WrongQuarter]:
    """
    The quarter hours that differ from their minutes, on days that are read by them and still have all minutes.

    `subjects`: only of these; None for all. A day to which something comes meanwhile is left out.
    """
    before = _read_by_quarters(client)
    found = [wrong for day in sorted(before) for panes in _TABLES for wrong in _wrong(client, panes, day, subjects)]
    after = _read_by_quarters(client) if found else {}
    return [wrong for wrong in found if after.get(wrong.day) == before[wrong.day]]


def _read_by_quarters(client: Client) -> dict[date, Any]:
    """Day -> when it was rolled up."""
    rows = client.query("SELECT day, rolled_at FROM clean_days WHERE has_minutes").result_rows
    return {row[0]: row[1] for row in rows}


def _wrong(client: Client, panes: _Panes, day: date, subjects: Collection[str] | None) -> Iterator[WrongQuarter]:
    columns = (*panes.sums, "handle_times_ms", "minutes")
    for name, start_s, queue, channel, made, stored in _compared(client, panes, day, subjects):
        expected, found = _that_differ(columns, made, stored)
        yield WrongQuarter(day, f"{panes.owner}:{name}", int(start_s), queue, channel, expected, found)


def _compared(client: Client, panes: _Panes, day: date, subjects: Collection[str] | None) -> Sequence[Sequence[Any]]:
    if subjects is None:
        return client.query(_differing(panes, day, "1")).result_rows
    names = [key.partition(":")[2] for key in subjects if key.startswith(f"{panes.owner}:")]
    named = f"{panes.owner} IN {{names:Array(String)}}"
    return client.query(_differing(panes, day, named), parameters={"names": names}).result_rows


def _that_differ(
    columns: Sequence[str], made: Sequence[Sequence[str]], stored: Sequence[Sequence[str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """(expected, found) by column of a quarter hour that may be on one side only."""
    sides = [dict(zip(columns, side[0], strict=True)) if side else {} for side in (made, stored)]
    names = [name for name in columns if sides[0].get(name) != sides[1].get(name)]
    expected, found = ({name: side[name] for name in names if name in side} for side in sides)
    return expected, found


def _dirty_days(client: Client, settle_ms: int) -> list[tuple[date, int]]:
    """(day, how often one of its minutes has been stored)."""
    rows = client.query(
        "SELECT day, stored FROM"
        " (SELECT day, max(last_stored) AS newest, sum(panes) AS stored FROM pane_days GROUP BY day) AS noted"
        " LEFT JOIN (SELECT day, covers, panes FROM rolled_days FINAL) AS rolled USING (day)"
        " WHERE (newest > covers OR stored != panes)"
        " AND newest <= now64(3) - toIntervalMillisecond({settle:UInt32}) ORDER BY day",
        parameters={"settle": settle_ms},
    ).result_rows
    return [(row[0], int(row[1])) for row in rows]


def _roll(client: Client, day: date, stored: int, settle_ms: int) -> Rolled:
    rolled_ms = int(client.query("SELECT toUnixTimestamp64Milli(now64(3))").result_rows[0][0])
    kept = 0
    for panes in _TABLES:
        kept += int(client.query(_kept(panes, day)).result_rows[0][0])
        client.command(_insert(panes, day, rolled_ms))
    client.insert(
        "rolled_days",
        [[day, rolled_ms - settle_ms, stored, kept]],
        column_names=["day", "covers", "panes", "kept"],
        column_type_names=["Date", "DateTime64(3, 'UTC')", "UInt64", "UInt64"],
    )
    return Rolled(day, kept)


def _merge(client: Client, days: list[date]) -> None:
    """
    Make one part of each day of minutes, and of each week of quarter hours: the fewer, the faster they are read.

    A part expires as a whole, with its newest row: so the minutes of a day go together, and never some of them.
    """
    found = client.query(
        "SELECT DISTINCT table, partition_id FROM system.parts WHERE database = currentDatabase() AND active"
        " AND (table IN ('agent_minutes', 'queue_minutes') AND partition_id IN {days:Array(String)}"
        " OR table IN ('agent_quarters', 'queue_quarters') AND partition_id IN {weeks:Array(String)})",
        parameters={
            "days": [f"{day:%Y%m%d}" for day in days],
            "weeks": [f"{day - timedelta(days=day.weekday()):%Y%m%d}" for day in days],
        },
    ).result_rows
    for table, partition in found:
        client.command(
            f"OPTIMIZE TABLE {table} PARTITION ID '{partition}' FINAL", settings={"optimize_skip_merged_partitions": 1}
        )


def _insert(panes: _Panes, day: date, version: int) -> str:
    places, sums = ", ".join(panes.place), ", ".join(panes.sums)
    keep = f"({places}, quarter) NOT IN (SELECT {places}, quarter FROM ({_lost(panes, day)}))"
    return f"""INSERT INTO {panes.owner}_quarters
    ({places}, quarter, {sums}, handle_times_ms, minutes, version, stored_at)
SELECT {places}, quarter, {sums}, times, held_minutes, {version}, stored
FROM ({_quarters(panes, day)}) WHERE {keep}"""


def _kept(panes: _Panes, day: date) -> str:
    return f"SELECT count() FROM ({_lost(panes, day)})"


def _quarters(panes: _Panes, day: date, where: str = "1") -> str:
    """The quarter hours of a day as its minutes are now; of the panes that fulfil a condition."""
    places, held = ", ".join(panes.place), holds_something(panes.sums, of="panes.")
    return f"""SELECT {places}, toStartOfFifteenMinutes(minute) AS quarter,
{summing(panes.sums, of="panes.")},
    arraySort(groupArrayArray(panes.handle_times_ms)) AS times,
    groupBitOr(bitShiftLeft(toUInt16({held}), toMinute(minute) % 15)) AS held_minutes, max(panes.stored_at) AS stored
FROM (SELECT * FROM {panes.owner}_minutes FINAL WHERE {_within("minute", day)} AND {where}) AS panes
GROUP BY {places}, quarter"""


def _lost(panes: _Panes, day: date) -> str:
    """The quarter hours that are made of minutes which are there no more: what came late to them is left out."""
    places = ", ".join(panes.place)
    return f"""SELECT {places}, quarter
FROM (SELECT {places}, quarter, minutes FROM {panes.owner}_quarters FINAL WHERE {_within("quarter", day)}) AS old
INNER JOIN (
    SELECT {places}, toStartOfFifteenMinutes(minute) AS quarter,
        groupBitOr(bitShiftLeft(toUInt16(1), toMinute(minute) % 15)) AS held_minutes
    FROM {panes.owner}_minutes WHERE {_within("minute", day)} GROUP BY {places}, quarter
) AS new USING ({places}, quarter)
WHERE bitAnd(minutes, bitNot(held_minutes)) != 0"""


def _differing(panes: _Panes, day: date, where: str) -> str:
    """The quarter hours of a day as their minutes are and as they are stored, as texts, where these differ."""
    places, sums = ", ".join(panes.place), [f"toString({name})" for name in panes.sums]
    made, stored = (", ".join([*sums, *(f"toString({n})" for n in more)]) for more in (_MADE, _STORED))
    return f"""SELECT {panes.owner}, toUnixTimestamp(quarter), {panes.of_queue}, toString(channel),
    groupArrayIf(told, is_made) AS expected, groupArrayIf(told, NOT is_made) AS found
FROM (
SELECT {places}, quarter, 1 AS is_made, [{made}] AS told FROM ({_quarters(panes, day, where)})
UNION ALL
SELECT {places}, quarter, 0 AS is_made, [{stored}] AS told
FROM {panes.owner}_quarters FINAL WHERE {_within("quarter", day)} AND {where}
) GROUP BY {places}, quarter HAVING expected != found ORDER BY {places}, quarter"""


_MADE, _STORED = ("times", "held_minutes"), ("handle_times_ms", "minutes")
"""What both have by different names: the quarter hours that are made, and those that are stored."""


def _within(column: str, day: date) -> str:
    return f"{column} >= toDateTime('{day} 00:00:00', 'UTC') AND {column} < toDateTime('{day} 00:00:00', 'UTC') + 86400"
