"""
Which minutes may have lost raw events: these expire one by one, and the panes that were made of them may outlive them.

What has expired is told by when it was stored, so days of a late import are kept as long as the day of the import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.times import DAY_MS, MINUTE_MS, minute_of
from sinks.retention import Retention
from streams.core.lateness import FUTURE_MS
from streams.core.subject import REACH_MS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_DAY_MINUTES = DAY_MS // MINUTE_MS
_AROUND = (-1, 0, 1, 2)
"""Events of a day count in minutes of the day before (a state is ended by them) and of two days after (`REACH_MS`)."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """What can no longer be folded from raw events, as some of them may have expired."""

    before: int
    """Minutes from this one on have all their events, whenever these came."""
    days: frozenset[int]
    """UTC days since 1970 that are old enough in the store to have lost some."""
    is_whole: bool
    """True while nothing that was ever stored can have expired: only then do counts of rows hold."""

    def has_lost(self, minute: int) -> bool:
        """True when raw events of a minute may have expired."""
        return minute < self.before and minute // _DAY_MINUTES in self.days

    def has_lost_any(self, from_ms: int, to_ms: int) -> bool:
        """True when that holds of any minute in [from, to)."""
        last = min(minute_of(to_ms - 1), self.before - 1)
        first = minute_of(from_ms)
        return first <= last and any(first // _DAY_MINUTES <= day <= last // _DAY_MINUTES for day in self.days)

    @property
    def kept_from_ms(self) -> int:
        """From this instant on nothing can have expired; 0 where that holds of all time."""
        after = (max(self.days, default=-1) + 1) * _DAY_MINUTES
        return min(after, self.before) * MINUTE_MS


NOTHING_LOST = Horizon(0, frozenset(), is_whole=True)


def read_horizon(client: Client, retention: Retention) -> Horizon:
    """
    The horizon by the clock of ClickHouse; what expired under a shorter retention than the one of now stays lost.

    It lies `REACH_MS` after what has expired by now, as a minute needs what came before it. The first minute of a day
    may be stored hours after its first event: that is within `REACH_MS` too.
    """
    sql = (
        "WITH greatest(now64(3) - toIntervalMillisecond({kept:Int64}),"
        " assumeNotNull((SELECT max(gone_before) FROM retentions WHERE name = 'events'))) AS gone,"
        " gone + toIntervalMillisecond({reach:Int64}) AS old"
        " SELECT toUnixTimestamp64Milli(gone), groupArrayIf(toUInt32(day), first < old),"
        " (SELECT count() FROM topics WHERE seen_at < old)"
        " FROM (SELECT day, min(first_stored) AS first FROM pane_days GROUP BY day)"
    )
    gone_ms, days, topics = client.query(sql, parameters={"kept": retention.events_ms, "reach": REACH_MS}).result_rows[
        0
    ]
    before = minute_of(int(gone_ms) + REACH_MS + FUTURE_MS) + 1
    lost = frozenset(int(day) + step for day in days for step in _AROUND)
    return Horizon(before, lost, is_whole=not days and not topics)
