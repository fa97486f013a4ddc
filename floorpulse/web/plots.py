"""Reads what the plot of an alert or a case shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from floorpulse.web import queries
from floorpulse.web.places import zone_of
from floorpulse.web.queries import MinuteRow, SeriesQuestion
from floorpulse.web.record_queries import AlertRow
from floorpulse.web.series import Frame, frame_of, plot_data
from schemas.alerts import Transition
from schemas.kpis import KPIS, LIVE_KPIS
from schemas.registry import Registry
from schemas.times import DAY_MS, MINUTE_MS, to_ms

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def plot_of(
    client: Client, row: AlertRow, rule: Mapping[str, Any], registry: Registry, clock_ms: int
) -> dict[str, Any] | None:
    """The plot of the KPI around an alert; None for a KPI that nobody knows."""
    if row.kpi not in KPIS and row.kpi not in LIVE_KPIS:
        return None
    frame = frame_of(row, rule, registry, clock_ms)
    if not frame.starts:
        return None
    zone = zone_of(row.subject, registry, clock_ms).key
    rows: list[MinuteRow] = []
    for owner, column, ids in _whose(client, row.subject, registry):
        question = SeriesQuestion(
            owner=owner,
            column=column,
            ids=ids,
            from_ms=frame.starts[0],
            to_ms=_end(frame),
            zone=zone if frame.by_day else "",
        )
        rows += queries.series(client, question, frame.kpi)
    return plot_data(frame, rows, row, rule) | {"zone": zone}


def row_of(transition: Transition) -> AlertRow:
    """The step that a case holds as its evidence, as a row."""
    return AlertRow(
        alert=transition.alert,
        sequence=transition.sequence,
        state=transition.state,
        reason=transition.reason,
        at_ms=to_ms(transition.at),
        rule=transition.rule,
        rule_version=transition.rule_version,
        subject=transition.subject,
        kpi=transition.kpi,
        window=transition.window,
        from_ms=to_ms(transition.window_from),
        to_ms=to_ms(transition.window_to),
        value=transition.value,
        n=transition.n,
        threshold=transition.threshold,
        severity=transition.severity,
        opens=transition.opens,
        team=transition.team,
        started_ms=to_ms(transition.started_at),
    )


def _end(frame: Frame) -> int:
    return frame.starts[-1] + (DAY_MS + DAY_MS // 12 if frame.by_day else MINUTE_MS)


def _whose(client: Client, subject: str, registry: Registry) -> list[tuple[str, str, list[str]]]:
    """(table, column, ids) of the sums of a subject; what a queue's agents did stands in their own table."""
    kind, _, id_ = subject.partition(":")
    if kind == "agent":
        return [("agent", "agent", [id_])]
    if kind == "queue":
        return [("queue", "queue", [id_]), ("agent", "queue", [id_])]
    if kind == "team":
        return [("agent", "team", [id_])]
    if kind == "client":
        mine = [queue.id for queue in registry.floor.queues if queue.client == id_]
        return [("queue", "queue", mine), ("agent", "queue", mine)]
    there = [queue for queue in queries.queue_ids(client) if registry.site_of_queue(queue) == id_]
    return [("agent", "site", [id_]), ("queue", "queue", there)]
