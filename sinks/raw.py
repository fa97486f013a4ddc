"""Reads of raw events: for folding minutes again, for the ids of a partition, for what is known of an identity."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from schemas.events import Control, FloorEvent, decode
from streams.core.identity import REMEMBERED, Known, identity_of
from streams.core.spans import Identity

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_BORN = "bitShiftLeft(toUInt64(epoch), 48) + offset"
"""The version a row had before another revision marked it."""
_KNOWN = "partition, offset, revision, content, toUnixTimestamp64Milli(at), payload, source, id, toString(type)"


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
    return [(offset, event) for offset, event in events if not isinstance(event, Control)]


def last_known(client: Client, partition: int, limit: int) -> tuple[list[tuple[Identity, Known]], int]:
    """The last ids of a partition up to a version, oldest first, and the newest time among all older ones (or -1)."""
    counts = "(superseded_by = 0 OR version > {limit:UInt64})"
    where = f"partition = {{partition:UInt16}} AND {_BORN} <= {{limit:UInt64}} AND {counts}"
    rows = client.query(
        f"SELECT {_KNOWN} FROM events WHERE {where} ORDER BY epoch DESC, offset DESC LIMIT {{most:UInt32}}",
        parameters={"partition": partition, "limit": limit, "most": REMEMBERED},
    ).result_rows
    known = [_known(row) for row in reversed(rows)]
    if len(known) < REMEMBERED:
        return known, -1
    older = client.query(
        f"SELECT toUnixTimestamp64Milli(max(at)) FROM events WHERE {where} AND offset < {{oldest:UInt64}}",
        parameters={"partition": partition, "limit": limit, "oldest": known[0][1].offset},
    ).result_rows
    return known, int(older[0][0])


def look_up(client: Client, events: Sequence[FloorEvent]) -> dict[Identity, Known]:
    """What ClickHouse knows of the identities of some events: the highest revision of each."""
    if not events:
        return {}
    ids = sorted({event.id for event in events})
    rows = client.query(
        f"SELECT {_KNOWN} FROM events WHERE id IN {{ids:Array(String)}} ORDER BY revision, version",
        parameters={"ids": ids},
    ).result_rows
    wanted = {identity_of(event) for event in events}
    return {identity: known for identity, known in map(_known, rows) if identity in wanted}


def _known(row: Sequence[object]) -> tuple[Identity, Known]:
    partition, offset, revision, content, at_ms, payload, source, id_, type_ = row
    known = Known(
        int(str(partition)),
        int(str(offset)),
        int(str(revision)),
        int(str(content)),
        int(str(at_ms)),
        str(payload).encode(),
    )
    return f"{source}\x1f{id_}\x1f{type_}", known


def chunks(events: Iterable[FloorEvent], size: int = 2_000) -> list[list[FloorEvent]]:
    """Events in lists of at most `size`, so that a query stays small."""
    events = list(events)
    return [events[i : i + size] for i in range(0, len(events), size)]
