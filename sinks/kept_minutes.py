"""Which questions are answered by minutes, and whether these can still be there: quarter hours are kept longer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from schemas.errors import InputError
from schemas.times import MINUTE_MS, from_ms, utc_minute

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

QUARTER_MS = 15 * MINUTE_MS


def refuse_expired_minutes(client: Client, span: tuple[int, int], step_s: int, zone: ZoneInfo) -> None:
    """
    InputError where [from, to) in such steps needs minutes that may have expired.

    What begins or ends within a quarter hour would count less than there was, and look like any other figure.
    """
    for first, last in _of_minutes(span, step_s, zone):
        ((days, after_s),) = client.query(
            "SELECT countIf(day BETWEEN toDate(toDateTime({first:Int64}, 'UTC'))"
            " AND toDate(toDateTime({last:Int64}, 'UTC'))), toUnixTimestamp(toDateTime(max(day) + 1, 'UTC'))"
            " FROM clean_days WHERE NOT has_minutes",
            parameters={"first": first // 1000, "last": last // 1000},
        ).result_rows
        if days:
            since = utc_minute(int(after_s) * 1000)
            raise InputError(f"--from: minutes are kept from {since} on; before that, expected whole quarter hours")


def _of_minutes(span: tuple[int, int], step_s: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """The (first, last) instants of the stretches of a range that are made of minutes, whatever is rolled up."""
    offset = from_ms(span[0]).astimezone(zone).utcoffset()
    if step_s * 1000 % QUARTER_MS or (offset and offset.seconds * 1000 % QUARTER_MS):
        return [(span[0], span[1] - 1)]
    return [(edge, edge) for edge in span if edge % QUARTER_MS]
