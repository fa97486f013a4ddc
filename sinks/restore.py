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


def read_checkpoint(client: Client, topic: str, partition: int, hop: int, epoch: int) -> Checkpoint | None:
    """The checkpoint of a partition; of an older epoch only its state counts, and it begins anew at offset 0."""
    rows = client.query(
        "SELECT boundary, toUnixTimestamp64Milli(clock), rows, duplicates, dead, controls, body, version"
        " FROM subjects FINAL WHERE subject = {subject:String} AND hop = {hop:UInt8}",
        parameters={"subject": f"{topic}:{partition}", "hop": hop},
    ).result_rows
    if not rows:
        return None
    boundary, clock, count, duplicates, dead, controls, body, version = rows[0]
    if version >> OFFSET_BITS < epoch:
        boundary = -1
    return Checkpoint(int(boundary), int(clock), int(count), int(duplicates), int(dead), int(controls), from_json(body))


def read_bodies(client: Client, partition: int, hop: int) -> dict[str, dict[str, Any]]:
    """Subject -> small state, of one owner."""
    rows = client.query(
        "SELECT subject, body FROM subjects FINAL"
        " WHERE hop = {hop:UInt8} AND partition = {partition:UInt16} AND kind != 'partition'",
        parameters={"hop": hop, "partition": partition},
    ).result_rows
    return {str(subject): from_json(body) for subject, body in rows}


def read_stored(client: Client, topic: str, partition: int, epoch: int) -> Stored | None:
    """
    Everything of one partition of events as of its checkpoint; None when it has none.

    Of the ids, those of the last half hour: what is older is looked up in any case, and `events` may hold weeks.
    Panes that stand above the checkpoint (their flush never reached it) hold events that will be replayed: they are
    folded again from the raw events up to it.
    """
    checkpoint = read_checkpoint(client, topic, partition, 1, epoch)
    if checkpoint is None:
        return None
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
    return Stored(checkpoint, read_bodies(client, partition, 1), panes, known, forgotten)


def _read_minutes(client: Client, partition: int, from_minute: int) -> list[tuple[str, int, int, bytes]]:
    parameters = {"partition": partition, "start": from_minute * 60}
    where = "partition = {partition:UInt16} AND minute >= toDateTime({start:UInt32})"
    return packed_minutes(client, "agent", where, parameters) + packed_minutes(client, "queue", where, parameters)
