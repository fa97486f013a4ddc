"""What the pages read from ClickHouse: one function for each question, rows as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.kpis import Kpi
from schemas.panes import ABANDONED_WITHIN, AGENT_COLUMNS, ANSWERED_WITHIN, MAPS, QUEUE_COLUMNS
from schemas.records import RecordEvent
from schemas.times import from_ms, iso, to_ms
from sinks.group_sql import summing
from sinks.pane_sql import CLEAN, QUARTER_S, Span, of_minutes, of_quarters

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

MAX_ALERTS = 300
MAX_CASES = 500
WAITS = {"answered_waits": ANSWERED_WITHIN, "abandoned_waits": ABANDONED_WITHIN}
LATEST_WINDOWS = ("30m", "60m", "day")


@dataclass(frozen=True, slots=True)
class Pulse:
    """What says cheaply whether anything is new."""

    clock_ms: int
    """The floor's time: the highest clock of a partition; 0 before the first event."""
    stored_ms: int
    """When the worker last stored a partition's row; 0 before the first."""
    rows: int
    """Events stored so far."""
    marks: tuple[int, ...]
    """Counts of transitions, ledger entries and the registry's revision: another tuple means something is new."""

    @property
    def steps(self) -> int:
        """Steps of alerts stored so far."""
        return self.marks[0]

    @property
    def revision(self) -> int:
        """That of the registry."""
        return self.marks[2]


@dataclass(frozen=True, slots=True)
class Listed:
    """The records that the lists show, of all that the ledger has."""

    entries: dict[str, int]
    """How many entries each of them has: an alert that was worked on, or a case."""
    cases: int = 0
    """Cases in all, listed or not."""
    open_cases: int = 0


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """Open state of an agent or a queue."""

    kind: str
    id: str
    state: str = ""
    reason: str = ""
    since_ms: int = 0
    waiting: int = 0
    oldest_wait_ms: int = 0
    team: str = ""
    clock_ms: int = 0


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window as it stands."""

    subject: str
    window: str
    opened_ms: int
    closed_ms: int
    sums: Mapping[str, int]


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


@dataclass(frozen=True, slots=True)
class MinuteRow:
    """Sums of a subject from an instant on, for a minute or a longer step."""

    subject: str
    at_ms: int
    sums: Mapping[str, int]


def pulse(client: Client) -> Pulse:
    """The floor's time, its freshness, and marks of what else can change."""
    row = client.query(
        "SELECT max(clock), max(stored_at), sum(rows), count() FROM subjects FINAL WHERE kind = 'partition'"
    ).result_rows[0]
    marks = client.query(
        "SELECT (SELECT count() FROM alert_transitions), (SELECT count() FROM record_events),"
        " (SELECT max(revision) FROM revisions WHERE kind = 'registry')"
    ).result_rows[0]
    known = row[3] > 0
    return Pulse(
        clock_ms=_ms(row[0]) if known else 0,
        stored_ms=_ms(row[1]) if known else 0,
        rows=int(row[2]),
        marks=tuple(int(mark or 0) for mark in marks),
    )


def subjects(client: Client) -> list[SubjectRow]:
    """All agents and queues with their open state."""
    rows = client.query(
        f"SELECT kind, subject, state, reason, {_in_ms('since')}, waiting, {_in_ms('oldest_wait_at')}, team,"
        f" {_in_ms('clock')} FROM subjects FINAL WHERE hop = 1 AND kind IN ('agent', 'queue')"
    ).result_rows
    return [
        SubjectRow(
            kind=row[0],
            id=row[1].partition(":")[2],
            state=row[2],
            reason=row[3],
            since_ms=row[4],
            waiting=row[5],
            oldest_wait_ms=row[6],
            team=row[7],
            clock_ms=row[8],
        )
        for row in rows
    ]


def windows(client: Client) -> list[WindowRow]:
    """The windows of agents and queues that the board shows."""
    rows = client.query(
        f"SELECT subject, window, {_in_ms('opened_at')}, {_in_ms('closed_at')}, sums FROM windows FINAL"
        " WHERE hop = 1 AND window IN {names:Array(String)}",
        parameters={"names": list(LATEST_WINDOWS)},
    ).result_rows
    return [WindowRow(*row) for row in rows]


_ALERT_COLUMNS = (
    "alert, sequence, state, reason, at, rule, rule_version, subject, kpi, window, window_from, window_to, "
    "value, n, threshold, severity, opens, team, started_at, day"
)


def latest_alerts(client: Client) -> list[AlertRow]:
    """The steps of the alerts that fire and of those that ended last, `MAX_ALERTS` in all, without their evidence."""
    return _steps(
        client,
        " FINAL WHERE alert IN (SELECT alert FROM alert_transitions FINAL GROUP BY alert"
        " ORDER BY argMax(state, sequence) = 'firing' DESC, max(at) DESC LIMIT {most:UInt32})",
        most=MAX_ALERTS,
    )


def alerts_since(client: Client, stored_ms: int) -> list[AlertRow]:
    """The steps of alerts that were stored from an instant on, without their evidence; a step may come twice."""
    return _steps(client, " WHERE stored_at >= {since:DateTime64(3)}", since=_sql_instant(stored_ms))


def newest_step_ms(client: Client) -> int:
    """When the newest step of an alert was stored; 0 before the first."""
    return _ms(client.query("SELECT max(stored_at) FROM alert_transitions").result_rows[0][0])


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
        RecordEvent.model_validate(entry | {"at": from_ms(_ms(entry["at"])), "body": json.loads(entry["body"] or "{}")})
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


def queue_minutes(client: Client, from_ms: int, to_ms_: int) -> list[MinuteRow]:
    """Sums of each queue by minute in [from, to)."""
    columns = ("offered", "answered", "abandoned", "flowed_out", "answered_waits", "abandoned_waits")
    sql = _minutes_sql("queue", columns, "queue", "toStartOfMinute(minute)", "")
    return _minutes(client, sql, columns, {"from": _s(from_ms), "to": _s(to_ms_)})


def floor_minutes(client: Client, from_ms: int, to_ms_: int) -> list[MinuteRow]:
    """Sums of all agents together by minute in [from, to)."""
    columns = ("handled", "talk_ms", "hold_ms", "wrap_ms", "ready_ms", "ringing_ms", "on_contact_ms", "on_hold_ms",
               "in_wrap_ms", "scored", "score_hundredths")  # fmt: skip
    sql = _minutes_sql("agent", columns, "''", "toStartOfMinute(minute)", "")
    return _minutes(client, sql, columns, {"from": _s(from_ms), "to": _s(to_ms_)})


def handled_by_agent(client: Client, from_ms: int, to_ms_: int) -> list[MinuteRow]:
    """Contacts handled by each agent in steps of ten minutes in [from, to)."""
    sql = _minutes_sql("agent", ("handled",), "agent", "toStartOfTenMinutes(minute)", "")
    return _minutes(client, sql, ("handled",), {"from": _s(from_ms), "to": _s(to_ms_)})


@dataclass(frozen=True, slots=True)
class SeriesQuestion:
    """Whose sums, of which columns, from when (inclusive) to when (exclusive), by minute or by site day."""

    owner: str
    """agent or queue: the table."""
    column: str
    """agent or queue: whose id it is."""
    ids: Sequence[str]
    from_ms: int
    to_ms: int
    zone: str = ""
    """Where set, sums are by local day of this zone."""


def series(client: Client, question: SeriesQuestion, kpi: Kpi) -> list[MinuteRow]:
    """The sums that a KPI needs, of all ids together, by minute or by day."""
    columns = _columns_of(kpi, question.owner)
    if not columns or not question.ids:
        return []
    asked = f"{question.column} IN {{ids:Array(String)}}"
    values: dict[str, Any] = {"from": _s(question.from_ms), "to": _s(question.to_ms), "ids": list(question.ids)}
    if question.zone:
        values["zone"] = question.zone
        return _minutes(client, _days_sql(question.owner, columns, asked), columns, values)
    sql = _minutes_sql(question.owner, columns, "''", "toStartOfMinute(minute)", f" AND {asked}")
    return _minutes(client, sql, columns, values)


def known_ids(client: Client, kind: str) -> list[str]:
    """Ids of all agents or queues ever seen."""
    rows = client.query(
        "SELECT subject FROM subjects FINAL WHERE hop = 1 AND kind = {kind:String}", parameters={"kind": kind}
    ).result_rows
    return [row[0].partition(":")[2] for row in rows]


def log_access(client: Client, viewer: str, subject: str, page: str, detail: str, at_ms: int) -> None:
    """Keep that somebody looked at the record of a person."""
    client.command(
        "INSERT INTO access_log (at, viewer, subject, page, detail) VALUES"
        " ({at:DateTime64(3)}, {viewer:String}, {subject:String}, {page:String}, {detail:String})",
        parameters={
            "at": _sql_instant(at_ms),
            "viewer": viewer,
            "subject": subject,
            "page": page,
            "detail": detail,
        },
    )


def _columns_of(kpi: Kpi, owner: str) -> tuple[str, ...]:
    known = (*QUEUE_COLUMNS, *WAITS) if owner == "queue" else (*AGENT_COLUMNS, *MAPS)
    wanted = kpi.columns | kpi.counted_waits
    return tuple(column for column in known if column in wanted)


def _days_sql(owner: str, columns: Sequence[str], where: str) -> str:
    """Sums by local day: of quarter hours where these hold everything, of minutes elsewhere."""
    names = ", ".join(columns)
    span = Span(
        "toDateTime({from:Int64}, 'UTC')",
        "toDateTime({to:Int64}, 'UTC')",
        f"timezoneOffset(toDateTime({{from:Int64}}, {{zone:String}})) % {QUARTER_S} = 0",
    )
    return (
        f"WITH {CLEAN}"
        f" SELECT '' AS subject, toInt64(toUnixTimestamp(toStartOfDay(at, {{zone:String}}))) AS at_s,"
        f" {summing(columns)}"
        f" FROM (SELECT quarter AS at, {names} FROM {owner}_quarters FINAL WHERE {of_quarters(span)} AND {where}"
        f" UNION ALL SELECT minute AS at, {names} FROM {owner}_minutes FINAL WHERE {of_minutes(span)} AND {where})"
        " GROUP BY subject, at_s ORDER BY subject, at_s"
    )


def _minutes_sql(owner: str, columns: Sequence[str], subject: str, step: str, where: str) -> str:
    return (
        f"SELECT {subject} AS subject, toInt64(toUnixTimestamp({step})) AS at_s, {summing(columns)}"
        f" FROM {owner}_minutes FINAL"
        f" WHERE minute >= toDateTime({{from:Int64}}, 'UTC') AND minute < toDateTime({{to:Int64}}, 'UTC'){where}"
        " GROUP BY subject, at_s ORDER BY subject, at_s"
    )


def _minutes(client: Client, sql: str, columns: Sequence[str], values: dict[str, Any]) -> list[MinuteRow]:
    rows = client.query(sql, parameters=values).result_rows
    return [MinuteRow(row[0], row[1] * 1000, _sums(columns, row[2:])) for row in rows]


def _sums(columns: Sequence[str], values: Sequence[Any]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for column, value in zip(columns, values, strict=True):
        if column in WAITS:
            sums |= zip(WAITS[column], value, strict=False)
        elif column in MAPS:
            sums |= {f"{MAPS[column][0]}{key}": amount for key, amount in value.items()}
        else:
            sums[column] = value
    return sums


def _alert(row: Sequence[Any]) -> AlertRow:
    values = dict(zip(_ALERT_COLUMNS.split(", "), row, strict=False))
    instants = {"at": "at_ms", "window_from": "from_ms", "window_to": "to_ms", "started_at": "started_ms"}
    named = {instants.get(name, name): _ms(value) if name in instants else value for name, value in values.items()}
    return AlertRow(**named | {"day": str(named["day"] or ""), "evidence": tuple(json.loads(row[-1] or "[]"))})


def _in_ms(column: str) -> str:
    """SQL of an instant as a number: making ten thousand `datetime` and taking them apart again takes a second."""
    return f"toUnixTimestamp64Milli({column})"


def _ms(instant: datetime) -> int:
    """clickhouse-connect gives naive UTC for columns in UTC, depending on its settings."""
    return to_ms(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def _sql_instant(ms: int) -> str:
    return iso(ms).replace("T", " ").rstrip("Z")


def _s(ms: int) -> int:
    return ms // 1000
