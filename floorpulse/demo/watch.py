"""What a demo reads of its store: alerts as they come, how the floor stands, the figures at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from floorpulse.demo.summary import Figures
from floorpulse.web.formats import kpi_figure, kpi_name

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_OVERLAP = timedelta(seconds=10)
_STEPS = (
    "SELECT alert, sequence, stored_at, at, state, rule, subject, kpi, value, threshold FROM alert_transitions"
    " WHERE stored_at >= {since:DateTime64(3, 'UTC')} ORDER BY at, alert, sequence"
)
_NOW = (
    "SELECT (SELECT count() FROM events),"
    " (SELECT sum(waiting) FROM subjects FINAL WHERE kind = 'queue' AND hop = 1),"
    " (SELECT countIf(state = 'firing') FROM alerts),"
    " (SELECT max(clock) FROM subjects FINAL WHERE kind = 'partition' AND hop = 1)"
)
_COUNTS = (
    "SELECT (SELECT count() FROM events_current), (SELECT count() FROM dead_letters FINAL),"
    " (SELECT count() FROM agent_minutes FINAL) + (SELECT count() FROM queue_minutes FINAL),"
    " (SELECT count() FROM windows FINAL)"
)
_ALERTS = "SELECT rule, uniqExact(alert) FROM alert_transitions WHERE state = 'firing' GROUP BY rule"
_CASES = "SELECT opens, count() FROM records GROUP BY opens"
_FIRED = "SELECT DISTINCT subject, rule FROM alert_transitions WHERE state = 'firing'"


class AlertTail:
    """Tells each step of each alert once, as it comes into the store."""

    def __init__(self, client: Client, zone: ZoneInfo) -> None:
        """`zone`: of the times that are told."""
        self._client, self._zone = client, zone
        self._since = datetime(2000, 1, 1, tzinfo=UTC)
        self._told: set[tuple[str, int]] = set()

    def fresh(self) -> list[str]:
        """The steps that came since the last call, in the order of their time, one line each."""
        rows = self._client.query(_STEPS, parameters={"since": self._since}).result_rows
        new = [row for row in rows if (row[0], row[1]) not in self._told]
        self._told |= {(row[0], row[1]) for row in new}
        if new:
            self._since = max(row[2] for row in new).replace(tzinfo=UTC) - _OVERLAP
        return [self._words(*row[3:]) for row in new]

    def _words(
        self, at: datetime, state: str, rule: str, subject: str, kpi: str, value: float | None, threshold: float
    ) -> str:
        local = at.replace(tzinfo=UTC).astimezone(self._zone)
        said = f"{kpi_name(kpi)} {kpi_figure(kpi, value)}, threshold {kpi_figure(kpi, threshold)}"
        return f"{local:%H:%M}  {state:<8}  {rule:<20}  {subject:<15}  {said}"


@dataclass(frozen=True, slots=True)
class Standing:
    """The floor at this instant; `at` is the time that its worker has come to, None before the first event."""

    events: int
    waiting: int
    firing: int
    at: datetime | None


def floor_now(client: Client) -> Standing:
    """How the floor stands."""
    ((events, waiting, firing, at),) = client.query(_NOW).result_rows
    return Standing(int(events), int(waiting or 0), int(firing), at.replace(tzinfo=UTC) if events else None)


def read_figures(client: Client) -> Figures:
    """What the store holds."""
    ((events, dead_letters, panes, windows),) = client.query(_COUNTS).result_rows
    return Figures(
        events=int(events),
        dead_letters=int(dead_letters),
        panes=int(panes),
        windows=int(windows),
        alerts=_counted(client, _ALERTS),
        cases=_counted(client, _CASES),
        fired={(str(subject), str(rule)) for subject, rule in _rows(client, _FIRED)},
    )


def _counted(client: Client, sql: str) -> dict[str, int]:
    return {str(name): int(number) for name, number in _rows(client, sql)}


def _rows(client: Client, sql: str) -> Sequence[Sequence[Any]]:
    return client.query(sql).result_rows
