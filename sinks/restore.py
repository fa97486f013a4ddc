"""What a worker reads at its start: checkpoints, the small state of its subjects, resident panes and the last ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic_core import from_json

from schemas.times import minute_of
from sinks.late import refolded
from sinks.raw import last_known
from sinks.stored_panes import KINDS, packed_by_minute, packed_minutes
from streams.core.identity import REMEMBERED_MS
from streams.core.log import Checkpoint, Stored
from streams.core.panes import RESIDENT_MINUTES
from streams.core.versions import OFFSET_BITS, version_of

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


Bodies = dict[str, bytes]
"""Subject -> its small state, JSON."""


@dataclass(slots=True)
class Resident:
    """The resident minutes of a partition as ClickHouse has them."""

    panes: list[tuple[str, int, bytes]] = field(default_factory=list)
    """Those up to the checkpoint, as `streams.core.log.Stored` has them."""
    above: dict[str, set[int]] = field(default_factory=dict)
    """Subject -> minutes that stand above it."""


def read_subjects(
    client: Client, topic: str, partitions: Collection[int], hop: int, epoch: int
) -> dict[int, tuple[Checkpoint, Bodies]]:
    """
    Partition -> its checkpoint and what it owns; without those that were never flushed.

    Read at once, as they are written: the owner before may still end a flush, and small states that are ahead of the
    checkpoint would count what is replayed twice. Of an older epoch only the state counts, and the log begins anew
    at offset 0.
    """
    rows = client.query(
        "SELECT partition, subject, kind, body, boundary, toUnixTimestamp64Milli(clock), rows, duplicates, dead,"
        " controls, version FROM subjects FINAL WHERE hop = {hop:UInt8} AND partition IN {partitions:Array(UInt16)}",
        parameters={"partitions": list(partitions), "hop": hop},
        column_formats={"body": "bytes"},
    ).result_rows
    bodies: dict[int, Bodies] = {partition: {} for partition in partitions}
    checkpoints: dict[int, Checkpoint] = {}
    for partition, subject, kind, body, *mark, version in rows:
        if kind != "partition":
            bodies[partition][subject] = body
        elif subject == f"{topic}:{partition}":
            boundary, clock, count, duplicates, dead, controls = map(int, mark)
            boundary = -1 if version >> OFFSET_BITS < epoch else boundary
            checkpoints[partition] = Checkpoint(boundary, clock, count, duplicates, dead, controls, from_json(body))
    return {partition: (checkpoint, bodies[partition]) for partition, checkpoint in checkpoints.items()}


def read_stored(client: Client, topic: str, partitions: Collection[int], epoch: int) -> dict[int, Stored]:
    """
    Everything of partitions of events as of their checkpoints; without those that have none.

    They are read at once: each question would go through the minutes of all of them. Of the ids, those of the
    last half hour: what is older is looked up in any case, and `events` may hold weeks. Panes that stand above the
    checkpoint (their flush never reached it) hold events that will be replayed: they are folded again from the raw
    events up to it.
    """
    found = read_subjects(client, topic, partitions, 1, epoch)
    checkpoints = {partition: checkpoint for partition, (checkpoint, _) in found.items()}
    limits = {partition: version_of(epoch, checkpoint.boundary) for partition, checkpoint in checkpoints.items()}
    minutes = _read_minutes(client, checkpoints, limits)
    since = {partition: checkpoint.clock_ms - REMEMBERED_MS for partition, checkpoint in checkpoints.items()}
    last = last_known(client, {partition: (limit, since[partition]) for partition, limit in limits.items()})
    stored = {}
    for partition, (checkpoint, bodies) in found.items():
        resident = minutes.pop(partition)
        for key in sorted(resident.above):
            folded = refolded(client, key, resident.above[key], limits[partition], checkpoint.clock_ms)
            resident.panes += packed_by_minute(folded)
        stored[partition] = Stored(checkpoint, bodies, resident.panes, *last.pop(partition))
    return stored


def _read_minutes(
    client: Client, checkpoints: Mapping[int, Checkpoint], limits: Mapping[int, int]
) -> dict[int, Resident]:
    """Partition -> the minutes that are resident as of its checkpoint; `limits`: partition -> version of that."""
    first = {
        partition: max(minute_of(max(checkpoint.body["now"], 0)) - RESIDENT_MINUTES, 0)
        for partition, checkpoint in checkpoints.items()
    }
    parameters = {"partitions": list(first), "start": min(first.values(), default=0) * 60}
    where = "partition IN {partitions:Array(UInt16)} AND minute >= toDateTime({start:UInt32})"
    found = {partition: Resident() for partition in first}
    once: dict[int, int] = {}
    for kind in KINDS:
        for partition, key, read, version, cells in packed_minutes(client, kind, where, parameters):
            minute = once.setdefault(read, read)  # an int for each of them takes megabytes
            if minute < first[partition]:
                continue
            if version <= limits[partition]:
                found[partition].panes.append((key, minute, cells))
            else:
                found[partition].above.setdefault(key, set()).add(minute)
    return found
