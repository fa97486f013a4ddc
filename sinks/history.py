"""Facts in the order of their time, as an event clock takes them: for whoever goes through days again."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TOLD = "if(type = 'shift_planned', at - INTERVAL 1 DAY, at)"
"""Plans are given a day before they begin, as planners tell them."""
_WITHIN = (
    f"at >= fromUnixTimestamp64Milli({{start:Int64}}) AND {_TOLD} >= fromUnixTimestamp64Milli({{start:Int64}})"
    f" AND at < fromUnixTimestamp64Milli({{stop:Int64}}) + INTERVAL 1 DAY"
    f" AND {_TOLD} < fromUnixTimestamp64Milli({{stop:Int64}})"
)
"""[start, stop); the bounds of `at` spare all other days."""
_HOURS = f"""SELECT toUnixTimestamp(toStartOfHour({_TOLD})) AS hour, count() FROM events_current
WHERE {_WITHIN} GROUP BY hour ORDER BY hour"""
_FACTS = f"SELECT payload FROM events_current WHERE {_WITHIN} ORDER BY {_TOLD}, partition, offset"
_FIRED = (
    "SELECT rule, toUnixTimestamp64Milli(at), day, site FROM alert_transitions FINAL"
    " WHERE state = 'firing' AND at >= fromUnixTimestamp64Milli({start:Int64})"
    " AND at < fromUnixTimestamp64Milli({stop:Int64})"
)


def hours_of_facts(client: Client, from_ms: int, to_ms: int) -> list[tuple[int, int]]:
    """(start, how many facts) of each hour of UTC in [from, to) that has any that count by now."""
    rows = client.query(_HOURS, parameters={"start": from_ms, "stop": to_ms}).result_rows
    return [(int(hour) * 1000, int(count)) for hour, count in rows]


def facts_in_order(client: Client, from_ms: int, to_ms: int) -> list[bytes]:
    """
    The payloads of [from, to) that count by now, in order of time, plans a day ahead.

    For an hour or so at a time: ClickHouse sorts them in memory.
    """
    parameters = {"start": from_ms, "stop": to_ms}
    rows = client.query(_FACTS, parameters=parameters, column_formats={"payload": "bytes"}).result_rows
    return [payload for (payload,) in rows]


def fired_alerts(client: Client, from_ms: int, to_ms: int) -> list[tuple[str, int, date | None, str]]:
    """(rule, instant, the site day that it names, site) of each alert that fired in [from, to)."""
    rows = client.query(_FIRED, parameters={"start": from_ms, "stop": to_ms}).result_rows
    return [(str(rule), int(at), day, str(site)) for rule, at, day, site in rows]
