"""How rows go into ClickHouse: columns, their types, and values as ClickHouse wants them (ticks, not datetimes)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from schemas.alerts import Transition
from schemas.panes import ABANDONED_WITHIN, AGENT_COLUMNS, ANSWERED_WITHIN, MAPS, QUEUE_COLUMNS
from schemas.times import to_ms
from streams.core.facts import CellKey
from streams.core.log import Checkpoint, EventRow, Frozen, SubjectRow, WindowRow, version_of
from streams.core.panes import Pane

_TICKS = "DateTime64(3, 'UTC')"
_LOW = "LowCardinality(String)"


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the columns that are written, in order."""

    name: str
    columns: dict[str, str]
    """Column -> ClickHouse type."""


EVENTS = Table(
    "events",
    {
        "type": _LOW, "subject": "String", "at": _TICKS, "source": _LOW, "id": "String", "revision": "UInt32",
        "void": "UInt8", "superseded_by": "UInt32", "payload": "String", "content": "UInt64", "topic": _LOW,
        "partition": "UInt16", "offset": "UInt64", "epoch": "UInt16", "broker_at": _TICKS, "ingest": "UInt64",
        "version": "UInt64",
    },
)  # fmt: skip
AGENT_MINUTES = Table(
    "agent_minutes",
    {
        "agent": "String", "minute": "DateTime('UTC')", "queue": "String", "channel": _LOW,
        **dict.fromkeys(AGENT_COLUMNS, "UInt64"),
        **dict.fromkeys(MAPS, "Map(LowCardinality(String), UInt64)"), "handle_times_ms": "Array(UInt32)",
        "partition": "UInt16", "version": "UInt64",
    },
)  # fmt: skip
QUEUE_MINUTES = Table(
    "queue_minutes",
    {
        "queue": "String", "minute": "DateTime('UTC')", "channel": _LOW,
        **dict.fromkeys(QUEUE_COLUMNS, "UInt64"),
        "answered_waits": "Array(UInt32)", "abandoned_waits": "Array(UInt32)", "handle_times_ms": "Array(UInt32)",
        "partition": "UInt16", "version": "UInt64",
    },
)  # fmt: skip
WINDOWS = Table(
    "windows",
    {
        "subject": "String", "window": _LOW, "opened_at": _TICKS, "closed_at": _TICKS,
        "sums": "Map(LowCardinality(String), Int64)", "hop": "UInt8", "version": "UInt64",
    },
)  # fmt: skip
SUBJECTS = Table(
    "subjects",
    {
        "subject": "String", "hop": "UInt8", "kind": _LOW, "partition": "UInt16", "state": _LOW, "reason": _LOW,
        "since": _TICKS, "in_hand": "UInt32", "waiting": "UInt32", "oldest_wait_at": _TICKS, "team": "String",
        "site": "String", "clock": _TICKS, "boundary": "Int64", "rows": "UInt64", "duplicates": "UInt64",
        "dead": "UInt64", "controls": "UInt64", "body": "String", "version": "UInt64",
    },
)  # fmt: skip
TRANSITIONS = Table(
    "alert_transitions",
    {
        "alert": "String", "sequence": "UInt32", "state": _LOW, "reason": _LOW, "at": _TICKS, "rule": _LOW,
        "rule_version": "UInt32", "subject": "String", "kpi": _LOW, "window": _LOW, "window_from": _TICKS,
        "window_to": _TICKS, "value": "Nullable(Float64)", "n": "Int64", "threshold": "Float64", "severity": _LOW,
        "opens": _LOW, "team": "String", "site": "String", "started_at": _TICKS, "day": "Nullable(Date)",
        "evidence": "String", "version": "UInt64",
    },
)  # fmt: skip

DEAD_LETTERS = Table(
    "dead_letters",
    {
        "topic": _LOW, "partition": "Int32", "offset": "Int64", "origin": "String", "reason": _LOW, "detail": "String",
        "key": "String", "value": "String", "ingest": "UInt64", "at": _TICKS,
    },
)  # fmt: skip


def event_row(row: EventRow, frozen: Frozen) -> tuple[Any, ...]:
    """A row of `events`."""
    return (
        row.type, row.subject, row.at_ms, row.source, row.id, row.revision, int(row.void), row.superseded_by,
        row.payload, row.content, frozen.topic, frozen.partition, row.offset, row.epoch,
        row.broker_ms, row.ingest, row.version,
    )  # fmt: skip


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
    return (row.subject, row.window, max(row.opened_ms, 0), max(row.closed_ms, 0), row.sums, frozen.hop, version)


def subject_row(row: SubjectRow, frozen: Frozen, version: int) -> tuple[Any, ...]:
    """A row of `subjects` for an agent, a queue or a group."""
    return (
        row.subject, frozen.hop, row.kind, frozen.partition, row.state, row.reason, row.since_ms, row.in_hand,
        row.waiting, row.oldest_wait_ms, row.team, row.site, frozen.checkpoint.clock_ms, 0, 0, 0, 0, 0,
        compact(row.body), version,
    )  # fmt: skip


def checkpoint_row(frozen: Frozen) -> tuple[Any, ...]:
    """The partition's own row of `subjects`: written in the same block as its subjects."""
    mark: Checkpoint = frozen.checkpoint
    return (
        f"{frozen.topic}:{frozen.partition}", frozen.hop, "partition", frozen.partition, "", "", 0, 0, 0, 0, "", "",
        mark.clock_ms, mark.boundary, mark.rows, mark.duplicates, mark.dead, mark.controls, compact(mark.body),
        version_of(frozen.epoch, max(mark.boundary, 0)),
    )  # fmt: skip


def transition_row(step: Transition, version: int) -> tuple[Any, ...]:
    """A row of `alert_transitions`."""
    evidence = json.dumps([row.model_dump(mode="json") for row in step.evidence])
    return (
        step.alert, step.sequence, step.state, step.reason, to_ms(step.at), step.rule, step.rule_version, step.subject,
        step.kpi, step.window, to_ms(step.window_from), to_ms(step.window_to), step.value, step.n, step.threshold,
        step.severity, step.opens, step.team, step.site, to_ms(step.started_at), step.day, evidence, version,
    )  # fmt: skip


def compact(body: Any) -> str:
    """JSON without spaces."""
    return to_json(body).decode()


def columns_of(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows turned into columns."""
    return [list(column) for column in zip(*rows, strict=True)]
