"""What the pages read from ClickHouse: one function for each question, rows as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from floorpulse.web.instants import in_ms, ms_of, sql_instant
from schemas.kpis import Kpi
from schemas.panes import ABANDONED_WITHIN, AGENT_COLUMNS, ANSWERED_WITHIN, MAPS, QUEUE_COLUMNS
from sinks.group_sql import Rows, agent_rows, summing, union
from sinks.pane_sql import CLEAN, QUARTER_S, Span, of_minutes, of_quarters
from sinks.placement_sql import Placement, movers

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

WAITS = {"answered_waits": ANSWERED_WITHIN, "abandoned_waits": ABANDONED_WITHIN}
LATEST_WINDOWS = ("30m", "60m", "day")

_WHOLE_ZONE = f"timezoneOffset(toDateTime({{from:Int64}}, {{zone:String}})) % {QUARTER_S} = 0"
"""By local days quarter hours may be read where the zone keeps to them."""
_ID = "{ids:Array(String)}[1]"
_PLACEMENTS = {"team": Placement("teams", "''", "''", _ID), "site": Placement("sites", "'main'", "'main'", _ID)}
"""The groups of agents, as the views `kpi_team` and `kpi_site` have them."""


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
    """
    Counts of transitions and ledger entries, the registry's revision, and when the newest of both were stored.

    Another tuple means something is new. A count alone may stay the same: a merge drops a copy as another row comes.
    """

    @property
    def steps(self) -> int:
        """Steps of alerts stored so far."""
        return self.marks[0]

    @property
    def revision(self) -> int:
        """That of the registry."""
        return self.marks[2]


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
        " (SELECT max(revision) FROM revisions WHERE kind = 'registry'),"
        " (SELECT toUnixTimestamp64Milli(max(stored_at)) FROM alert_transitions),"
        " (SELECT toUnixTimestamp64Milli(max(written_at)) FROM record_events)"
    ).result_rows[0]
    known = row[3] > 0
    return Pulse(
        clock_ms=ms_of(row[0]) if known else 0,
        stored_ms=ms_of(row[1]) if known else 0,
        rows=int(row[2]),
        marks=tuple(int(mark or 0) for mark in marks),
    )


def subjects(client: Client, since_ms: int) -> list[SubjectRow]:
    """All queues, and the agents who are signed in or were at some time after an instant, with their open state."""
    rows = client.query(
        f"SELECT kind, subject, state, reason, {in_ms('since')}, waiting, {in_ms('oldest_wait_at')}, team,"
        f" {in_ms('clock')} FROM subjects FINAL WHERE hop = 1 AND kind IN ('agent', 'queue')"
        " AND (kind = 'queue' OR state NOT IN ('offline', '') OR clock >= {since:DateTime64(3)})",
        parameters={"since": sql_instant(since_ms)},
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


def windows(client: Client, since_ms: int) -> list[WindowRow]:
    """The windows of agents and queues that the board shows, as they stood at some time after an instant."""
    rows = client.query(
        f"SELECT subject, window, {in_ms('opened_at')}, {in_ms('closed_at')}, sums FROM windows FINAL"
        " WHERE hop = 1 AND window IN {names:Array(String)} AND closed_at >= {since:DateTime64(3)}",
        parameters={"names": list(LATEST_WINDOWS), "since": sql_instant(since_ms)},
    ).result_rows
    return [WindowRow(*row) for row in rows]


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
    """agent or queue: whose id it is; team or site: of agents, each minute for where its agent was then."""
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
    if question.column in _PLACEMENTS:
        return _minutes(client, _placed_sql(question, columns), columns, values)
    if question.zone:
        return _minutes(client, _days_sql(question.owner, columns, asked), columns, values)
    sql = _minutes_sql(question.owner, columns, "''", "toStartOfMinute(minute)", f" AND {asked}")
    return _minutes(client, sql, columns, values)


def queue_ids(client: Client) -> list[str]:
    """Ids of all queues that ever had an event of their own: who have panes."""
    rows = client.query("SELECT subject FROM subjects FINAL WHERE hop = 1 AND kind = 'queue'").result_rows
    return [row[0].partition(":")[2] for row in rows]


def _columns_of(kpi: Kpi, owner: str) -> tuple[str, ...]:
    known = (*QUEUE_COLUMNS, *WAITS) if owner == "queue" else (*AGENT_COLUMNS, *MAPS)
    wanted = kpi.columns | kpi.counted_waits
    return tuple(column for column in known if column in wanted)


def _placed_sql(question: SeriesQuestion, columns: Sequence[str]) -> str:
    """Sums of the agents of a team or a site, by minute or by local day."""
    span = _span(_WHOLE_ZONE if question.zone else "0")
    step = "toStartOfDay(at, {zone:String})" if question.zone else "toStartOfMinute(at)"
    rows = agent_rows(Rows(span, tuple(columns)), _PLACEMENTS[question.column])
    return (
        f"WITH {CLEAN}, {movers(span)}"
        f" SELECT '' AS subject, toInt64(toUnixTimestamp({step})) AS at_s, {summing(columns, of='panes.')}"
        f" FROM ({union(rows)}) AS panes WHERE grp = {_ID}"
        " GROUP BY subject, at_s ORDER BY subject, at_s"
    )


def _span(by_quarters: str) -> Span:
    return Span("toDateTime({from:Int64}, 'UTC')", "toDateTime({to:Int64}, 'UTC')", by_quarters)


def _days_sql(owner: str, columns: Sequence[str], where: str) -> str:
    """Sums by local day: of quarter hours where these hold everything, of minutes elsewhere."""
    names = ", ".join(columns)
    span = _span(_WHOLE_ZONE)
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


def _s(ms: int) -> int:
    return ms // 1000
