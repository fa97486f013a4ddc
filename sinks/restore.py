"""What a worker reads at its start: checkpoints, the small state of its subjects, resident panes and the last ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from schemas.times import minute_of
from sinks.late import refolded
from sinks.raw import last_known
from sinks.stored_panes import packed_by_minute, packed_minutes
from streams.core.log import OFFSET_BITS, Checkpoint, Stored, version_of
from streams.core.panes import RESIDENT_MINUTES
from streams.core.partition import REMEMBERED_MS

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def read_subjects(
    client: Client, topic: str, partition: int, hop: int, epoch: int
) -> tuple[Checkpoint, dict[str, dict[str, Any]]] | None:
    """
    The checkpoint of a partition, and subject -> small state of what it owns; None before its first flush.

    Read at once, as they are written: the owner before may still end a flush, and small states that are ahead of the
    checkpoint would count what is replayed twice. Of an older epoch only the state counts, and the log begins anew
    at offset 0.
    """
    rows = client.query(
        "SELECT subject, kind, body, boundary, toUnixTimestamp64Milli(clock), rows, duplicates, dead, controls, version"
        " FROM subjects FINAL WHERE hop = {hop:UInt8} AND partition = {partition:UInt16}",
        parameters={"partition": partition, "hop": hop},
    ).result_rows
    bodies = {subject: from_json(body) for subject, kind, body, *_ in rows if kind != "partition"}
    own = [row for row in rows if row[0] == f"{topic}:{partition}"]
    if not own:
        return None
    _, _, body, boundary, clock, count, duplicates, dead, controls, version = own[0]
    if version >> OFFSET_BITS < epoch:
        boundary = -1
    numbers = (int(boundary), int(clock), int(count), int(duplicates), int(dead), int(controls))
    return Checkpoint(*numbers, from_json(body)), bodies


def read_stored(client: Client, topic: str, partition: int, epoch: int) -> Stored | None:
    """
    Everything of one partition of events as of its checkpoint; None when it has none.

    Of the ids, those of the last half hour: what is older is looked up in any case, and `events` may hold weeks.
    Panes that stand above the checkpoint (their flush never reached it) hold events that will be replayed: they are
    folded again from the raw events up to it.
    """
    found = read_subjects(client, topic, partition, 1, epoch)
    if found is None:
        return None
    checkpoint, bodies = found
    limit = version_of(epoch, checkpoint.boundary)
    horizon = minute_of(max(checkpoint.body["now"], 0)) - RESIDENT_MINUTES
    panes: list[tuple[str, int, bytes]] = []
    above: dict[str, set[int]] = {}
    for key, minute, version, cells in _read_minutes(client, partition, max(horizon, 0)):
        if version <= limit:
            panes.append((key, minute, cells))
        else:
            above.setdefault(key, set()).add(minute)
    for key in sorted(above):
        panes += packed_by_minute(refolded(client, key, above[key], limit, checkpoint.clock_ms))
    known, forgotten = last_known(client, partition, limit, checkpoint.clock_ms - REMEMBERED_MS)
    return Stored(checkpoint, bodies, panes, known, forgotten)


def _read_minutes(client: Client, partition: int, from_minute: int) -> list[tuple[str, int, int, bytes]]:
    parameters = {"partition": partition, "start": from_minute * 60}
    where = "partition = {partition:UInt16} AND minute >= toDateTime({start:UInt32})"
    return packed_minutes(client, "agent", where, parameters) + packed_minutes(client, "queue", where, parameters)
