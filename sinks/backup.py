"""
A backup of ClickHouse: every table as of the checkpoints of the partitions, while the floor goes on.

The checkpoints are read first. What stands above them is left out: raw events by their offset, and panes, whose minutes
are named instead, to be folded again from the raw events. So a restored floor is that of a prefix of the log, and the
worker goes on with the record after it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.times import to_ms
from schemas.topics import EVENTS
from sinks.backup_files import CHECKPOINTS, Mark, Part, Refold, read_part, write_parts
from streams.core.versions import OFFSET_BITS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Progress = Callable[[str, int], None]
"""Told the table and how many of its rows are written."""

_PARTED = re.compile(r"\w+\((\w+)\)")
"""The partition key of a table that is kept by time: a function of a column."""
_SLICE_S = {"events": 3_600}
"""Table -> length in seconds of the slices in which it is read, each of which fits into memory; else a day."""
_PANES = {"agent_minutes": "agent", "queue_minutes": "queue"}
_OF_RECORDS = frozenset({"erased_events", "moved_facts"})
"""Tables that say of each row which record of the log made it."""
_FIRST = ("rolled_days", *_PANES, "revisions")
"""
Rolled days before the quarter hours that each stands for: a day that is rolled up meanwhile is then one to roll again,
where the other way round it would count by quarter hours that were left out. Panes right after the checkpoints, as few
are above them then; revisions before the entries that each stands for.
"""
_BLOCK = 1024 * 1024
_BORN = "bitShiftLeft(toUInt64(epoch), 48) + offset"


@dataclass(frozen=True, slots=True)
class Dumped:
    """What was written."""

    marks: list[Mark]
    refolds: list[Refold]
    tables: dict[str, list[Part]]


def dump(client: Client, folder: Path, progress: Progress = lambda _table, _rows: None) -> Dumped:
    """Write every table into a folder. The floor may run; ClickHouse errors are raised as they are."""
    tables = {CHECKPOINTS: _dump_table(client, folder, CHECKPOINTS, [], progress)}
    marks = [mark for part in tables[CHECKPOINTS] for mark in _marks(folder, part)]
    rest = _tables(client) - {CHECKPOINTS, *_FIRST}
    for name in (*_FIRST, *sorted(rest)):
        tables[name] = _dump_table(client, folder, name, marks, progress)
    return Dumped(marks, _refolds(client, marks), tables)


def _marks(folder: Path, part: Part) -> Iterator[Mark]:
    """The checkpoints as they stand in the backup, not as they are by now."""
    names, text = read_part(folder, part)
    for line in text.decode("utf-8", "replace").split("\n")[1:-1]:
        row = dict(zip(names, line.split("\t"), strict=True))
        if row["kind"] == "partition":
            topic, _, partition = row["subject"].rpartition(":")
            version = int(row["version"])
            yield Mark(
                topic=topic,
                partition=int(partition),
                epoch=version >> OFFSET_BITS,
                boundary=int(row["boundary"]),
                version=version,
                clock_ms=to_ms(datetime.fromisoformat(row["clock"]).replace(tzinfo=UTC)),
            )


def _tables(client: Client) -> set[str]:
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    ).result_rows
    return {str(name) for (name,) in rows}


def _columns(client: Client, table: str) -> list[str]:
    rows = client.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {table:String}"
        " AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position",
        parameters={"table": table},
    ).result_rows
    return [str(name) for (name,) in rows]


def _dump_table(client: Client, folder: Path, table: str, marks: list[Mark], progress: Progress) -> list[Part]:
    columns = _columns(client, table)
    engine, partition_key = _about(client, table)
    source = f"{table} FINAL" if engine.startswith("Replacing") else table
    parts: list[Part] = []
    for number, where in enumerate(_slices(client, table, partition_key)):
        sql = (
            _of_events(columns, marks, where) if table == "events" else _of_table(table, source, columns, marks, where)
        )
        parts += write_parts(folder, f"{table}.{number}", _rows(client, sql), len(columns))
        progress(table, sum(part.rows for part in parts))
    return parts


def _about(client: Client, table: str) -> tuple[str, str]:
    """Engine and partition key of a table."""
    engine, key = client.query(
        "SELECT engine, partition_key FROM system.tables WHERE database = currentDatabase() AND name = {table:String}",
        parameters={"table": table},
    ).result_rows[0]
    return str(engine), str(key)


def _slices(client: Client, table: str, partition_key: str) -> Iterator[str]:
    """Conditions that together hold every row once."""
    parted = _PARTED.fullmatch(partition_key)
    if parted is None:
        yield "1"
        return
    column, length_s = parted[1], _SLICE_S.get(table, 86_400)
    sql = f"SELECT DISTINCT intDiv(toUnixTimestamp({column}), {length_s}) * {length_s} AS start FROM {table} ORDER BY 1"
    for (start,) in client.query(sql).result_rows:
        yield f"{column} >= toDateTime({start}, 'UTC') AND {column} < toDateTime({start + length_s}, 'UTC')"


def _of_table(table: str, source: str, columns: list[str], marks: list[Mark], where: str) -> str:
    below = ""
    if table in _PANES:
        below = f" AND version <= {_limit(marks)}"
    elif table in _OF_RECORDS:
        below = f" AND {_BORN} <= {_limit(marks)}"
    return f"SELECT {', '.join(columns)} FROM {source} WHERE {where}{below}"


def _of_events(columns: list[str], marks: list[Mark], where: str) -> str:
    """The events up to the marks; one that only a later record replaced is, as of then, one that counts."""
    later, as_of = f"version > {_limit(marks)}", {"superseded_by": "replaced_by", "version": "born"}
    chosen = ", ".join(f"{as_of[name]} AS {name}" if name in as_of else name for name in columns)
    return (
        f"SELECT {chosen} FROM (SELECT *, if({later}, 0, superseded_by) AS replaced_by,"
        f" if({later}, {_BORN}, version) AS born FROM events FINAL WHERE {where} AND {_BORN} <= {_limit(marks)})"
    )


def _limit(marks: list[Mark]) -> str:
    """The version of the mark of a row's partition; 0 for one that has none, so that nothing of it is taken."""
    ours = {mark.partition: mark.version for mark in marks if mark.topic == EVENTS}
    if not ours:
        return "toUInt64(0)"
    versions = ", ".join(f"toUInt64({version})" for version in ours.values())
    return f"transform(toUInt64(partition), [{', '.join(map(str, ours))}], [{versions}], toUInt64(0))"


def _refolds(client: Client, marks: list[Mark]) -> list[Refold]:
    """The minutes that were left out, read after the panes: whatever was above then still is."""
    found = []
    for table, kind in _PANES.items():
        rows = client.query(
            f"SELECT {kind}, partition, groupUniqArray(intDiv(toUnixTimestamp(minute), 60)) FROM {table}"
            f" WHERE version > {_limit(marks)} AND {_limit(marks)} > 0 GROUP BY {kind}, partition"
        ).result_rows
        found += [Refold(subject=f"{kind}:{name}", partition=int(p), minutes=sorted(ms)) for name, p, ms in rows]
    return found


def _rows(client: Client, sql: str) -> Iterator[bytes]:
    """The answer as tab-separated text with a line of names; it is whole, or an error."""
    settings: dict[str, Any] = {"wait_end_of_query": 1}
    stream: Any = client.raw_stream(sql, fmt="TabSeparatedWithNames", settings=settings)
    try:
        while block := stream.read(_BLOCK):
            yield block
    finally:
        stream.close()
