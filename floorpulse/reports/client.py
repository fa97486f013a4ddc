"""
The interval report of a client: what its queues took in, answered and lost, by the contract of each queue.

Sums are read from the views and made into figures by `schemas.kpis`, so a total is that of its contacts and never a
mean of intervals. Nothing of an agent is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from schemas.errors import InputError
from schemas.kpis import KPIS, parts, ratio, service_level, value
from schemas.panes import ABANDONED_WITHIN, ANSWERED_WITHIN
from schemas.registry import Queue, Registry, ServiceLevelGoal
from schemas.times import from_ms
from sinks.horizon import Horizon, read_horizon
from sinks.kept_minutes import refuse_expired_minutes
from sinks.retention import DEFAULT_RETENTION, Retention

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

COUNTS = ("offered", "answered", "abandoned", "flowed_out")
FIGURES = (*COUNTS, "in_progress", "service_level", "asa_s", "abandon_rate", "handled", "aht_s")
"""The columns of the report, in their order."""

_SUMS = (*COUNTS, "answered_wait_ms", "handled", "talk_ms", "hold_ms", "wrap_ms")
_WAITS = (ANSWERED_WITHIN, ABANDONED_WITHIN)

Figures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose report, over [from, to), in steps of the local day of a zone."""

    client: str
    from_ms: int
    to_ms: int
    zone: ZoneInfo
    step_s: int


@dataclass(frozen=True, slots=True)
class Interval:
    """The sums of a queue over a stretch of time, and who waited at its end."""

    from_ms: int
    to_ms: int
    sums: dict[str, int]
    in_progress: int | None
    """None where raw events of it may have expired: single contacts are known by these only."""


@dataclass(frozen=True, slots=True)
class QueueReport:
    """One queue of the client."""

    queue: Queue
    intervals: list[Interval]
    never_left: int | None
    """Contacts that were offered, and that nobody answered, lost or took out; None as of `Interval.in_progress`."""
    never_offered: int | None
    """Contacts that left without being offered; None as well."""

    @property
    def total(self) -> Interval:
        """The whole range; who waits is who waits at its end."""
        first, last = self.intervals[0], self.intervals[-1]
        return Interval(first.from_ms, last.to_ms, added(i.sums for i in self.intervals), last.in_progress)

    def figures(self, interval: Interval) -> Figures:
        """The figures of an interval by the contract of the queue."""
        top, bottom = _contract_parts(interval.sums, self.queue.service_level)
        return _figures(interval, ratio(KPIS["service_level"], top, bottom))


@dataclass(frozen=True, slots=True)
class ClientReport:
    """Everything that the report prints."""

    asked: Asked
    name: str
    queues: list[QueueReport]
    counted_to_ms: int
    """Everything up to this instant is counted."""
    made_ms: int
    revision: int
    """Of the registry, whose contracts hold."""
    kept_from_ms: int = 0
    """Single contacts are known from then on only; 0 where that is all of the range."""

    def total(self) -> Figures:
        """All queues together; the service level pools contacts, each by the contract of its own queue."""
        totals = [report.total for report in self.queues]
        both = [
            _contract_parts(total.sums, q.queue.service_level) for total, q in zip(totals, self.queues, strict=True)
        ]
        level = ratio(KPIS["service_level"], sum(top for top, _ in both), sum(bottom for _, bottom in both))
        waiting = _sum_of([total.in_progress for total in totals])
        return _figures(Interval(0, 0, added(total.sums for total in totals), waiting), level)


def queues_of(registry: Registry, client: str) -> list[Queue]:
    """The queues of a client, by id. InputError: nobody knows the client, or it has none."""
    clients = sorted({queue.client for queue in registry.floor.queues if queue.client})
    if client not in clients:
        known = ", ".join(clients) or "none"
        raise InputError(f"--client {client}: no queue of the registry belongs to it; clients with queues: {known}")
    return sorted((q for q in registry.floor.queues if q.client == client), key=lambda queue: queue.id)


def zone_of(registry: Registry, client: str) -> ZoneInfo:
    """The zone of the sites of a client's queues. InputError where there are several."""
    zones = {registry.zone(queue.site).key for queue in queues_of(registry, client)}
    if len(zones) > 1:
        raise InputError(f"--zone: expected one, as queues of {client} are in {', '.join(sorted(zones))}")
    return ZoneInfo(zones.pop())


def read_client_report(
    client: Client, registry: Registry, asked: Asked, now_ms: int, retention: Retention = DEFAULT_RETENTION
) -> ClientReport:
    """
    The report, with every interval that has begun by what is counted.

    InputError: nothing is counted yet, or it needs minutes that may have expired.
    """
    queues = queues_of(registry, asked.client)
    refuse_expired_minutes(client, (asked.from_ms, asked.to_ms), asked.step_s, asked.zone)
    counted_to = _counted_to(client)
    spans = [span for span in _spans(client, asked) if span[0] < counted_to]
    if not spans:
        raise InputError(f"--from: nothing after it is counted yet: figures reach to {from_ms(counted_to).isoformat()}")
    ids = [queue.id for queue in queues]
    sums, balance = _sums(client, asked, ids), _balance(client, asked, ids)
    name = next((entry.name for entry in registry.floor.clients if entry.id == asked.client), "") or asked.client
    horizon = read_horizon(client, retention)
    reports = [_queue_report(queue, spans, sums, balance, horizon) for queue in queues]
    kept_from = horizon.kept_from_ms if horizon.has_lost_any(spans[0][0], spans[-1][1]) else 0
    return ClientReport(asked, name, reports, counted_to, now_ms, registry.revision, kept_from)


def added(all_sums: Iterable[dict[str, int]]) -> dict[str, int]:
    """The sums of several stretches of time."""
    total: dict[str, int] = {}
    for sums in all_sums:
        for column, number in sums.items():
            total[column] = total.get(column, 0) + number
    return total


def _queue_report(
    queue: Queue,
    spans: list[tuple[int, int]],
    sums: dict[tuple[str, int], dict[str, int]],
    balance: dict[tuple[str, int], tuple[int, int, int]],
    horizon: Horizon,
) -> QueueReport:
    nobody, unknown = (0, 0, 0), (None, None, None)
    single: list[tuple[int | None, ...]] = [
        unknown if horizon.has_lost_any(*span) else balance.get((queue.id, span[0]), nobody) for span in spans
    ]
    intervals = [
        Interval(start, end, sums.get((queue.id, start), {}), row[0])
        for (start, end), row in zip(spans, single, strict=True)
    ]
    return QueueReport(queue, intervals, _sum_of([row[1] for row in single]), _sum_of([row[2] for row in single]))


def _sum_of(counts: list[int | None]) -> int | None:
    """The sum, where all of it is known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _contract_parts(sums: dict[str, int], contract: ServiceLevelGoal) -> tuple[int, int]:
    return parts(service_level(contract.variant), sums, contract.limits)


def _figures(interval: Interval, level: float | None) -> Figures:
    found: Figures = {name: interval.sums.get(name, 0) for name in (*COUNTS, "handled")}
    found |= {name: value(KPIS[name], interval.sums) for name in ("asa_s", "abandon_rate", "aht_s")}
    found |= {"in_progress": interval.in_progress, "service_level": level}
    return {name: found[name] for name in FIGURES}


def _arguments(asked: Asked) -> str:
    first, last = (f"{from_ms(ms):%Y-%m-%d %H:%M:%S}" for ms in (asked.from_ms, asked.to_ms))
    return f"from = '{first}', to = '{last}', step_s = {asked.step_s}, zone = '{asked.zone.key}'"


def _spans(client: Client, asked: Asked) -> list[tuple[int, int]]:
    rows = client.query(
        f"SELECT toUnixTimestamp(opened_at), toUnixTimestamp(closed_at) FROM buckets({_arguments(asked)}) ORDER BY 1"
    ).result_rows
    return [(opened * 1000, closed * 1000) for opened, closed in rows]


def _sums(client: Client, asked: Asked, queues: list[str]) -> dict[tuple[str, int], dict[str, int]]:
    rows = client.query(
        f"SELECT queue, toUnixTimestamp(opened_at), {', '.join(_SUMS)}, answered_waits, abandoned_waits"
        f" FROM kpi_queue({_arguments(asked)}, threshold_s = 20, short_s = 5, only = '')"
        " WHERE queue IN {queues:Array(String)}",
        parameters={"queues": queues},
    ).result_rows
    return {(row[0], row[1] * 1000): _named(row[2:]) for row in rows}


def _named(row: Any) -> dict[str, int]:
    """The sums of a row; the waits under the names that `schemas.kpis` knows."""
    sums = dict(zip(_SUMS, row, strict=False))
    for names, counted in zip(_WAITS, row[len(_SUMS) :], strict=True):
        sums |= dict(zip(names, counted, strict=False))
    return sums


def _balance(client: Client, asked: Asked, queues: list[str]) -> dict[tuple[str, int], tuple[int, int, int]]:
    rows = client.query(
        "SELECT queue, toUnixTimestamp(opened_at), in_progress_after, never_left, never_offered"
        f" FROM queue_balance({_arguments(asked)}) WHERE queue IN {{queues:Array(String)}}",
        parameters={"queues": queues},
    ).result_rows
    return {(queue, opened * 1000): tuple(rest) for queue, opened, *rest in rows}


def _counted_to(client: Client) -> int:
    """The clock of the partition that is furthest behind, among those that ever had an event; 0 before the first."""
    rows = client.query(
        "SELECT toUnixTimestamp64Milli(min(clock)) FROM subjects FINAL"
        " WHERE kind = 'partition' AND hop = 1 AND rows > 0"
    ).result_rows
    return int(rows[0][0])
