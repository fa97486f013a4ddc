"""Every column of text of every table of a database, looked through for a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_COLUMNS = (
    "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND type LIKE '%String%' AND table IN"
    " (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')"
)


def holding(client: Client, text: str) -> dict[str, int]:
    """Table -> rows that can be read, replaced ones too, and have a text in them."""
    tables: dict[str, list[str]] = {}
    for table, column in client.query(_COLUMNS).result_rows:
        tables.setdefault(str(table), []).append(f"position(toString({column}), {{text:String}}) > 0")
    counts = {table: _count(client, table, " OR ".join(wheres), text) for table, wheres in tables.items()}
    return {table: count for table, count in counts.items() if count}


def _count(client: Client, table: str, where: str, text: str) -> int:
    return int(client.query(f"SELECT count() FROM {table} WHERE {where}", parameters={"text": text}).result_rows[0][0])
