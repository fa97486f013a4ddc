"""
How rows go into ClickHouse: the columns of each table, values as ClickHouse reads them, and the insert.

Rows go as JSON, which pydantic writes and ClickHouse reads fast: to turn them into columns and these into bytes in
Python took half of a flush. Instants are seconds with decimals, which ClickHouse reads as text, to the millisecond.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from schemas.alerts import Transition
from schemas.events import parted
from schemas.panes import ABANDONED_WITHIN, AGENT_COLUMNS, ANSWERED_WITHIN, MAPS, QUEUE_COLUMNS
from schemas.times import to_ms
from sinks.stored_panes import PaneOf
from streams.core.facts import CellKey
from streams.core.log import Checkpoint, EventRow, Frozen, Move, SubjectRow, WindowRow
from streams.core.panes import Pane
from streams.core.versions import version_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns that are written, in order."""

    name: str
    columns: tuple[str, ...]


EVENTS = Table(
    "events",
    (
        "type", "subject", "at", "source", "id", "revision", "void", "superseded_by", "payload", "content", "topic",
        "partition", "offset", "epoch", "broker_at", "ingest", "version",
    ),
)  # fmt: skip
MOVED_FACTS = Table(
    "moved_facts",
    ("source", "id", "type", "partition", "revision", "asked_at", "offset", "epoch", "version"),
)
AGENT_MINUTES = Table(
    "agent_minutes",
    ("agent", "minute", "queue", "channel", *AGENT_COLUMNS, *MAPS, "handle_times_ms", "partition", "version"),
)
QUEUE_MINUTES = Table(
    "queue_minutes",
    (
        "queue", "minute", "channel", *QUEUE_COLUMNS, "answered_waits", "abandoned_waits", "handle_times_ms",
        "partition", "version",
    ),
)  # fmt: skip
WINDOWS = Table("windows", ("subject", "window", "opened_at", "closed_at", "sums", "hop", "version"))
SUBJECTS = Table(
    "subjects",
    (
        "subject", "hop", "kind", "partition", "state", "reason", "since", "in_hand", "waiting", "oldest_wait_at",
        "team", "site", "clock", "boundary", "rows", "duplicates", "dead", "controls", "body", "version",
    ),
)  # fmt: skip
TRANSITIONS = Table(
    "alert_transitions",
    (
        "alert", "sequence", "state", "reason", "at", "rule", "rule_version", "subject", "kpi", "window",
        "window_from", "window_to", "value", "n", "threshold", "severity", "opens", "team", "site", "started_at",
        "day", "evidence", "version",
    ),
)  # fmt: skip


ROWS_AT_ONCE = 100
"""While rows are made JSON no other thread of this process runs: a large flush would hold the fold up for long."""


def insert(client: Client, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, if there are any."""
    if rows:
        block: Any = memoryview(_lines(rows))  # bytes would be copied by the client
        client.raw_insert(table.name, table.columns, block, fmt="JSONCompactEachRow")


def _lines(rows: Sequence[Sequence[Any]]) -> bytearray:
    """A line of JSON for so many rows each."""
    lines = bytearray()
    for start in range(0, len(rows), ROWS_AT_ONCE):
        lines += to_json(rows[start : start + ROWS_AT_ONCE])[1:-1]
        lines += b"\n"
    return lines


def event_row(row: EventRow, frozen: Frozen) -> tuple[Any, ...]:
    """A row of `events`."""
    return (
        row.type, row.subject, row.at_ms / 1000, row.source, row.id, row.revision, int(row.void), row.superseded_by,
        row.payload, row.content, frozen.topic, frozen.partition, row.offset, row.epoch,
        row.broker_ms / 1000, row.ingest, row.version,
    )  # fmt: skip


def move_row(move: Move, frozen: Frozen) -> tuple[Any, ...]:
    """A row of `moved_facts`."""
    version = version_of(frozen.epoch, move.offset)
    return (
        *parted(move.identity), frozen.partition, move.revision, move.at_ms / 1000, move.offset, frozen.epoch, version,
    )  # fmt: skip


def pane_rows(panes: Iterable[tuple[int, PaneOf]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The rows of `agent_minutes` and those of `queue_minutes` that (partition, pane) make."""
    agents, queues = [], []
    for partition, (key, minute, cell, pane) in panes:
        kind, _, name = key.partition(":")
        if kind == "agent":
            agents.append(agent_row(name, minute, cell, pane, partition))
        else:
            queues.append(queue_row(name, minute, cell, pane, partition))
    return agents, queues


def agent_row(agent: str, minute: int, cell: CellKey, pane: Pane, partition: int) -> tuple[Any, ...]:
    """A row of `agent_minutes`."""
    get = pane.sums.get
    sums = [get(column, 0) for column in AGENT_COLUMNS]
    return (agent, minute * 60, *cell, *sums, *_maps(pane), pane.handle_times, partition, pane.version)


def _maps(pane: Pane) -> list[dict[str, int]]:
    """The values of the columns of `MAPS`, in their order; columns with a prefix are the ones with a colon."""
    keyed = {column: value for column, value in pane.sums.items() if value and ":" in column}
    if not keyed:
        return [{} for _ in MAPS]
    return [
        {column[len(prefix) :]: value for column, value in keyed.items() if column.startswith(prefix)}
        for prefix, _ in MAPS.values()
    ]


def queue_row(queue: str, minute: int, cell: CellKey, pane: Pane, partition: int) -> tuple[Any, ...]:
    """A row of `queue_minutes`."""
    get = pane.sums.get
    sums = [get(column, 0) for column in QUEUE_COLUMNS]
    answered = [get(bucket, 0) for bucket in ANSWERED_WITHIN]
    abandoned = [get(bucket, 0) for bucket in ABANDONED_WITHIN]
    return (queue, minute * 60, cell[1], *sums, answered, abandoned, pane.handle_times, partition, pane.version)


def window_row(row: WindowRow, frozen: Frozen, version: int) -> tuple[Any, ...]:
    """A row of `windows`."""
    opened_s, closed_s = max(row.opened_ms, 0) / 1000, max(row.closed_ms, 0) / 1000
    return (row.subject, row.window, opened_s, closed_s, row.sums, frozen.hop, version)


def subject_row(row: SubjectRow, frozen: Frozen, version: int) -> tuple[Any, ...]:
    """A row of `subjects` for an agent, a queue or a group."""
    return (
        row.subject, frozen.hop, row.kind, frozen.partition, row.state, row.reason, row.since_ms / 1000,
        row.in_hand, row.waiting, row.oldest_wait_ms / 1000, row.team, row.site, frozen.checkpoint.clock_ms / 1000,
        0, 0, 0, 0, 0, compact(row.body), version,
    )  # fmt: skip


def checkpoint_row(frozen: Frozen) -> tuple[Any, ...]:
    """The partition's own row of `subjects`: written in the same block as its subjects."""
    mark: Checkpoint = frozen.checkpoint
    return (
        f"{frozen.topic}:{frozen.partition}", frozen.hop, "partition", frozen.partition, "", "", 0, 0, 0, 0, "", "",
        mark.clock_ms / 1000, mark.boundary, mark.rows, mark.duplicates, mark.dead, mark.controls, compact(mark.body),
        version_of(frozen.epoch, max(mark.boundary, 0)),
    )  # fmt: skip


def transition_row(step: Transition, version: int) -> tuple[Any, ...]:
    """A row of `alert_transitions`."""
    evidence = json.dumps([row.model_dump(mode="json") for row in step.evidence])
    return (
        step.alert, step.sequence, step.state, step.reason, _s(step.at), step.rule, step.rule_version, step.subject,
        step.kpi, step.window, _s(step.window_from), _s(step.window_to), step.value, step.n, step.threshold,
        step.severity, step.opens, step.team, step.site, _s(step.started_at), step.day, evidence, version,
    )  # fmt: skip


def compact(body: Any) -> str:
    """JSON without spaces."""
    return to_json(body).decode()


def _s(at: datetime) -> float:
    return to_ms(at) / 1000
