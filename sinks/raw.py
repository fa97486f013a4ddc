"""Reads of raw events: for folding minutes again, for the ids of a partition, for what is known of an identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from schemas.controls import is_control
from schemas.events import FloorEvent, decode, parted
from streams.core.identity import ELSEWHERE, REMEMBERED, Known
from streams.core.spans import Identity
from streams.core.versions import version_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_BORN = "bitShiftLeft(toUInt64(epoch), 48) + offset"
"""The version a row had before another revision marked it."""
_KNOWN = (
    "concat(source, char(31), id, char(31), toString(type)), partition, offset, revision, content,"
    " toUnixTimestamp64Milli(at), payload, toUnixTimestamp64Milli(broker_at), ingest, epoch"
)
"""The identity as `schemas.events.joined` makes it, and the fields of `Known` in their order; read with `_FORMATS`."""
_MOVED = (
    "concat(source, char(31), id, char(31), toString(type)), partition, offset, toUInt32(0), toUInt64(0),"
    " toUnixTimestamp64Milli(asked_at), '' AS payload, toUnixTimestamp64Milli(asked_at), toUInt64(0), epoch, revision,"
    " version"
)
"""The same of a fact that only another partition has: as of a row that was replaced; and its version."""
ROWS_AT_ONCE = 8_192
"""What is read in blocks of so many rows: the whole of a start would be in memory twice, and leave holes there."""
_FORMATS: dict[str, str | dict[str, str]] = {"payload": "bytes"}


def current_events(client: Client, subject: str, from_ms: int, to_ms: int, limit: int) -> list[tuple[int, FloorEvent]]:
    """(offset, event) of a subject in [from, to) that counted when `limit` was the last version."""
    rows = client.query(
        "SELECT offset, payload FROM events FINAL"
        " WHERE subject = {subject:String}"
        " AND at >= fromUnixTimestamp64Milli({start:Int64}) AND at < fromUnixTimestamp64Milli({stop:Int64})"
        f" AND void = 0 AND {_BORN} <= {{limit:UInt64}}"
        " AND (superseded_by = 0 OR version > {limit:UInt64}) ORDER BY epoch, offset",
        parameters={
            "subject": subject,
            "start": from_ms,
            "stop": to_ms,
            "limit": limit,
        },
    ).result_rows
    events = [(int(offset), decode(payload.encode())) for offset, payload in rows]
    return [(offset, event) for offset, event in events if not is_control(event)]


def current_events_of(
    client: Client, where: tuple[str, dict[str, Any]], from_ms: int, to_ms: int, limits: Mapping[int, int]
) -> dict[str, tuple[int, list[tuple[int, FloorEvent]]]]:
    """
    Subject -> its partition and the (offset, event) in [from, to) that counted at the last version of each partition.

    `where`: SQL over `events` with its parameters; `limits`: partition -> version.
    """
    limit = "transform(partition, {partitions:Array(UInt16)}, {limits:Array(UInt64)}, toUInt64(0))"
    rows = client.query(
        f"SELECT subject, partition, offset, payload FROM events FINAL WHERE {where[0]}"
        " AND at >= fromUnixTimestamp64Milli({start:Int64}) AND at < fromUnixTimestamp64Milli({stop:Int64})"
        f" AND void = 0 AND {_BORN} <= {limit} AND (superseded_by = 0 OR version > {limit})"
        " ORDER BY subject, epoch, offset",
        parameters={
            **where[1],
            "start": from_ms,
            "stop": to_ms,
            "partitions": list(limits),
            "limits": list(limits.values()),
        },
    ).result_rows
    found: dict[str, tuple[int, list[tuple[int, FloorEvent]]]] = {}
    for subject, partition, offset, payload in rows:
        event = decode(payload.encode())
        if not is_control(event):
            found.setdefault(str(subject), (int(partition), []))[1].append((int(offset), event))
    return found


LastIds = tuple[list[tuple[Identity, Known]], int]
"""Ids, oldest first; and the newest event time of which there may be others (or -1)."""


def last_known(client: Client, asked: Mapping[int, tuple[int, int]]) -> dict[int, LastIds]:
    """
    Partition -> its last ids; `asked`: partition -> (version up to which, event time from which).

    A fact whose higher revision went to another key is known as held elsewhere, in that revision. Of the rows since
    then the newest versions are found here: FINAL would go through all of their days.
    """
    limit = "transform(partition, {partitions:Array(UInt16)}, {limits:Array(UInt64)}, toUInt64(0))"
    since = "transform(partition, {partitions:Array(UInt16)}, {since:Array(Int64)}, toInt64(0))"
    times = [max(since_ms, 0) for _, since_ms in asked.values()]
    known: dict[int, list[tuple[Identity, Known]]] = {partition: [] for partition in asked}
    with client.query_rows_stream(
        f"SELECT * FROM (SELECT {_KNOWN}, if(superseded_by > 0 AND version <= {limit}, superseded_by, 0)"
        " FROM (SELECT * FROM events WHERE at >= fromUnixTimestamp64Milli({first:Int64})"
        f" AND partition IN {{partitions:Array(UInt16)}} AND toUnixTimestamp64Milli(at) >= {since}"
        " ORDER BY version DESC LIMIT 1 BY type, subject, at, source, id, revision)"
        f" WHERE {_BORN} <= {limit} AND version > 0"
        " ORDER BY epoch DESC, offset DESC LIMIT {most:UInt32} BY partition) ORDER BY epoch, offset",
        parameters={
            "partitions": list(asked),
            "limits": [version for version, _ in asked.values()],
            "since": times,
            "first": min(times, default=0),
            "most": REMEMBERED,
        },
        settings={"max_block_size": ROWS_AT_ONCE},
        column_formats=_FORMATS,
    ) as rows:
        for row in rows:
            known[row[1]].append(_as_of(*row))
    forgotten = {
        partition: _forgotten(client, partition, known[partition], version, max(since_ms, 0))
        for partition, (version, since_ms) in asked.items()
    }
    _add_moved(client, asked, known)
    return {partition: (ids, forgotten[partition]) for partition, ids in known.items()}


def _add_moved(
    client: Client, asked: Mapping[int, tuple[int, int]], known: dict[int, list[tuple[Identity, Known]]]
) -> None:
    """Put the facts that only other partitions have among the last ids, in their order."""
    rows = client.query(
        f"SELECT {_MOVED} FROM moved_facts WHERE partition IN {{partitions:Array(UInt16)}}"
        " AND asked_at >= fromUnixTimestamp64Milli({first:Int64})",
        parameters={
            "partitions": list(asked),
            "first": min((max(since_ms, 0) for _, since_ms in asked.values()), default=0),
        },
        column_formats=_FORMATS,
    ).result_rows
    for *row, version in rows:
        partition, at_ms = row[1], row[5]
        if version <= asked[partition][0] and at_ms >= asked[partition][1]:
            known[partition].append(_as_of(*row))
    for partition in {row[1] for row in rows}:
        known[partition].sort(key=lambda one: (one[1].epoch, one[1].offset))


def _forgotten(client: Client, partition: int, known: list[tuple[Identity, Known]], limit: int, since_ms: int) -> int:
    """The newest event time of which there may be others than the last ids."""
    if len(known) < REMEMBERED:
        return since_ms - 1
    oldest = known[0][1]
    older = client.query(
        "SELECT toUnixTimestamp64Milli(maxIf(at, type != 'shift_planned')) FROM events"
        f" WHERE partition = {{partition:UInt16}} AND {_BORN} <= {{limit:UInt64}} AND version > 0"
        f" AND at >= fromUnixTimestamp64Milli({{since:Int64}}) AND {_BORN} < {{oldest:UInt64}}",
        parameters={
            "partition": partition,
            "limit": limit,
            "since": since_ms,
            "oldest": version_of(oldest.epoch, oldest.offset),
        },
    ).result_rows
    return max(since_ms - 1, int(older[0][0]))


def look_up(client: Client, identities: Sequence[Identity]) -> dict[Identity, list[Known]]:
    """All that ClickHouse has of some identities: rows of events, and that other partitions have a higher revision."""
    found: dict[Identity, list[Known]] = {}
    if not identities:
        return found
    _, ids, types = (sorted(set(parts)) for parts in zip(*map(parted, identities), strict=True))
    meant = "id IN {ids:Array(String)} AND type IN {types:Array(String)}"  # rows are sorted by type: it leaves out most
    rows = client.query(
        f"SELECT {_KNOWN}, superseded_by, version FROM events WHERE {meant}"
        f" UNION ALL SELECT {_MOVED} FROM moved_facts WHERE {meant}",
        parameters={"ids": ids, "types": types},
        column_formats=_FORMATS,
    ).result_rows
    wanted = set(identities)
    for identity, *fields in rows:
        if identity in wanted:
            found.setdefault(identity, []).append(Known(*fields))
    return found


def _as_of(identity: Identity, partition: int, offset: int, revision: int, *rest: Any) -> tuple[Identity, Known]:
    """What is known of a fact; the last of the rest is the revision that it has elsewhere, or 0."""
    *fields, elsewhere = rest
    if elsewhere:
        return identity, Known(ELSEWHERE, offset, elsewhere, *fields)
    return identity, Known(partition, offset, revision, *fields)


def chunks(identities: Sequence[Identity], size: int = 2_000) -> list[Sequence[Identity]]:
    """Identities in lists of at most `size`, so that a query stays small."""
    return [identities[i : i + size] for i in range(0, len(identities), size)]
