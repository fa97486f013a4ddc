"""What people read of the ledger: cases, one case with its entries, alerts with what was done about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from records.core.coaching import STATE_AFTER, Case, apply_case
from records.store.clickhouse import ENTRIES, entry_of, unavailable
from schemas.records import RecordEvent
from schemas.times import from_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Filter:
    """
    Which rows of a list; `''` leaves a part out.

    `state` may be `open`: of cases, not closed; of alerts, firing and not dismissed.
    """

    subject: str = ""
    team: str = ""
    state: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case in a list."""

    id: str
    kind: str
    subject: str
    team: str
    site: str
    kpi: str
    rule: str
    state: str
    version: int
    owner: str
    due: str
    outcome: str
    alerts: int
    opened_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with all its entries, refusals included, oldest first."""

    case: Case
    entries: tuple[RecordEvent, ...]

    @property
    def alerts(self) -> list[Mapping[str, Any]]:
        """The transitions behind the case, with their evidence, oldest first."""
        kinds = {"case_opened", "evidence_added"}
        return [dict(entry.body)["transition"] for entry in self.entries if entry.kind in kinds]  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert in a list: where it stands, what people did about it, the case it is in."""

    id: str
    state: str
    reason: str
    rule: str
    subject: str
    team: str
    site: str
    kpi: str
    window: str
    value: float | None
    n: int
    threshold: float
    severity: str
    handling: str
    handled_by: str
    version: int
    case: str
    fired_at: datetime
    changed_at: datetime


_CASES = """
FROM (
    SELECT
        record AS id,
        argMinIf(body, sequence, kind = 'case_opened') AS opening,
        JSONExtractString(opening, 'opens') AS opens,
        any(stream) AS subject,
        JSONExtractString(opening, 'transition', 'team') AS team,
        JSONExtractString(opening, 'transition', 'site') AS site,
        JSONExtractString(opening, 'transition', 'kpi') AS kpi,
        JSONExtractString(opening, 'transition', 'rule') AS rule,
        argMaxIf(kind, sequence, kind NOT IN ('evidence_added', 'case_commented')) AS step,
        transform(step, %(steps)s, %(states)s, if(opens = 'coaching', 'proposed', 'open')) AS state,
        max(version) AS newest,
        argMaxIf(by, sequence, kind = 'case_acknowledged') AS owner,
        JSONExtractString(argMaxIf(body, sequence, kind = 'plan_written'), 'due') AS due,
        JSONExtractString(argMaxIf(body, sequence, kind = 'case_closed'), 'outcome') AS outcome,
        uniqExactIf(sequence, kind IN ('case_opened', 'evidence_added')) AS alerts,
        toUnixTimestamp64Milli(min(at)) AS opened_ms,
        toUnixTimestamp64Milli(max(at)) AS changed_ms
    FROM record_events
    WHERE kind != 'command_refused' AND record != '' AND NOT startsWith(stream, 'alert:')
      AND (%(subject)s = '' OR stream = %(subject)s)
    GROUP BY record
)
WHERE (%(team)s = '' OR team = %(team)s)
  AND (%(state)s = '' OR state = %(state)s OR (%(state)s = 'open' AND state != 'closed'))
ORDER BY changed_ms DESC, id
LIMIT %(limit)s
"""

_CASE_COLUMNS = (
    "id, opens, subject, team, site, kpi, rule, state, newest, owner, due, outcome, alerts, opened_ms, changed_ms"
)

_ALERTS = """
FROM (
    SELECT alert AS id, argMax(t.state, t.sequence) AS state, argMax(t.reason, t.sequence) AS reason,
        any(t.rule) AS rule, any(t.subject) AS subject, any(t.team) AS team, any(t.site) AS site,
        any(t.kpi) AS kpi, any(t.window) AS window,
        argMin(tuple(t.value), t.sequence).1 AS value, argMin(t.n, t.sequence) AS n,
        argMin(t.threshold, t.sequence) AS threshold, any(t.severity) AS severity,
        toUnixTimestamp64Milli(min(t.at)) AS fired_ms, toUnixTimestamp64Milli(max(t.at)) AS changed_ms
    FROM alert_transitions AS t FINAL WHERE %(subject)s = '' OR t.subject = %(subject)s GROUP BY alert
) AS a
LEFT JOIN (
    SELECT record AS alert, argMax(kind, sequence) AS step, argMax(by, sequence) AS person,
        max(version) AS newest
    FROM record_events WHERE startsWith(stream, 'alert:') AND kind != 'command_refused' GROUP BY record
) AS h ON h.alert = a.id
LEFT JOIN (
    SELECT JSONExtractString(body, 'transition', 'alert') AS alert, any(record) AS id
    FROM record_events WHERE kind IN ('case_opened', 'evidence_added') GROUP BY alert
) AS c ON c.alert = a.id
WHERE (%(team)s = '' OR a.team = %(team)s)
  AND (%(state)s = '' OR a.state = %(state)s
       OR (%(state)s = 'open' AND a.state = 'firing' AND h.step != 'alert_dismissed'))
ORDER BY a.changed_ms DESC, a.id
LIMIT %(limit)s
"""

_ALERT_COLUMNS = (
    "a.id, a.state, a.reason, a.rule, a.subject, a.team, a.site, a.kpi, a.window, a.value, a.n, a.threshold, "
    "a.severity, if(h.step = '', 'new', replaceOne(h.step, 'alert_', '')), h.person, h.newest, c.id, "
    "a.fired_ms, a.changed_ms"
)


def cases(client: Client, wanted: Filter) -> list[CaseRow]:
    """The cases that a filter leaves, last changed first."""
    rows = _rows(client, f"SELECT {_CASE_COLUMNS} {_CASES}", wanted)
    return [CaseRow(*row) for row in rows]


def alerts(client: Client, wanted: Filter) -> list[AlertRow]:
    """The alerts that a filter leaves, last changed first; value, n and threshold are those of the firing."""
    rows = _rows(client, f"SELECT {_ALERT_COLUMNS} {_ALERTS}", wanted)
    return [AlertRow(*row) for row in rows]


def case(client: Client, record: str) -> CaseFile | None:
    """One case with its entries; None when there is none of this id."""
    entries = _entries(client, "record = %(id)s", record)
    folded: Case | None = None
    for entry in entries:
        folded = apply_case(folded, entry)
    return None if folded is None else CaseFile(folded, entries)


def outcome(client: Client, command: str) -> tuple[RecordEvent, ...]:
    """The entries that answered a command; empty while none has."""
    return _entries(client, "command = %(id)s", command)


def alert_exists(client: Client, alert: str) -> bool:
    """True when an alert of this id has fired."""
    sql = "SELECT count() FROM alert_transitions WHERE alert = %(id)s"
    with unavailable():
        return bool(client.query(sql, parameters={"id": alert}).result_rows[0][0])


def _entries(client: Client, condition: str, value: str) -> tuple[RecordEvent, ...]:
    with unavailable():
        sql = f"{ENTRIES} WHERE {condition} ORDER BY stream, sequence"
        return tuple(map(entry_of, client.query(sql, parameters={"id": value}).result_rows))


def _rows(client: Client, sql: str, wanted: Filter) -> list[list[Any]]:
    """The rows of a list, whose last two columns are instants in ms."""
    parameters = {
        "subject": wanted.subject,
        "team": wanted.team,
        "state": wanted.state,
        "limit": wanted.limit,
        "steps": list(STATE_AFTER),
        "states": list(STATE_AFTER.values()),
    }
    with unavailable():
        rows = client.query(sql, parameters=parameters).result_rows
    return [[*row[:-2], from_ms(row[-2]), from_ms(row[-1])] for row in rows]
