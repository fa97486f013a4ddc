"""How long ClickHouse keeps what is counted: all by the time at which it was stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.times import DAY_MS
from streams.core.spans import EVER

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Retention:
    """Days and months after which rows expire."""

    events_days: int = 35
    minutes_days: int = 35
    quarters_months: int = 13

    @property
    def events_ms(self) -> int:
        """How long raw events are kept."""
        return self.events_days * DAY_MS


DEFAULT_RETENTION = Retention()


def note_retention(client: Client, retention: Retention) -> None:
    """
    Note how long is kept from now on, where that is another time than before.

    What expired while less was kept does not come back when more is: nobody may take it for there.
    """
    for name, days in (("events", retention.events_days), ("minutes", retention.minutes_days)):
        client.command(
            "INSERT INTO retentions (name, days, gone_before)"
            " SELECT {name:String}, {days:UInt32}, if(known = 0, toDateTime64(0, 3), now64(3) - toIntervalDay(known))"
            " FROM (SELECT argMax(days, since) AS known FROM retentions WHERE name = {name:String})"
            " WHERE known != {days:UInt32}",
            parameters={"name": name, "days": days},
        )


def events_gone_before_ms(client: Client, retention: Retention, now_ms: int) -> int:
    """Raw events that were stored before this instant may have expired, under the retention of now or one before."""
    return max(now_ms - retention.events_ms, gone_under_another_ms(client))


def gone_under_another_ms(client: Client, *, event_clock: bool = False) -> int:
    """
    Raw events that were stored before this instant may have expired under an earlier retention.

    Under the event clock, whose time is not that at which anything is stored, none is known.
    """
    if event_clock:
        return EVER
    sql = "SELECT toUnixTimestamp64Milli(max(gone_before)) FROM retentions WHERE name = 'events'"
    return int(client.query(sql).result_rows[0][0])
