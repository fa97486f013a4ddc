"""What the pages read of alerts and of the ledger: one function for each question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from floorpulse.web.instants import ms_of, sql_instant
from schemas.records import RecordEvent
from schemas.times import from_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MAX_ALERTS = 300
MAX_CASES = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """The records that the lists show, of all that the ledger has."""

    entries: dict[str, int]
    """How many entries each of them has: an alert that was worked on, or a case."""
    cases: int = 0
    """Cases in all, listed or not."""
    open_cases: int = 0


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One step of an alert."""

    alert: str
    sequence: int
    state: str
    reason: str
    at_ms: int
    rule: str
    rule_version: int
    subject: str
    kpi: str
    window: str
    from_ms: int
    to_ms: int
    value: float | None
    n: int
    threshold: float
    severity: str
    opens: str
    team: str
    started_ms: int
    day: str = ""
    evidence: tuple[Mapping[str, Any], ...] = ()


_ALERT_COLUMNS = (
    "alert, sequence, state, reason, at, rule, rule_version, subject, kpi, window, window_from, window_to, "
    "value, n, threshold, severity, opens, team, started_at, day"
)


def latest_alerts(client: Client) -> list[AlertRow]:
    """The steps of the alerts that fire and of those that ended last, `MAX_ALERTS` in all, without their evidence."""
    return _steps(
        client,
        " FINAL PREWHERE alert IN (SELECT alert FROM alert_transitions FINAL GROUP BY alert"
        " ORDER BY argMax(state, sequence) = 'firing' DESC, max(at) DESC LIMIT {most:UInt32})",
        most=MAX_ALERTS,
    )


def alerts_since(client: Client, stored_ms: int) -> list[AlertRow]:
    """The steps of alerts that were stored from an instant on, without their evidence; a step may come twice."""
    return _steps(client, " WHERE stored_at >= {since:DateTime64(3)}", since=sql_instant(stored_ms))


def newest_step_ms(client: Client) -> int:
    """When the newest step of an alert was stored; 0 before the first."""
    return ms_of(client.query("SELECT max(stored_at) FROM alert_transitions").result_rows[0][0])


def _steps(client: Client, which: str, **asked: Any) -> list[AlertRow]:
    sql = f"SELECT {_ALERT_COLUMNS}, '' FROM alert_transitions{which} ORDER BY alert, sequence, version"
    return [_alert(row) for row in client.query(sql, parameters=asked).result_rows]


def alert(client: Client, alert_id: str) -> list[AlertRow]:
    """All steps of one alert with their evidence; empty for an unknown one."""
    rows = client.query(
        f"SELECT {_ALERT_COLUMNS}, evidence FROM alert_transitions FINAL WHERE alert = {{alert:String}}"
        " ORDER BY sequence",
        parameters={"alert": alert_id},
    ).result_rows
    return [_alert(row) for row in rows]


def listed_records(client: Client, alerts: Sequence[str]) -> Listed:
    """The cases that are open and those that changed last, `MAX_CASES` in all; and of some alerts what was done."""
    rows = client.query(
        "SELECT record, entries, count() OVER () AS known, countIf(is_open) OVER () AS still_open FROM ("
        " SELECT record, count() AS entries, max(at) AS changed, countIf(kind = 'case_closed') = 0 AS is_open"
        " FROM record_events FINAL WHERE record != '' AND NOT startsWith(stream, 'alert:') GROUP BY record)"
        " ORDER BY is_open DESC, changed DESC, record LIMIT {most:UInt32}",
        parameters={"most": MAX_CASES},
    ).result_rows
    worked_on = client.query(
        "SELECT record, count() FROM record_events FINAL WHERE stream IN {streams:Array(String)} GROUP BY record",
        parameters={"streams": [f"alert:{alert}" for alert in alerts]},
    ).result_rows
    cases, still_open = (int(rows[0][2]), int(rows[0][3])) if rows else (0, 0)
    return Listed({row[0]: int(row[1]) for row in (*rows, *worked_on)}, cases, still_open)


def ledger(client: Client, records: Sequence[str]) -> list[RecordEvent]:
    """Every entry of some records, in the order of their streams."""
    rows = client.query(
        "SELECT stream, sequence, id, kind, at, by, command, record, version, body, previous, hash"
        " FROM record_events FINAL WHERE record IN {records:Array(String)} ORDER BY stream, sequence",
        parameters={"records": list(records)},
    )
    found = [dict(zip(rows.column_names, row, strict=True)) for row in rows.result_rows]
    return [
        RecordEvent.model_validate(
            entry | {"at": from_ms(ms_of(entry["at"])), "body": json.loads(entry["body"] or "{}")}
        )
        for entry in found
    ]


def case_of(client: Client, subject: str, alert_id: str) -> str:
    """The case that holds an alert about a subject; `''` for none."""
    rows = client.query(
        "SELECT record FROM record_events FINAL WHERE stream = {subject:String}"
        " AND kind IN ('case_opened', 'evidence_added')"
        " AND JSONExtractString(body, 'transition', 'alert') = {alert:String} LIMIT 1",
        parameters={"subject": subject, "alert": alert_id},
    ).result_rows
    return str(rows[0][0]) if rows else ""


def rule(client: Client, rule_id: str, revision: int) -> dict[str, Any]:
    """The definition of a rule in a revision, else its latest; empty when it is not stored."""
    rows = client.query(
        "SELECT body FROM registry FINAL WHERE kind = 'rules' AND id = {rule:String}"
        " ORDER BY revision = {revision:UInt64} DESC, revision DESC LIMIT 1",
        parameters={"rule": rule_id, "revision": revision},
    ).result_rows
    return dict(json.loads(rows[0][0])) if rows else {}


def _alert(row: Sequence[Any]) -> AlertRow:
    values = dict(zip(_ALERT_COLUMNS.split(", "), row, strict=False))
    instants = {"at": "at_ms", "window_from": "from_ms", "window_to": "to_ms", "started_at": "started_ms"}
    named = {instants.get(name, name): ms_of(value) if name in instants else value for name, value in values.items()}
    return AlertRow(**named | {"day": str(named["day"] or ""), "evidence": tuple(json.loads(row[-1] or "[]"))})
