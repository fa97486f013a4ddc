"""Whom alerts are about, as ClickHouse has them: an alert that it does not have is none."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from records.store.clickhouse import STREAMS_PER_QUERY, unavailable
from schemas.alerts import Transition
from schemas.errors import Unavailable

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

LATE_MS = 15_000
"""So far may what is stored be behind when all is well: a silent partition is ticked each 5 s, and then flushed."""
_SUBJECTS = "SELECT alert, any(subject) FROM alert_transitions WHERE alert IN %(alerts)s GROUP BY alert"
_STEP = [name for name in Transition.model_fields if name not in {"receiver", "evidence"}]
_FIRED = f"SELECT {', '.join(_STEP)} FROM alert_transitions FINAL WHERE alert IN %(alerts)s AND sequence = 1"
_STORED_UNTIL = """
SELECT if(count() = 0, NULL, toUnixTimestamp64Milli(min(clock))) FROM subjects FINAL
WHERE kind = 'partition' AND hop = 1 AND partition < (
    SELECT if(count() = 0, 65536, argMax(partitions, epoch)) FROM topics WHERE topic = 'floor.events'
)
"""


class ClickHouseAlerts:
    """A `FiredAlerts` on one ClickHouse client, used by one thread."""

    def __init__(self, client: Client, *, event_clock: bool) -> None:
        """`event_clock`: the floor's time is not that of the commands."""
        self._client = client
        self._event_clock = event_clock

    def subjects(self, alerts: Collection[str], seen_ms: int) -> dict[str, str]:
        """See `FiredAlerts`."""
        with unavailable():
            found = {str(alert): str(subject) for alert, subject in self._rows(_SUBJECTS, alerts)}
            if len(found) < len(alerts) and self._is_behind(seen_ms):
                raise Unavailable("the alerts that people saw then are not all stored again")
        return found

    def fired(self, alerts: Collection[str]) -> dict[str, Transition]:
        """See `FiredAlerts`."""
        with unavailable():
            rows = [dict(zip(_STEP, map(_in_utc, row), strict=True)) for row in self._rows(_FIRED, alerts)]
        return {fields["alert"]: Transition.model_validate(fields) for fields in rows}

    def _rows(self, sql: str, alerts: Collection[str]) -> Iterator[Sequence[Any]]:
        wanted = list(alerts)
        for start in range(0, len(wanted), STREAMS_PER_QUERY):
            part = tuple(wanted[start : start + STREAMS_PER_QUERY])
            yield from self._client.query(sql, parameters={"alerts": part}).result_rows

    def _is_behind(self, seen_ms: int) -> bool:
        """After a restore: events are still read again, and the commands of that time are here already."""
        if self._event_clock:
            return False
        ((until_ms,),) = self._client.query(_STORED_UNTIL).result_rows
        return until_ms is not None and int(until_ms) < seen_ms - LATE_MS


def _in_utc(value: Any) -> Any:
    """ClickHouse's instants come without the zone that they are in."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
