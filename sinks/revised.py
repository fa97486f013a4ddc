"""What is on record of some facts and does not count: earlier revisions, facts taken back, and dead letters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from schemas.controls import is_control
from schemas.events import FloorEvent, decode
from schemas.times import iso

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from sinks.scope import Asked

_UNTOLD = frozenset({"revision", "type", "source", "id"})

Adds = Callable[[str, FloorEvent], tuple[int, int]]
"""(subject, event) -> what its counters add to numerator and denominator."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One stored revision of a fact."""

    subject: str
    at_ms: int
    revision: int
    void: bool
    broker_ms: int
    ingest: int
    event: FloorEvent


@dataclass(frozen=True, slots=True)
class Correction:
    """One revision that replaced another, and what it changed."""

    at_ms: int
    """When the broker got it."""
    type: str
    source: str
    id: str
    happened_ms: int
    replaced: int
    by: int
    void: bool
    ingest: int
    changes: str
    before: tuple[int, int]
    """What the counters of the replaced revision added to numerator and denominator."""
    after: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Buried:
    """A dead letter that names who is asked for."""

    place: str
    reason: str
    detail: str
    at_ms: int | None
    """When it says that it happened; None where it does not say."""


def read_corrections(client: Client, where: tuple[str, dict[str, Any]], asked: Asked, adds: Adds) -> list[Correction]:
    """The corrections of facts that are, or were, in the range, in the order in which they came."""
    found = [step for chain in _chains(client, where, asked) for step in _steps(chain, adds)]
    return sorted(found, key=lambda step: (step.at_ms, step.id, step.by))


def read_buried(client: Client, names: list[str], queue: str, asked: Asked) -> list[Buried]:
    """
    Dead letters of the range that name one of some agents, or the queue; rows of files by any word that is one.

    Where there are neither, as in a team that nobody is in, there are none.
    """
    words = [name.rpartition(":")[2] for name in names] or [queue]
    if words == [""]:
        return []
    told = "parseDateTime64BestEffortOrNull(JSONExtractString(value, 'at'), 3, 'UTC')"
    rows = client.query(
        "SELECT if(origin = '', concat(topic, ':', toString(partition), ':', toString(offset)), origin), reason,"
        f" detail, toUnixTimestamp64Milli({told}) AS told"
        " FROM dead_letters FINAL WHERE (key IN {keys:Array(String)}"
        " OR JSONExtractString(value, 'agent') IN {agents:Array(String)}"
        " OR ({queue:String} != '' AND JSONExtractString(value, 'queue') = {queue:String})"
        " OR (NOT isValidJSON(value) AND match(value, {pattern:String})))"
        " AND (told IS NULL OR (told >= {start:Int64} AND told < {stop:Int64})) ORDER BY dead_letters.at",
        parameters={
            "keys": [f"agent:{name}" for name in names] + ([f"queue:{queue}"] if queue else []),
            "agents": [*names, *words] if names else [],
            "queue": queue,
            "pattern": "|".join(rf"\b\Q{word}\E\b" for word in words),
            "start": asked.from_ms,
            "stop": asked.to_ms,
        },
    ).result_rows
    return [Buried(*row) for row in rows]


def read_unknown(client: Client, asked: Asked, is_known: Callable[[str], bool]) -> list[str]:
    """Vendors' ids of agents, as SOURCE:ID, with facts in the range, that no person of the registry has."""
    rows = client.query(
        "SELECT DISTINCT substring(subject, 7) AS name FROM events"
        " WHERE startsWith(subject, concat('agent:', source, ':')) AND version > 0"
        " AND at >= fromUnixTimestamp64Milli({start:Int64}) AND at < fromUnixTimestamp64Milli({stop:Int64})"
        " ORDER BY name",
        parameters={"start": asked.from_ms, "stop": asked.to_ms},
    ).result_rows
    return [name for (name,) in rows if not is_known(name)]


def _chains(client: Client, where: tuple[str, dict[str, Any]], asked: Asked) -> Iterator[list[Revision]]:
    rows = client.query(
        "SELECT source, id, toString(type), subject, toUnixTimestamp64Milli(at), revision, void,"
        " toUnixTimestamp64Milli(broker_at), ingest, payload FROM events FINAL WHERE (source, id, type) IN ("
        f" SELECT source, id, type FROM events WHERE {where[0]} AND (revision > 0 OR superseded_by > 0)"
        " AND at >= fromUnixTimestamp64Milli({start:Int64}) AND at < fromUnixTimestamp64Milli({stop:Int64}))"
        " ORDER BY source, id, type, revision",
        parameters={**where[1], "start": asked.from_ms, "stop": asked.to_ms},
    ).result_rows
    for _, chain in groupby(rows, key=lambda row: row[:3]):
        revisions = (_revision(row[3:]) for row in chain)
        yield [revision for revision in revisions if revision is not None]


def _revision(row: Any) -> Revision | None:
    subject, at_ms, revision, void, broker_ms, ingest, payload = row
    event = decode(payload.encode())
    if is_control(event):
        return None
    return Revision(subject, int(at_ms), int(revision), bool(void), int(broker_ms), int(ingest), event)


def _steps(chain: list[Revision], adds: Adds) -> Iterator[Correction]:
    for old, new in pairwise(chain):
        event = new.event
        yield Correction(
            max(old.broker_ms, new.broker_ms), event.type, event.source, event.id, old.at_ms, old.revision,
            new.revision, new.void, new.ingest, changes(old, new), _adds(old, adds), _adds(new, adds),
        )  # fmt: skip


def _adds(revision: Revision, adds: Adds) -> tuple[int, int]:
    return (0, 0) if revision.void else adds(revision.subject, revision.event)


def changes(old: Revision, new: Revision) -> str:
    """The fields that a revision changed, with what they were and are."""
    if new.void:
        return "taken back"
    before, after = _fields(old), _fields(new)
    told = [
        f"{name} {_told(before.get(name))} -> {_told(after.get(name))}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    return ", ".join(told) or "the same again"


def _fields(revision: Revision) -> dict[str, Any]:
    fields = {name: value for name, value in revision.event.model_dump(mode="json").items() if name not in _UNTOLD}
    return fields | {"at": iso(revision.at_ms)}


def _told(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
