"""
Quarter hours out of minutes: each UTC day that changed is rolled up again, whole.

The views read the quarter hours of a day only while nothing was stored since it was rolled (`clean_days`), else its
minutes: so the figures are right at every instant, and rolling a day once more, by whomever, changes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from schemas.panes import AGENT_COLUMNS, MAPS, QUEUE_COLUMNS
from sinks.group_sql import summing
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
class _Panes:
    """One table of minutes and its quarter hours."""

    owner: str
    sums: tuple[str, ...]
    place: tuple[str, ...]
    """What tells the panes of one instant apart."""


_TABLES = (
    _Panes("agent", (*AGENT_COLUMNS, *MAPS), ("agent", "queue", "channel")),
    _Panes("queue", (*QUEUE_COLUMNS, *WAITS), ("queue", "channel")),
)


def roll_up(client: Client, settle_ms: int = SETTLE_MS) -> list[Rolled]:
    """Roll up every day to which something came since it was rolled, unless it is still coming; the oldest first."""
    rolled = [_roll(client, day, stored, settle_ms) for day, stored in _dirty_days(client, settle_ms)]
    if rolled:
        _merge(client, [one.day for one in rolled])
    return rolled


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


def _quarters(panes: _Panes, day: date) -> str:
    """The quarter hours of a day as its minutes are now."""
    places = ", ".join(panes.place)
    return f"""SELECT {places}, toStartOfFifteenMinutes(minute) AS quarter,
{summing(panes.sums, of="panes.")},
    arraySort(groupArrayArray(panes.handle_times_ms)) AS times,
    groupBitOr(bitShiftLeft(toUInt16(1), toMinute(minute) % 15)) AS held_minutes, max(panes.stored_at) AS stored
FROM (SELECT * FROM {panes.owner}_minutes FINAL WHERE {_within("minute", day)}) AS panes
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


def _within(column: str, day: date) -> str:
    return f"{column} >= toDateTime('{day} 00:00:00', 'UTC') AND {column} < toDateTime('{day} 00:00:00', 'UTC') + 86400"
