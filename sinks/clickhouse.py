"""
The ClickHouse sink: what a flush writes, in the order that makes a crash at any point harmless.

(1) raw events and facts that moved, (2) panes, windows and alert transitions, (3) one INSERT of one block into
`subjects`: the changed subjects with the partition's own checkpoint. So nothing that a checkpoint stands for is
missing. (4) What is erased goes, once no start needs it any more: whoever starts behind such a checkpoint says again
what has to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from clickhouse_connect.driver.exceptions import DatabaseError, DataError, Error

from schemas.errors import StopWorker, Unavailable
from sinks.erasure import erase_owned, keep_places
from sinks.horizon import NOTHING_LOST, read_horizon
from sinks.late import late_panes
from sinks.retention import DEFAULT_RETENTION, Retention
from sinks.rows import (
    AGENT_MINUTES,
    EVENTS,
    MOVED_FACTS,
    QUEUE_MINUTES,
    SUBJECTS,
    TRANSITIONS,
    WINDOWS,
    Table,
    checkpoint_row,
    event_row,
    insert,
    move_row,
    pane_rows,
    subject_row,
    transition_row,
    window_row,
)
from streams.core.log import Frozen
from streams.core.versions import version_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

PARTITIONS_PER_INSERT = 50
"""ClickHouse refuses an insert that touches more than 100 partitions."""
DAY_S = 86_400
"""A UTC day is a partition of `events` and of the minutes."""
_FATAL = frozenset({16, 26, 27, 36, 38, 41, 44, 46, 47, 53, 60, 62, 69, 72, 81, 115, 117, 192, 349, 457, 497, 516})
"""Codes that no retry mends: unknown column, table or database, types, values that do not parse, access."""

Step = Callable[[str], None]


class ClickHouseSink:
    """Writes flushes. One client, used by one thread at a time."""

    def __init__(
        self, client: Client, step: Step = lambda _name: None, retention: Retention = DEFAULT_RETENTION
    ) -> None:
        """`step` is told the name of each point between two writes; tests crash there."""
        self._client = client
        self._step = step
        self._retention = retention

    def write(self, flush: Sequence[Frozen]) -> None:
        """Write flushes of several partitions. Unavailable: try the very same again. StopWorker: never mends."""
        try:
            self._write(flush)
        except Error as error:
            raise sorted_error(error) from error
        except OSError as error:
            raise Unavailable(f"ClickHouse does not answer: {error}") from error

    def _write(self, flush: Sequence[Frozen]) -> None:
        self._insert(EVENTS, (event_row(row, f) for f in flush for row in f.events), time=2)
        self._insert(MOVED_FACTS, (move_row(move, f) for f in flush for move in f.moves))
        self._step("after_events")
        self._write_panes(flush)
        self._step("after_panes")
        windows = (window_row(row, f, _version(f)) for f in flush for row in f.windows)
        self._insert(WINDOWS, windows)
        self._insert(TRANSITIONS, (transition_row(t, version) for f in flush for t, version in f.transitions))
        for frozen in flush:
            places = frozen.erasure.places if frozen.erasure else ()
            keep_places(self._client, frozen.topic, ((frozen.partition, *place) for place in places))
        self._step("before_subjects")
        rows = [subject_row(row, f, _version(f)) for f in flush for row in f.subjects]
        self._insert(SUBJECTS, [*rows, *(checkpoint_row(f) for f in flush)])
        self._step("after_subjects")
        self._erase(flush)

    def _erase(self, flush: Sequence[Frozen]) -> None:
        """Delete what these partitions hold of the people that their registry erases."""
        of: dict[frozenset[str], set[int]] = {}
        for frozen in flush:
            if frozen.erasure is not None:
                of.setdefault(frozen.erasure.ids, set()).add(frozen.partition)
        for ids, partitions in of.items():
            erase_owned(self._client, ids, partitions)
            self._step("after_erasure")

    def _write_panes(self, flush: Sequence[Frozen]) -> None:
        is_late = any(frozen.late for frozen in flush)
        horizon = read_horizon(self._client, self._retention) if is_late else NOTHING_LOST
        agents, queues = pane_rows(
            (frozen.partition, pane)
            for frozen in flush
            for pane in [*frozen.panes, *late_panes(self._client, frozen, horizon)]
        )
        self._insert(AGENT_MINUTES, agents, time=1)
        self._insert(QUEUE_MINUTES, queues, time=1)

    def _insert(self, table: Table, rows: Iterable[Sequence[Any]], time: int | None = None) -> None:
        """Insert rows; `time` is the place of the column whose day is the partition of a row, in seconds."""
        rows = list(rows)
        for chunk in _by_partitions(rows, time):
            insert(self._client, table, chunk)


def sorted_error(error: Error) -> Exception:
    """What comes next after an error of ClickHouse: retry (Unavailable) or stop (StopWorker)."""
    line = " ".join(str(error).split())[:400]
    is_ours = isinstance(error, DataError)  # the client could not write a value at all
    if is_ours or (isinstance(error, DatabaseError) and getattr(error, "code", None) in _FATAL):
        return StopWorker(f"ClickHouse refuses the rows: {line}")
    return Unavailable(f"ClickHouse does not take the rows: {line}")


def _version(frozen: Frozen) -> int:
    return version_of(frozen.epoch, max(frozen.checkpoint.boundary, 0))


def _by_partitions(rows: list[Sequence[Any]], time: int | None) -> list[list[Sequence[Any]]]:
    """Chunks of rows that touch few partitions each."""
    if not rows:
        return []
    if time is None:
        return [rows]
    few = PARTITIONS_PER_INSERT // 2
    if len({row[time] // DAY_S for row in rows}) < few:
        return [rows]
    chunks: dict[int, list[Sequence[Any]]] = {}
    for row in rows:
        chunks.setdefault(row[time] // (DAY_S * few), []).append(row)
    return [chunks[key] for key in sorted(chunks)]
