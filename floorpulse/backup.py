"""
A backup of what ClickHouse holds, with the places in Kafka that it belongs to; and the way back.

Kafka itself is not in it: what came after the backup stands in the log, and the worker reads it from there again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from floorpulse.clock import utc_now
from floorpulse.offsets import admin_client, committed_offsets, end_offsets, first_offsets
from floorpulse.settings import Settings
from floorpulse.wiring import clickhouse_client
from schemas.errors import InputError, Unavailable
from schemas.topics import COMMANDS, CONTRIBUTIONS, DEAD_LETTERS, EVENTS, WORKER_GROUP
from sinks.backup_files import Manifest, Mark, new_folder, read_manifest, write_manifest

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Progress = Callable[[str, int], None]
"""Told what is done, and how much of it: rows of a table, or seconds."""

READ_BY_COMMIT = (COMMANDS, DEAD_LETTERS)
"""Topics whose place is not a checkpoint in ClickHouse but what the worker committed to Kafka."""
GONE_WITHIN_S = 45.0
"""A worker that was stopped stays a member of its group for 30 s, as it may come back."""
ASK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and what there is to say about the log."""

    manifest: Manifest
    notes: list[str]


def back_up(settings: Settings, target: Path, progress: Progress) -> Manifest:
    """Write a backup into a new folder; the floor may run. InputError: the folder; Unavailable: a server."""
    from sinks.backup import dump
    from sinks.topics import topic_ids

    client = clickhouse_client(settings)
    with new_folder(target) as folder:
        with admin_client(settings) as admin:  # before any table: what is read again changes nothing
            topics = topic_ids(admin)
            committed = {topic: committed_offsets(admin, topic, WORKER_GROUP) for topic in READ_BY_COMMIT}
        dumped = dump(client, folder, progress)
        manifest = Manifest(
            made_at=utc_now().isoformat(timespec="seconds"),
            database=settings.clickhouse_database,
            clickhouse=str(client.server_version),
            marks=dumped.marks,
            refolds=dumped.refolds,
            tables=dumped.tables,
            topics=topics,
            committed=committed,
        )
        write_manifest(folder, manifest)
    return manifest


def restore(settings: Settings, folder: Path, *, replace: bool, progress: Progress) -> Restored:
    """
    Load a backup in the place of the database, which changes only when all of it is there.

    InputError: the backup is not whole, the database has rows and `replace` is not said, or a worker still runs.
    """
    from floorpulse.revisions import bring_back_revisions, erase_again
    from sinks.topics import topic_states

    manifest = read_manifest(folder)
    client = clickhouse_client(settings, database="default")
    _refuse_rows(client, settings.clickhouse_database, replace=replace)
    with admin_client(settings) as admin:
        wait_for_workers(admin, progress)
        same = {name for name, state in topic_states(admin).items() if manifest.topics.get(name) == state.topic_id}
        fresh = f"{settings.clickhouse_database}_restoring"
        _load(client, fresh, settings, (folder, manifest), progress)
        notes = [*_places(admin, manifest, same), *_rewind(admin, manifest, same)]
        take_place(client, fresh, settings)
        known = clickhouse_client(settings)
        notes += [*bring_back_revisions(settings, known, admin), *erase_again(settings, known)]
    return Restored(manifest, notes)


def _refuse_rows(client: Client, database: str, *, replace: bool) -> None:
    sql = (
        "SELECT ifNull(sum(total_rows), 0) FROM system.tables"
        " WHERE database = {database:String} AND name != 'retentions'"  # comes with the schema
    )
    rows = int(client.query(sql, parameters={"database": database}).result_rows[0][0])
    if rows and not replace:
        raise InputError(f"the database {database} holds {rows:,} rows: --replace drops them for those of the backup")


def wait_for_workers(admin: Any, progress: Progress) -> None:
    """
    Return once no worker is a member of the group.

    After `GONE_WITHIN_S`, InputError when one still is, and Unavailable when Kafka cannot tell.
    """
    began = time.monotonic()
    while (has_members := _has_members(admin)) is not False:
        waited_s = time.monotonic() - began
        if waited_s >= GONE_WITHIN_S:
            if has_members is None:
                raise Unavailable("Kafka cannot tell yet whether a worker runs: try again in a minute")
            raise InputError("a worker still runs: stop every worker before a restore")
        progress("waiting for the group of the workers", int(waited_s))
        time.sleep(ASK_EVERY_S)


def _has_members(admin: Any) -> bool | None:
    """Whether the group has members; None while a broker that has just started cannot tell."""
    from kafka.errors import KafkaError

    try:
        groups = {group["group_id"]: group["group_state"] for group in admin.list_groups()}
    except KafkaError as error:
        if not error.retriable:
            raise
        return None
    return groups.get(WORKER_GROUP, "Empty") not in {"Empty", "Dead"}


def _load(client: Client, database: str, settings: Settings, backup: tuple[Path, Manifest], progress: Progress) -> None:
    from sinks.backup_load import load
    from sinks.schema import apply_schema

    client.command(f"DROP DATABASE IF EXISTS {database} SYNC")
    apply_schema(client, database, settings.retention())
    load(client, *backup, progress)


def take_place(client: Client, fresh: str, settings: Settings) -> None:
    """
    Make a loaded database that of the settings, whatever stood there.

    Views name their tables with the database, those that feed a table too: they are made again under its name.
    """
    from sinks.schema import apply_schema

    sql = "SELECT name FROM system.tables WHERE database = {database:String} AND engine LIKE '%View'"
    for (view,) in client.query(sql, parameters={"database": fresh}).result_rows:
        client.command(f"DROP VIEW {fresh}.`{view}` SYNC")
    client.command(f"DROP DATABASE IF EXISTS {settings.clickhouse_database} SYNC")
    client.command(f"RENAME DATABASE {fresh} TO {settings.clickhouse_database}")
    apply_schema(client, settings.clickhouse_database, settings.retention())


def _places(admin: Any, manifest: Manifest, same: set[str]) -> Iterator[str]:
    """Where the worker goes on, and what of that is no longer in the log."""
    for topic in (EVENTS, CONTRIBUTIONS):
        marks = [mark for mark in manifest.marks if mark.topic == topic]
        if topic not in same:
            if marks:
                yield f"{topic} is not the topic of the backup: the worker reads it from its first record"
            continue
        first, end = first_offsets(admin, topic), end_offsets(admin, topic)
        for mark in sorted(marks, key=lambda one: one.partition):
            yield place_in_log(mark, first[mark.partition], end[mark.partition])


def place_in_log(mark: Mark, first: int, end: int) -> str:
    """Where the worker goes on in a partition that holds the offsets from `first` up to and without `end`."""
    where, next_ = f"{mark.topic}:{mark.partition}", mark.boundary + 1
    if next_ < first:
        gone = first - next_
        return f"{where} begins at {first}, {next_} is next: {gone} records are gone; worker --accept-gap goes on"
    if next_ > end:
        return f"{where} ends at {end}, but {next_} is next: the log is not the one of the backup"
    return f"{where} goes on at {next_}, {end - next_} records to read again"


def _rewind(admin: Any, manifest: Manifest, same: set[str]) -> Iterator[str]:
    """Have what was committed after the backup read again; what is there already is not done twice."""
    from kafka import TopicPartition
    from kafka.errors import NoError
    from kafka.structs import OffsetAndMetadata

    for topic in READ_BY_COMMIT:
        if topic not in same:
            continue
        first = first_offsets(admin, topic)
        wanted = {number: manifest.committed.get(topic, {}).get(number, 0) for number in first}
        places = {
            TopicPartition(topic, number): OffsetAndMetadata(max(offset, first[number]), "", -1)
            for number, offset in wanted.items()
        }
        for place, answer in admin.alter_group_offsets(WORKER_GROUP, places).items():
            if answer is not NoError:
                raise Unavailable(f"Kafka does not set {topic}:{place.partition} back: {answer.__name__}")
        gone = sum(max(0, first[number] - offset) for number, offset in wanted.items())
        if gone:
            yield f"{topic}: {gone} records since the backup are gone from the log"
