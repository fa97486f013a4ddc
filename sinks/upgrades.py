"""What a floor that is already there lacks: columns that came later, a retention that was changed, days never noted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)\n\) ENGINE", re.DOTALL)
_COLUMN = re.compile(r"^ {4}(?!INDEX )(\w+) .+?(?=,?$)", re.MULTILINE)
_KEY = re.compile(r"\bORDER BY \((.+?)\)")
_TTL = re.compile(r"\bTTL (.+?)(?=\n| SETTINGS | COMMENT |$)")
_INTERVAL = re.compile(r"INTERVAL (\d+) (\w+)")

BACKFILL = (
    "INSERT INTO pane_days SELECT toDate(minute), min(stored_at), max(stored_at), count() FROM {table}"
    " GROUP BY toDate(minute)"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in ClickHouse before the schema is applied."""

    columns: dict[str, frozenset[str]]
    """Table -> its columns."""
    definitions: dict[str, str]
    """Table -> the statement that would make it, as ClickHouse writes it."""


def standing(client: Client) -> Standing:
    """The tables of the client's database."""
    columns: dict[str, set[str]] = {}
    for table, name in client.query(
        "SELECT table, name FROM system.columns WHERE database = currentDatabase()"
    ).result_rows:
        columns.setdefault(table, set()).add(name)
    definitions = client.query(
        "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    ).result_rows
    made = {str(name): str(engine) for name, engine in definitions}
    return Standing({table: frozenset(names) for table, names in columns.items()}, made)


def changes(before: Standing, statement: str) -> Iterator[str]:
    """The ALTERs that bring a table that stands to what its CREATE statement says: new columns, another TTL."""
    made = _TABLE.search(statement)
    if made is None or made[1] not in before.definitions:
        return
    table, last = made[1], ""
    key = _KEY.search(statement, made.end())
    for column in _COLUMN.finditer(made[2]):
        if column[1] not in before.columns[table]:
            added = f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column[0].strip()}{last}"
            # A key takes a column only from the statement that adds it.
            yield f"{added}, MODIFY ORDER BY ({key[1]})" if key and column[1] in key[1].split(", ") else added
        last = f" AFTER {column[1]}"
    wanted = _ttl(statement[made.end() :])
    if wanted and wanted != _ttl(before.definitions[table]):
        yield f"ALTER TABLE {table} MODIFY TTL {wanted}"


def backfills(before: Standing) -> Iterator[str]:
    """The statements that note the days of panes which were there before days were noted."""
    if "pane_days" in before.columns:
        return
    for table in ("agent_minutes", "queue_minutes"):
        if table in before.columns:
            yield BACKFILL.format(table=table)


def _ttl(text: str) -> str:
    """The TTL of a table as ClickHouse writes it; `''` for none."""
    found = _TTL.search(text)
    if found is None:
        return ""
    return _INTERVAL.sub(lambda part: f"toInterval{part[2].capitalize()}({part[1]})", found[1]).strip()
