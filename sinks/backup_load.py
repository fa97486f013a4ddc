"""A backup loaded into an empty database, and the panes that it left out folded again from its raw events."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import InputError
from schemas.times import MINUTE_MS, from_ms
from schemas.topics import EVENTS
from sinks.backup_files import CHECKPOINTS, Manifest, Part, read_part
from sinks.late import refolded
from sinks.rollups import roll_again
from sinks.rows import AGENT_MINUTES, QUEUE_MINUTES, insert, pane_rows
from sinks.stored_panes import PaneOf

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

Progress = Callable[[str, int], None]
"""Told the table and how many of its rows are loaded."""

_REFOLDED_AT_ONCE = 500
_FEEDS = re.compile(r" TO (?:`?\w+`?\.)?`?(\w+)`?")


def load(client: Client, folder: Path, manifest: Manifest, progress: Progress = lambda _table, _rows: None) -> int:
    """
    Load every table of a checked backup into the client's database, which has the schema and nothing of a floor.

    Views that feed a table of the backup are dropped, as it has its rows already: apply the schema again afterwards.
    Returns the number of rows. InputError: the backup does not fit the schema, or not all rows arrived.
    """
    known = _columns(client)
    for table, parts in manifest.tables.items():
        _fits(folder, table, parts, known)
    _stop_feeding(client, manifest)
    client.command("TRUNCATE TABLE retentions SYNC")  # what had expired by then is what the backup says
    for table in sorted(manifest.tables, key=lambda name: (name == CHECKPOINTS, name)):
        if table == CHECKPOINTS:
            _refold(client, manifest)
        done = 0
        for part in manifest.tables[table]:
            done += _insert(client, folder, table, part)
            progress(table, done)
    return manifest.rows()


def _columns(client: Client) -> dict[str, set[str]]:
    rows = client.query(
        "SELECT table, groupArray(name) FROM system.columns WHERE database = currentDatabase() GROUP BY table"
    ).result_rows
    return {str(table): set(names) for table, names in rows}


def _fits(folder: Path, table: str, parts: list[Part], known: dict[str, set[str]]) -> None:
    names = read_part(folder, parts[0])[0] if parts else []
    unknown = [name for name in names if name not in known.get(table, set())]
    if table not in known or unknown:
        what = f"the column {unknown[0]} of {table}" if table in known else f"the table {table}"
        raise InputError(f"{folder}: holds {what}, which this version does not know: restore it with a newer one")


def _stop_feeding(client: Client, manifest: Manifest) -> None:
    """What came into a table by a view on every insert is in the backup: the same insert would count it twice."""
    feeders = client.query(
        "SELECT name, create_table_query FROM system.tables"
        " WHERE database = currentDatabase() AND engine = 'MaterializedView'"
    ).result_rows
    for name, statement in feeders:
        fed = _FEEDS.search(statement)
        if fed is not None and fed[1] in manifest.tables:
            client.command(f"DROP VIEW {name} SYNC")


def _insert(client: Client, folder: Path, table: str, part: Part) -> int:
    names, text = read_part(folder, part)
    done = client.raw_insert(table, names, text, fmt="TabSeparatedWithNames")
    if done.written_rows != part.rows:
        raise InputError(f"{folder / part.file}: {part.rows} rows expected, {done.written_rows} arrived: restore again")
    return part.rows


def _refold(client: Client, manifest: Manifest) -> None:
    """Panes that stood above their partition's mark when they were read hold what the worker will fold again."""
    marks = {mark.partition: mark for mark in manifest.marks if mark.topic == EVENTS}
    panes: list[tuple[int, PaneOf]] = []
    for refold in manifest.refolds:
        mark = marks[refold.partition]
        found = refolded(client, refold.subject, set(refold.minutes), mark.version, mark.clock_ms)
        panes += [(refold.partition, pane) for pane in found]
        if len(panes) >= _REFOLDED_AT_ONCE:
            _write(client, panes)
            panes.clear()
    _write(client, panes)
    minutes = {minute for refold in manifest.refolds for minute in refold.minutes}
    roll_again(client, {from_ms(minute * MINUTE_MS).date() for minute in minutes})


def _write(client: Client, panes: list[tuple[int, PaneOf]]) -> None:
    agents, queues = pane_rows(panes)
    insert(client, AGENT_MINUTES, agents)
    insert(client, QUEUE_MINUTES, queues)
