"""What the lists hold: alerts by their latest step, what people did about them, and cases."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from floorpulse.web import record_queries
from floorpulse.web.alert_views import Marks, marks_of
from floorpulse.web.case_views import fold_cases
from floorpulse.web.record_queries import AlertRow, Listed
from records.core.coaching import Case

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OVERLAP_MS = 10_000
"""Steps are read again from a little before the newest one: inserts do not become visible in order."""

T = TypeVar("T")


@dataclass(slots=True)
class Held:
    """
    The alerts and cases that the lists show: what changed is read, not what a floor gathers over the years.

    Those of subjects that are `gone`, as their people are erased, go before their rows are deleted.
    """

    alerts: dict[str, AlertRow] = field(default_factory=dict)
    """The latest step of each alert that fires, and of as many others as are shown."""
    marks: dict[str, Marks] = field(default_factory=dict)
    """What people did, by the ids of alerts."""
    cases: dict[str, Case] = field(default_factory=dict)
    """By their ids."""
    listed: Listed = field(default_factory=lambda: Listed({}))
    _steps: int = 0
    _newest_ms: int = 0

    @property
    def shown(self) -> list[AlertRow]:
        """The alerts of the inbox: those that fire, then those that ended last."""
        return _latest_first(self.alerts)[: record_queries.MAX_ALERTS]

    def read(self, client: Client, steps: int, gone: Set[str]) -> None:
        """Read what is new, where the store has so many `steps` of alerts by now."""
        self._read_alerts(client, steps, gone)
        listed = record_queries.listed_records(client, [row.alert for row in self.shown])
        self._read_records(client, listed, gone)

    def _read_alerts(self, client: Client, steps: int, gone: Set[str]) -> None:
        """Steps are only ever added; where there are fewer than before, all are read again."""
        newest_ms, is_whole = record_queries.newest_step_ms(client), not self._steps or steps < self._steps
        since_ms = self._newest_ms - OVERLAP_MS
        found = {} if is_whole else dict(self.alerts)
        for row in record_queries.latest_alerts(client) if is_whole else record_queries.alerts_since(client, since_ms):
            if row.alert not in found or row.sequence >= found[row.alert].sequence:
                found[row.alert] = row
        known = [row for row in _latest_first(found) if row.subject not in gone]
        firing = [row for row in known if row.state == "firing"]
        self.alerts = {row.alert: row for row in (*firing, *known[len(firing) :][: record_queries.MAX_ALERTS])}
        self._steps, self._newest_ms = steps, newest_ms

    def _read_records(self, client: Client, listed: Listed, gone: Set[str]) -> None:
        """A record is read again when the ledger has another number of entries for it: they come in any order."""
        changed = [record for record, count in listed.entries.items() if self.listed.entries.get(record) != count]
        entries = record_queries.ledger(client, changed) if changed else []
        cases = _kept(self.cases | fold_cases(entries), listed)
        self.cases = {record: case for record, case in cases.items() if case.stream not in gone}
        self.marks = _kept(self.marks | marks_of(entries), listed)
        self.listed = listed


def _latest_first(alerts: dict[str, AlertRow]) -> list[AlertRow]:
    return sorted(alerts.values(), key=lambda row: (row.state != "firing", -row.at_ms))


def _kept(found: dict[str, T], listed: Listed) -> dict[str, T]:
    return {record: value for record, value in found.items() if record in listed.entries}
